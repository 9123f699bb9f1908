"""Every page in a real browser: no barriers, no scrolling sideways, nothing blocked or missing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import product

import pytest
from flask import Flask
from playwright.sync_api import ViewportSize, expect

from portal.accounts.user import User
from portal.settings import ROOT
from tests.browser.conftest import DESK, PHONE, WCAG, WCAG_AND_MORE, Window
from tests.conftest import Browser, a_browser
from tests.people import person
from tests.world import World, kind_of

# What depends on colours and on room; the rest is the same in every theme, and examined once.
LOOKS = ("color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size")

pytestmark = pytest.mark.timeout(400)  # long walks, on whatever machine

VISITORS = ("nobody", "pending", "rejected", "approved", "reviewer", "administrator")


@pytest.mark.parametrize(
    "every",
    [False, pytest.param(True, marks=[pytest.mark.long, pytest.mark.timeout(1200)])],
    ids=["page", "address"],
)
def test_no_page_has_a_barrier(
    every: bool,
    app: Flask,
    world: World,
    new_browser: Callable[[], Browser],
    new_window: Callable[..., Window],
) -> None:
    """Each page once every day; in the long run at every address, with all rules and its width.

    Every day the rules of WCAG, and those beyond it and of contrast for a page of each kind.
    """
    of_each_kind = {kind_of(path) for _, paths in _chosen(world) for path in paths}
    found: dict[str, list[str]] = {}
    met: set[str] = set()

    for visitor in VISITORS:
        user = world.visitors[visitor]
        client, window = new_browser(), new_window(viewport=DESK)
        if user is not None:
            client.sign_in(person(user))
            window.sign_in(user)
        looked_at = 0
        for address in _pages_of(app, visitor, world.addresses(app), client, every=every):
            window.open(address)
            met.add(kind_of(address))
            whole = every or kind_of(address) in of_each_kind
            rules = WCAG_AND_MORE if whole else WCAG
            found |= _problems(window, address, rules, contrast=whole)
            if every:
                window.page.set_viewport_size(PHONE)
                if wide := window.overflow():
                    found.setdefault(address, []).append(f"{wide} px wider than a phone")
                window.page.set_viewport_size(DESK)
            looked_at += 1
        assert looked_at > 0, visitor

    assert found == {}
    assert of_each_kind <= met


# The one that is unlike what the walks above see in every regard.
EVERYDAY = {("phone", "dark", "ar")}


@pytest.mark.parametrize(
    ("width", "theme", "language"),
    [
        pytest.param(*case, marks=[] if case in EVERYDAY else [pytest.mark.long])
        for case in product(("phone", "desk"), ("light", "dark"), ("en", "ar"))
    ],
)
def test_in_every_theme_direction_and_width(
    width: str, theme: str, language: str, world: World, new_window: Callable[..., Window]
) -> None:
    found: dict[str, list[str]] = {}
    look = {"viewport": PHONE if width == "phone" else DESK, "color_scheme": theme}

    visitor = new_window(**look)
    visitor.open(f"/register?lang={language}")
    with visitor.page.expect_navigation():
        visitor.page.locator("main form .button--primary").click()
    found |= _problems(visitor, "registration with errors", LOOKS, contrast=True)

    for user, paths in _chosen(world):
        window = new_window(**look)
        window.sign_in(user)
        for path in paths:
            window.open(f"{path}{'&' if '?' in path else '?'}lang={language}")
            assert window.page.locator("html").get_attribute("lang") == language, path
            found |= _problems(window, path, LOOKS, contrast=True)
            if wide := window.overflow():
                found.setdefault(path, []).append(f"{wide} px wider than the window")

    assert found == {}


def test_a_table_becomes_cards_by_the_room_it_has_not_by_the_windows_width(
    window: Window, administrator: User
) -> None:
    """Beside the staff menu, which a wider window shows, a table has less room."""
    window.sign_in(administrator)
    window.open("/admin/accounts/")
    head, row = window.page.locator("thead"), window.page.locator("tbody tr").first

    for width, is_table in ((980, True), (1024, False), (1280, True)):
        window.page.set_viewport_size(ViewportSize(width=width, height=800))
        expect(head).to_be_visible(visible=is_table)
        expect(row).to_have_css("display", "table-row" if is_table else "block")
        assert window.overflow() <= 0, width


def _chosen(world: World) -> list[tuple[User, list[str]]]:
    """A page of each kind, and who looks at them."""
    waiting, staff = world.visitors["pending"], world.visitors["administrator"]
    assert waiting is not None
    assert staff is not None
    return [
        (waiting, ["/status", "/status/withdrawal"]),
        (
            staff,
            [
                "/",
                "/account",
                "/admin/",
                "/admin/registrations/",
                f"/admin/registrations/{waiting.id}",
                f"/admin/registrations/rejection?ids={waiting.id}",
                f"/admin/accounts/{waiting.id}",
                "/admin/audit/",
            ],
        ),
    ]


def _pages_of(
    app: Flask, visitor: str, addresses: Iterable[str], client: Browser, *, every: bool
) -> Iterator[str]:
    """The pages that are this visitor's to look at, so that each page is looked at once.

    `every`: at each address that it has; else at the first.
    """
    adapter = app.create_url_adapter(None)
    assert adapter is not None
    stranger = a_browser(app)
    seen: set[str] = set()
    for address in dict.fromkeys(addresses):
        if visitor in ("pending", "rejected"):
            mine = address in ("/status", "/status/withdrawal")
        elif visitor == "reviewer":
            mine = address in ("/admin/", "/admin/roles/")
        elif visitor == "administrator":
            mine = address.startswith("/admin")
        else:
            mine = not address.startswith("/admin")
        page, _ = adapter.match(address.partition("?")[0], method="GET")
        if not mine or (page in seen and not every):
            continue
        if visitor == "approved" and stranger.get(address).status_code != 302:
            continue
        answer = client.get(address)
        if answer.mimetype == "text/html" and answer.status_code not in (302, 303):
            seen.add(page)
            yield address


def _problems(
    window: Window, name: str, rules: Sequence[str], *, contrast: bool
) -> dict[str, list[str]]:
    """What axe finds, what the browser complained about, and drawings that are missing."""
    problems = [
        *window.barriers(rules, contrast=contrast),
        *window.complaints,
        *_missing_icons(window),
    ]
    window.complaints.clear()
    return {name: problems} if problems else {}


def _missing_icons(window: Window) -> list[str]:
    """Icons that the page names and the sprite lacks."""
    named = window.page.evaluate(
        """[...document.querySelectorAll("svg.icon use")]
            .map(use => use.getAttribute("href").split("#")[1])"""
    )
    return [f"no icon {name}" for name in set(named) - _icons()]


@cache
def _icons() -> set[str]:
    sprite = ROOT / "portal" / "static" / "vendor" / "icons.svg"
    return set(re.findall(r'id="([^"]+)"', sprite.read_text("utf-8")))
