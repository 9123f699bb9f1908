"""The desk by keyboard, and two members of staff who see each other look."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Error, Route, expect

from portal.accounts.user import Status, User
from portal.database import db, transaction
from portal.desk import standard_text, workplace
from portal.desk.standard_text import Purpose
from tests.browser.conftest import Window

# How often an open page asks, in seconds, where a claim lapses after thirty.
ASKS_EVERY = 5


@pytest.fixture
def three(people: Any) -> list[User]:
    """Three who wait, in the order of the queue."""
    return [
        people.user(confirmed=True, full_name=name, reason=f"{name} would like to work here")
        for name in ("Ada Lovelace", "Grace Hopper", "Mary Somerville")
    ]


@pytest.fixture
def at_the_desk(window: Window, three: list[User], reviewer: User) -> Window:
    """A reviewer at the queue."""
    window.sign_in(reviewer)
    window.open("/admin/registrations/")
    return window


@pytest.fixture
def theirs(new_window: Callable[..., Window], manager: User) -> Window:
    """The window of a colleague."""
    window = new_window()
    window.sign_in(manager)
    return window


def press(window: Window, *keys: str) -> None:
    """Press keys, and wait for the page that the last one leads to."""
    for key in keys[:-1]:
        window.page.keyboard.press(key)
    with window.page.expect_navigation():
        window.page.keyboard.press(keys[-1])


def own_the_time(window: Window) -> None:
    """Be able to `ask_again` in the pages that are opened from now on."""
    window.page.clock.install()
    window.may_be_used_again = False


def ask_again(window: Window) -> None:
    """Let the time pass after which an open page asks."""
    window.page.clock.fast_forward(ASKS_EVERY * 1000)


def heading(window: Window) -> str:
    return window.page.get_by_role("heading", level=1).inner_text()


def status_of(user: User) -> Status:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(User, user.id).status


def test_a_queue_is_worked_through_without_a_mouse(at_the_desk: Window, three: list[User]) -> None:
    window, page = at_the_desk, at_the_desk.page

    press(window, "j", "j", "k", "o")
    assert heading(window) == "Ada Lovelace"
    assert window.barriers() == []
    page.keyboard.press("a")
    page.keyboard.press("g")  # guest, in the list that has the focus
    page.keyboard.press("Tab")
    press(window, "Enter")
    assert heading(window) == "Grace Hopper"
    assert status_of(three[0]) is Status.APPROVED

    page.keyboard.press("u")  # leads to the button, and takes nothing back
    expect(page.get_by_role("button", name="Undo (Ada Lovelace)")).to_be_focused()
    assert status_of(three[0]) is Status.APPROVED
    press(window, "Enter")
    assert heading(window) == "Ada Lovelace"
    assert status_of(three[0]) is Status.PENDING
    press(window, "j")
    press(window, "j")
    assert heading(window) == "Mary Somerville"
    press(window, "k")
    assert heading(window) == "Grace Hopper"

    page.keyboard.press("q")
    page.get_by_label("Question").focus()
    page.keyboard.type("a question: jkuar?/")
    page.keyboard.press("Control+k")
    assert heading(window) == "Grace Hopper"  # while one types, no letter is a key
    assert page.get_by_label("Question").input_value() == "a question: jkuar?/"
    page.get_by_role("button", name="Approve").focus()
    press(window, "/")
    page.keyboard.type("mary")
    press(window, "Enter")
    assert "q=mary" in page.url
    assert window.complaints == []


@pytest.mark.long
def test_the_keys_are_listed_and_can_be_switched_off(
    at_the_desk: Window, three: list[User], reviewer: User
) -> None:
    window, page = at_the_desk, at_the_desk.page
    window.open(f"/admin/registrations/{three[0].id}")

    page.keyboard.press("?")

    listed = page.get_by_role("dialog", name="Keys")
    expect(listed).to_contain_text("Claim or take over")
    assert window.barriers() == []
    page.keyboard.press("j")  # nothing is a key while the list is open
    expect(listed).to_be_visible()
    page.keyboard.press("Escape")
    expect(listed).to_be_hidden()

    page.get_by_role("button", name="Keys").click()
    page.get_by_label("Single letters as keys").uncheck()
    with page.expect_navigation():
        listed.get_by_role("button", name="Save").click()
    assert heading(window) == "Ada Lovelace"
    page.keyboard.press("j")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert heading(window) == "Ada Lovelace"
    db.session.rollback()
    assert workplace.of(db.session.merge(reviewer)).single_keys is False


def test_a_rejection_begins_from_a_text_and_is_seen_before_it_is_sent(
    at_the_desk: Window, three: list[User], reviewer: User
) -> None:
    window, page = at_the_desk, at_the_desk.page
    with transaction():
        db.session.merge(three[0]).language = "ar"
        standard_text.edit_text(
            None,
            purpose=Purpose.REJECTION,
            name="Full house",
            position=0,
            bodies={"en": "We have no room.", "ar": "لا مكان لدينا."},
            by=db.session.merge(reviewer),
        )
    window.open(f"/admin/registrations/{three[0].id}")

    page.keyboard.press("r")
    page.locator(":focus").select_option("Full house")

    expect(page.get_by_label("Reason")).to_have_value("لا مكان لدينا.")
    letter = page.frame_locator("iframe[name=letter-rejection]")
    expect(letter.locator("blockquote")).to_have_text("لا مكان لدينا.")
    expect(letter.locator("html")).to_have_attribute("dir", "rtl")
    assert window.barriers() == []
    page.get_by_label("Reason").fill("لا مكان اليوم.")
    page.get_by_role("button", name="Preview the mail").click()
    expect(letter.locator("blockquote")).to_have_text("لا مكان اليوم.")
    assert status_of(three[0]) is Status.PENDING

    window.press("Reject the registration")
    assert heading(window) == "Grace Hopper"
    assert status_of(three[0]) is Status.REJECTED
    assert window.complaints == []


@pytest.mark.long
def test_a_text_comes_into_the_letter_also_where_the_script_came_after_it(
    at_the_desk: Window, three: list[User]
) -> None:
    window, page = at_the_desk, at_the_desk.page
    held: list[Route] = []
    page.route("**/desk.js*", lambda route: held.append(route))
    page.goto(f"{window.site}/admin/registrations/rejection?ids={three[0].id}", wait_until="commit")
    letter = page.frame_locator("iframe[name=letter-rejection]")
    expect(letter.locator("html")).to_have_attribute("lang", "en")

    held[0].continue_()
    expect(page.get_by_role("button", name="Use it")).to_have_count(0)
    page.get_by_label("Begin from a standard text").select_option("No need shown")

    chosen = page.get_by_label("Reason").input_value()
    assert chosen
    expect(letter.locator("blockquote")).to_have_text(chosen)


@pytest.mark.long
def test_what_is_asked_of_a_letter_that_is_on_its_way_comes_in_the_end(
    at_the_desk: Window, three: list[User]
) -> None:
    window, page = at_the_desk, at_the_desk.page
    held: list[Route] = []
    page.route("**/letter?*", lambda route: held.append(route))
    page.goto(
        f"{window.site}/admin/registrations/rejection?ids={three[0].id}",
        wait_until="domcontentloaded",
    )
    expect(page.get_by_role("button", name="Use it")).to_have_count(0)
    reason, preview = page.get_by_label("Reason"), page.get_by_role("button", name="Preview")
    letter = page.frame_locator("iframe[name=letter-rejection]")

    for words in ("First words.", "Last words."):
        reason.fill(words)
        preview.click()
    page.unroute("**/letter?*")
    for route in held:
        with suppress(Error):  # what a later one called off
            route.continue_()

    expect(letter.locator("blockquote")).to_have_text("Last words.")
    assert window.complaints == []


@pytest.mark.settings(PORTAL_DESK_CLAIM_LAPSES_AFTER_SECONDS="30")
def test_colleagues_see_each_other_look_and_decide_without_a_reload(
    at_the_desk: Window, three: list[User], manager: User, theirs: Window
) -> None:
    mine = at_the_desk
    item = f"/admin/registrations/{three[0].id}"
    own_the_time(mine)
    own_the_time(theirs)

    theirs.open("/admin/registrations/")
    mine.open(item)
    expect(mine.page.locator("#claim")).to_contain_text("You look at it now.")
    ask_again(theirs)
    row = theirs.page.get_by_role("row", name="Ada Lovelace")
    expect(row).to_contain_text("looks at it now.")
    theirs.open(item)
    expect(theirs.page.locator("#claim")).to_contain_text("looks at it now.")
    theirs.page.keyboard.press("c")
    expect(theirs.page.locator("#claim")).to_contain_text("You look at it now.")
    ask_again(mine)
    expect(mine.page.locator("#claim")).to_contain_text(f"{manager.full_name} looks at it now.")

    theirs.page.get_by_label("Access level").select_option("guest")
    theirs.press("Approve")

    ask_again(mine)
    expect(mine.page.get_by_role("alert")).to_contain_text(
        f"{manager.full_name} changed this while you looked at it: Approved"
    )
    mine.page.get_by_label("Access level").select_option("standard")
    mine.press("Approve")
    expect(mine.page.get_by_role("main")).to_contain_text("There is nobody left")
    assert mine.complaints == []
    assert theirs.complaints == []


@pytest.mark.long
def test_a_claim_that_is_pressed_while_the_page_looks_is_not_lost(
    at_the_desk: Window, three: list[User], theirs: Window
) -> None:
    mine = at_the_desk
    mine.open(f"/admin/registrations/{three[0].id}")
    expect(mine.page.locator("#claim")).to_contain_text("You look at it now.")
    held: list[Route] = []
    theirs.page.route("**/claim", lambda route: route.continue_() if held else held.append(route))

    theirs.open(f"/admin/registrations/{three[0].id}")
    theirs.page.wait_for_function("document.querySelector('#claim.htmx-request')")
    theirs.page.keyboard.press("c")

    expect(theirs.page.locator("#claim")).to_contain_text("You look at it now.")
    assert len(held) == 1


@pytest.mark.long
@pytest.mark.settings(PORTAL_DESK_CLAIM_LAPSES_AFTER_SECONDS="30")
def test_whoever_leaves_a_page_looks_no_longer(
    at_the_desk: Window, three: list[User], theirs: Window
) -> None:
    mine = at_the_desk
    mine.open(f"/admin/registrations/{three[0].id}")
    expect(mine.page.locator("#claim")).to_contain_text("You look at it now.")

    mine.open("/admin/figures/")
    theirs.open(f"/admin/registrations/{three[0].id}")

    expect(theirs.page.locator("#claim")).to_contain_text("You look at it now.")


@pytest.mark.settings(PORTAL_DESK_CLAIM_LAPSES_AFTER_SECONDS="30")
def test_an_ended_session_is_said_in_the_page(at_the_desk: Window, three: list[User]) -> None:
    window, page = at_the_desk, at_the_desk.page
    own_the_time(window)
    window.open(f"/admin/registrations/{three[0].id}")
    expect(page.locator("#claim")).to_contain_text("You look at it now.")

    page.context.clear_cookies()
    ask_again(window)

    expect(page.get_by_role("alert")).to_contain_text("Your session has ended.")
    expect(page.get_by_label("Password")).to_have_count(0)
    with page.expect_navigation():
        page.get_by_role("link", name="Sign in again").click()
    assert heading(window) == "Sign in"


@pytest.mark.long
def test_a_row_is_claimed_from_the_list(at_the_desk: Window, three: list[User]) -> None:
    page = at_the_desk.page

    page.keyboard.press("j")
    page.keyboard.press("c")

    row = page.get_by_role("row", name="Ada Lovelace")
    expect(row).to_contain_text("You look at it now.")
    press(at_the_desk, "r")
    assert heading(at_the_desk) == "Reject 1 registration"
