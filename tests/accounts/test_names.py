"""Usernames and addresses: one spelling for each person, and nobody passes for another (D13)."""

import unicodedata

import pytest

from portal import canonical
from portal.accounts import addresses, usernames
from portal.errors import StepRefused


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("ada", "ada"),
        ("  Ada.Lovelace  ", "ada.lovelace"),
        ("ＡＤＡ", "ada"),
        ("a_d-a.42", "a_d-a.42"),
        ("42nd", "42nd"),
        ("x" * 32, "x" * 32),
        ("ﬁona", "fiona"),
        ("ada.\u2060lovelace", "ada.lovelace"),  # copied from a mail
    ],
)
def test_a_username_is_kept_in_one_spelling(typed, kept):
    assert usernames.checked(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "аlice",  # Cyrillic
        "alİce",
        "аdmin",
        "ad\u200dmin",
        "ada\u202e",
        "ada lovelace",
        "ada@example.org",
        "-ada",
        "ada.",
        "..",
        "_ _",
        "ada\nb",
        "ada\0",
        "ab",
        "x" * 33,
        "日本語",
        "",
        "💥💥💥",
        "admin",
        "Administrator",
        "ＲＯＯＴ",
        "postmaster",
        "support",
        "noreply",
        "portal",
        "supp0rt",
        "r00t",
        "ad.min",
        "4dm1n1str4t0r",
        "mailerdaemon",
        "no_reply",
    ],
)
def test_a_username_that_could_pass_for_another_is_refused(typed):
    with pytest.raises(StepRefused):
        usernames.checked(typed)


@pytest.mark.parametrize(
    ("typed", "kept", "unique"),
    [
        ("Ada@Example.ORG", "Ada@example.org", "ada@example.org"),
        (" ada+portal@example.org ", "ada+portal@example.org", "ada+portal@example.org"),
        ("o'brien@example.org", "o'brien@example.org", "o'brien@example.org"),
        ("ada@BÜCHER.example", "ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@xn--bcher-kva.example", "ada@bücher.example", "ada@xn--bcher-kva.example"),
    ],
)
def test_an_address_is_kept_as_typed_and_unique_in_one_spelling(typed, kept, unique):
    assert addresses.checked(typed) == kept
    assert canonical.email(typed) == canonical.email(kept) == unique


def test_two_unicode_forms_of_a_domain_are_one_address():
    decomposed = unicodedata.normalize("NFD", "ada@bücher.example")

    assert canonical.email(decomposed) == canonical.email("ada@bücher.example")


@pytest.mark.parametrize(
    "typed",
    [
        "alıce@example.org",
        "аda@example.org",
        "ada@exаmple.org@evil.example",
        "ada@example.org, eve@example.org",
        '"ada eve"@example.org',
        "ada@localhost",
        "ada@127.0.0.1",
        "ada@[127.0.0.1]",
        "ada@example..org",
        "ada.@example.org",
        "ada@-example.org",
        "ada@example.org\r\nBcc: eve@example.org",
        "ada\0@example.org",
        "a" * 243 + "@example.org",
        "ada@" + "x" * 250 + ".org",
        "ada@" + "ü" * 60 + "." + "ü" * 60 + "." + "ü" * 60 + "." + "ü" * 55 + ".example",
    ],
)
def test_what_no_mail_could_safely_reach_is_no_address(typed):
    with pytest.raises(StepRefused):
        addresses.checked(typed)


@pytest.mark.parametrize("sign", "a@.%\u0301ﷺ")
def test_long_nonsense_costs_no_time(sign):
    """ASVS 1.3.12: a hundred thousand of one sign."""
    import time

    started = time.process_time()
    canonical.email(sign * 50_000 + "@" + sign * 50_000)
    for check in (addresses.checked, usernames.checked):
        with pytest.raises(StepRefused):
            check(sign * 100_000)

    assert time.process_time() - started < 1
