"""The shell: language, appearance, menus and the keyboard."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Response, expect

from tests.browser.conftest import Window

LIGHT, DARK = "rgb(246, 245, 242)", "rgb(18, 22, 25)"


@pytest.mark.parametrize(("device", "colour"), [("light", LIGHT), ("dark", DARK)])
def test_the_appearance_follows_the_device_until_somebody_chooses(
    new_window: Callable[..., Window], device: str, colour: str
) -> None:
    window = new_window(color_scheme=device)
    window.open("/login")
    body = window.page.locator("body")
    expect(body).to_have_css("background-color", colour)

    other, chosen = ("Dark", DARK) if device == "light" else ("Light", LIGHT)
    window.page.get_by_role("button", name=other).click()

    expect(body).to_have_css("background-color", chosen)
    expect(window.page.get_by_role("button", name=other)).to_have_attribute("aria-pressed", "true")


def test_choosing_arabic_turns_the_page_around(window: Window) -> None:
    window.open("/login?next=/account")
    window.page.get_by_role("link", name="Change the language").click()
    window.page.get_by_role("button", name="العربية").click()

    html = window.page.locator("html")
    expect(html).to_have_attribute("dir", "rtl")
    expect(html).to_have_attribute("lang", "ar")
    assert unquote(window.page.url).endswith("/login?next=/account")
    mark = window.page.locator(".brand").bounding_box()
    assert mark is not None
    assert mark["x"] > 640, "the product's name stands where lines begin"


def test_the_keyboard_reaches_the_content_first_and_the_menu_closes_on_escape(
    window: Window, a_user: Callable[..., Any]
) -> None:
    window.sign_in(a_user(approved=True))
    window.open("/")
    keyboard, page = window.page.keyboard, window.page

    keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the main content")).to_be_focused()
    keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()

    menu = page.locator("details[data-menu]")
    menu.locator("summary").focus()
    keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()


def test_a_first_view_is_small_and_a_later_one_smaller(
    new_window: Callable[..., Window], asked: list[str]
) -> None:
    window = new_window(unused=True)
    first = _fetched(window, "/login", asked)
    later = _fetched(window, "/reset", asked)

    assert len(first) <= 5, first
    assert sum(first.values()) <= 60_000, first
    assert len(later) == 1, later
    assert sum(later.values()) <= 6_000, later


def _fetched(window: Window, address: str, asked: list[str]) -> dict[str, int]:
    """What opening a page asks of the server, and how large each answer is when compressed."""
    files: list[Response] = []

    def keep(response: Response) -> None:
        files.append(response)

    window.page.on("response", keep)
    asked.clear()
    window.open(address)
    window.page.wait_for_load_state("networkidle")
    window.page.remove_listener("response", keep)
    return {
        path: len(gzip.compress(file.body()))
        for file in files
        if (path := urlsplit(file.url).path) in asked
    }
