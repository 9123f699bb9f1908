"""The second factor in a real browser: set up, and asked for at the next sign-in (M16)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from portal import clock
from tests.browser.conftest import PHONE, Window
from tests.people import People
from tests.phone import Phone

NARROW = {"viewport": PHONE}


def is_fine(window: Window) -> None:
    """Accessible, and no wider than the window: for what only shows in the middle of a step."""
    assert window.barriers() == [], window.page.url
    assert window.overflow() <= 0, window.page.url


@pytest.mark.settings(PORTAL_SECOND_FACTOR_REQUIRED_OF="staff")
def test_staff_set_up_an_app_at_their_first_sign_in_and_use_it_at_the_next(
    people: People, new_window: Callable[..., Window]
) -> None:
    people.staff("reviewer", username="rita")
    window = new_window(**NARROW)
    page: Any = window.page

    window.sign_in_as("rita")
    assert page.url.endswith("/second-factor")
    page.get_by_role("link", name="Set up an authenticator app").click()
    phone = Phone(page.locator(".secret code").inner_text().replace(" ", ""))
    assert page.locator(".qr").bounding_box()["width"] > 150
    page.get_by_label("Code from the app").fill(phone.shows())
    window.press("Check the code and go on")
    is_fine(window)
    window.press("Show me recovery codes")
    codes = page.locator(".recovery-codes code").all_inner_texts()
    is_fine(window)
    page.get_by_label("I have kept the codes in a safe place.").check()
    window.press("Finish")
    assert page.url.removeprefix(window.site) == "/"
    window.open("/second-factor")
    is_fine(window)

    again = new_window()
    again.sign_in_as("rita")
    assert again.page.url.endswith("/second-step")
    is_fine(again)
    again.page.get_by_label("Code from the app").fill(phone.shows(later=1))
    again.press("Sign in")
    again.open("/admin/")
    assert again.page.get_by_role("heading", level=1).is_visible()

    lost = new_window(**NARROW)
    lost.sign_in_as("rita")
    lost.page.get_by_role("link", name="Use a recovery code instead").click()
    is_fine(lost)
    lost.page.get_by_label("Recovery code").fill(codes[3])
    lost.press("Sign in")
    lost.open("/second-factor")
    assert "9 recovery codes are left" in lost.page.inner_text("main")
    assert window.complaints == again.complaints == lost.complaints == []


@pytest.mark.settings(PORTAL_PUBLIC_URL="http://localhost:{port}")
def test_a_passkey_is_added_and_signs_in_alone_and_after_the_password(
    people: People, new_window: Callable[..., Window]
) -> None:
    people.user(approved=True, username="ada")
    window = new_window(**NARROW)
    page: Any = window.page
    plug_in_a_key(window)

    window.sign_in_as("ada")
    window.open("/second-factor")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name of the passkey").fill("Laptop")
    window.press("Add a passkey")
    window.press("Show me recovery codes")
    page.get_by_label("I have kept the codes in a safe place.").check()
    window.press("Finish")
    assert page.get_by_role("heading", name="Laptop").is_visible()
    is_fine(window)

    for name in ("Rename", "Remove"):
        page.get_by_role("link", name=f"{name} (Laptop)").click()
        is_fine(window)
        page.go_back()

    sign_out(window)
    window.open("/login?next=/account")
    window.press("Sign in with a passkey")
    assert page.url == window.site + "/account"

    sign_out(window)
    window.sign_in_as("ada")
    assert page.url.endswith("/second-step")
    is_fine(window)
    window.press("Use a passkey")
    assert page.url == window.site + "/"
    assert window.complaints == []


@pytest.mark.long
@pytest.mark.settings(PORTAL_PUBLIC_URL="http://localhost:{port}")
def test_who_is_asked_again_uses_a_passkey_and_loses_nothing_that_was_typed(
    people: People, new_window: Callable[..., Window]
) -> None:
    people.user(approved=True, username="ada")
    window = new_window(**NARROW)
    page: Any = window.page
    plug_in_a_key(window)
    window.sign_in_as("ada")
    window.open("/second-factor/passkeys/new")
    page.get_by_label("Name of the passkey").fill("Laptop")
    window.press("Add a passkey")
    window.press("Show me recovery codes")
    page.get_by_label("I have kept the codes in a safe place.").check()
    window.press("Finish")

    with time_machine.travel(clock.now() + timedelta(minutes=11)):
        window.open("/change-username")
        assert page.url.startswith(window.site + "/verify")
        is_fine(window)
        window.press("Use a passkey")
        assert page.url == window.site + "/change-username"
        page.get_by_label("Username").fill("augusta")
    with time_machine.travel(clock.now() + timedelta(minutes=22)):
        page.get_by_role("button", name="Change").click()
        page.get_by_role("heading", name="Show again that it is you").wait_for()
        is_fine(window)
        window.press("Use a passkey")
        assert page.url == window.site + "/account"
        assert "augusta" in page.inner_text("main")
    assert window.complaints == []


def plug_in_a_key(window: Window) -> None:
    """Chromium's own authenticator, which looks who is there and always finds them."""
    window.may_be_used_again = False
    device = window.page.context.new_cdp_session(window.page)
    device.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    device.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def sign_out(window: Window) -> None:
    """By the menu."""
    window.page.locator("details[data-menu] summary").click()
    with window.page.expect_navigation():
        window.page.get_by_role("button", name="Sign out").click()
