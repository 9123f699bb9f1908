"""The story of an account, lived in a browser with and without JavaScript."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import expect
from sqlalchemy import select

from portal import links
from portal.accounts.approval import approve
from portal.accounts.user import User
from portal.database import db, transaction
from tests.browser.conftest import Window
from tests.people import PASSWORD, an_agent, level


@pytest.mark.parametrize("scripts", [True, False], ids=["with-scripts", "without-scripts"])
def test_from_registration_to_the_first_agent(
    scripts: bool, app: Flask, new_window: Callable[..., Window]
) -> None:
    window = new_window(java_script_enabled=scripts)
    page = window.page
    an_agent("Translator", requires="guest")

    window.open("/register")
    for label, typed in (
        ("Full name", "Ada Lovelace"),
        ("Username", "ada"),
        ("E-mail address", "ada@example.org"),
        ("The same password again", PASSWORD),
    ):
        page.get_by_label(label).fill(typed)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("I accept the terms of use.").check()
    window.press("Create account")
    expect(page.get_by_role("main")).to_contain_text("We sent a mail to ada@example.org.")

    ada = db.session.scalars(select(User).filter_by(username="ada")).one()
    page.goto(links.confirmation(ada))
    window.press("Confirm my address")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your address is confirmed")

    window.sign_in_as("ada")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your registration is being reviewed")

    db.session.expire_all()
    with transaction():
        approve(ada, by=None, level=level("guest"))
    window.open("/")
    expect(page.get_by_role("link", name="Open (Translator)")).to_be_visible()

    page.locator("details[data-menu] summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert window.complaints == []
