"""Staff and people at work with nothing but the keyboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from portal.accounts.user import Status, User
from portal.database import db
from tests.browser.conftest import Window
from tests.people import PASSWORD

FOCUSED = """() => {
    const element = document.activeElement;
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    const x = box.x + box.width / 2, y = box.y + Math.min(box.height, 40) / 2;
    const above = document.elementFromPoint(x, y);
    return {
        name: (element.labels?.[0] ?? element).innerText?.trim().replace(/\\s+/g, " ") ?? "",
        outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
        covered: !(above && (element.contains(above) || above.contains(element))),
    };
}"""


def test_a_reviewer_approves_somebody_with_the_keyboard_alone(
    window: Window, people: Any, reviewer: User
) -> None:
    ada = people.user(confirmed=True, full_name="Ada Lovelace", username="ada")
    keyboard, page = window.page.keyboard, window.page

    window.open("/login")
    keyboard.type(str(reviewer.username))  # the field has the focus
    _tab_to(window, "Password")
    keyboard.type(PASSWORD)
    _enter(window)
    _tab_to(window, "Staff panel")
    _enter(window)
    _tab_to(window, "Registrations", contains=True)
    _enter(window)
    _tab_to(window, "Approve (Ada Lovelace)")
    _enter(window)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Approve")
    _tab_to(window, "Access level")
    keyboard.press("g")  # guest
    _tab_to(window, "Approve", contains=True)
    _enter(window)
    expect(page.get_by_role("status").first).to_be_visible()

    db.session.expire_all()
    assert ada.status is Status.APPROVED


def test_somebody_asks_for_a_new_password_with_the_keyboard_alone(
    window: Window, a_user: Callable[..., Any]
) -> None:
    a_user(approved=True, email="ada@example.org")

    window.open("/login")
    _tab_to(window, "Forgot your password?")
    _enter(window)
    _tab_to(window, "E-mail address")
    window.page.keyboard.type("ada@example.org")
    _enter(window)

    expect(window.page.get_by_role("main")).to_contain_text("ada@example.org")


def _enter(window: Window) -> None:
    """Press Enter, and wait for the page that it leads to."""
    with window.page.expect_navigation():
        window.page.keyboard.press("Enter")


def _tab_to(window: Window, name: str, *, contains: bool = False) -> None:
    """Press Tab until what is called so has the focus, which must be seen wherever it is."""
    passed = []
    for _ in range(60):
        window.page.keyboard.press("Tab")
        focused = window.page.evaluate(FOCUSED)
        assert focused["outlined"], f"no focus to be seen on {focused['name']!r}"
        assert not focused["covered"], f"{focused['name']!r} is covered while it has the focus"
        if focused["name"] == name or (contains and name in focused["name"]):
            return
        passed.append(focused["name"])
    raise AssertionError(f"{name!r} is not reached by Tab, only {passed}")
