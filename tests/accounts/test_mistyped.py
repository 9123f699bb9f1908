"""A mistyped domain is noticed, and an unusual one is left alone."""

from __future__ import annotations

import pytest
from flask import Flask

from portal.accounts import mistyped


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Ada@gmial.com", "Ada@gmail.com"),
        ("ada@gmail.con", "ada@gmail.com"),
        ("ada@gmail.co", "ada@gmail.com"),
        ("ada@gmaill.com", "ada@gmail.com"),
        ("ada@HOTMIAL.com", "ada@hotmail.com"),
        ("ada@outlok.com", "ada@outlook.com"),
        ("ada@haworht.example", "ada@haworth.example"),
        ("ada@gmail.com", None),
        ("ada@haworth.example", None),
        ("ada@ymail.com", None),
        ("ada@yahoo.fr", None),
        ("ada@yahoo.it", None),
        ("ada@example.org", None),
        ("ada@gmail", None),
        ("gmial.com", None),
        ("", None),
    ],
)
@pytest.mark.settings(PORTAL_SITE_SUPPORT_EMAIL="help@haworth.example")
def test_a_domain_that_is_nearly_a_common_one_was_meant_to_be_it(
    app: Flask, typed: str, meant: str | None
) -> None:
    assert mistyped.meant(typed) == meant
