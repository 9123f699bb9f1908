"""Signing out elsewhere, from one browser in another, and what that one sees next."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Window
from tests.people import People

ANDROID = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/140.0.0.0 Mobile Safari/537.36"
)


def test_one_browser_signs_the_other_out_and_stays_in(
    people: People, new_window: Callable[..., Window]
) -> None:
    ada = people.user(approved=True)
    phone, desk = new_window(user_agent=ANDROID), new_window()
    for each in (phone, desk):
        each.sign_in(ada)

    desk.open("/account")
    rows = desk.page.get_by_role("table", name="Devices that are signed in").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("This device")
    expect(rows.nth(1)).to_contain_text("Chrome on Android")
    desk.press("Sign out every other device")

    expect(rows).to_have_count(1)
    expect(desk.page.locator(".flashes")).to_contain_text("Every other device is signed out.")
    phone.open("/account")
    expect(phone.page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert desk.complaints == phone.complaints == []
