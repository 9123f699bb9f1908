"""Forms: what is wrong is said first, and a new password is judged while it is typed (M4)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Route, expect

from tests.browser.conftest import Window
from tests.people import PASSWORD


def test_the_error_summary_is_focused_and_leads_into_the_fields(window: Window) -> None:
    window.open("/register")
    page = window.page
    page.get_by_label("Full name").fill("Ada Lovelace")
    window.press("Create account")

    summary = page.locator(".error-summary")
    expect(summary).to_be_focused()
    assert page.title().startswith("Error: ")
    expect(page.get_by_label("Full name")).to_have_value("Ada Lovelace")

    summary.get_by_role("link", name="Choose a username.").click()
    username = page.get_by_label("Username")
    expect(username).to_be_focused()
    expect(username).to_have_attribute("aria-invalid", "true")
    expect(username).to_have_accessible_description(re.compile("Choose a username"))
    username.press_sequentially("ada")
    expect(username).not_to_have_attribute("aria-invalid", "true")


def test_an_address_is_looked_at_when_its_field_is_left(window: Window) -> None:
    window.open("/reset")
    email = window.page.get_by_label("E-mail address")
    wrong = window.page.get_by_text("Enter an e-mail address like name@example.org.")

    email.press_sequentially("ada")
    expect(wrong).to_be_hidden()
    email.blur()
    expect(wrong).to_be_visible()
    email.press_sequentially("@example.org")
    expect(wrong).to_be_hidden()


def test_password_rules_live_while_typing_in_words_and_aloud(window: Window) -> None:
    window.open("/register")
    page = window.page
    page.get_by_label("Full name").fill("Ada Lovelace")
    password = page.get_by_label("Password", exact=True)
    rules = {
        key: page.locator(f"[data-rule={key}]")
        for key in ("length", "lower", "upper", "digit", "special", "personal", "guessable")
    }
    words, aloud = page.locator("[data-strength-words]"), page.locator("[data-strength-status]")

    password.press_sequentially("lovelace")
    expect(rules["lower"]).to_have_attribute("data-state", "met")
    expect(rules["length"]).to_have_attribute("data-state", "met")
    expect(rules["upper"]).to_have_attribute("data-state", "unmet")
    expect(rules["personal"]).to_have_attribute("data-state", "unmet")
    expect(rules["guessable"]).to_have_attribute("data-state", "unmet")
    expect(words).to_contain_text(
        "Your own name or address, or the name of this site, is easy to guess."
    )

    password.fill("Password1!")
    expect(rules["special"]).to_have_attribute("data-state", "met")
    expect(words).to_have_text("Strength: Weak. This is close to a common password.")

    password.fill(PASSWORD)
    expect(page.locator("[data-state=met]")).to_have_count(len(rules))
    expect(words).to_have_text("Strength: Strong.")
    expect(aloud).to_have_text("Strength: Strong. Rules met: 7 of 7.")
    assert window.barriers() == []
    assert window.complaints == []


def test_the_browser_judges_personal_words_as_the_server_does(
    window: Window, a_user: Callable[..., Any]
) -> None:
    window.sign_in(a_user(approved=True, full_name="Ada Lovelace"))
    window.open("/change")
    personal = window.page.locator("[data-rule=personal]")
    password = window.page.get_by_label("Password", exact=True)

    password.fill("Lovelace-1")
    expect(personal).to_have_attribute("data-state", "unmet")
    password.fill("Lovelace-with a lantern 1")
    expect(personal).to_have_attribute("data-state", "met")


def test_a_password_can_be_shown_and_is_hidden_again_when_sent(window: Window) -> None:
    window.open("/login")
    password = window.page.get_by_label("Password", exact=True)
    password.fill("secret")

    window.page.get_by_role("button", name="Show the password").click()
    expect(password).to_have_attribute("type", "text")
    window.page.evaluate("document.querySelector('main form').dispatchEvent(new Event('submit'))")
    expect(password).to_have_attribute("type", "password")


def test_the_characters_left_are_counted(window: Window) -> None:
    window.open("/register")
    reason = window.page.get_by_label("Why do you ask for access?")
    reason.press_sequentially("Because 👩🏽‍🚀.")

    expect(window.page.locator("#reason-left")).to_have_text("Characters left: 987")


def test_asking_again_for_the_mail_waits_its_time(window: Window) -> None:
    window.open("/confirm")
    window.page.get_by_label("E-mail address").fill("ada@example.org")
    window.press("Send the mail")

    again = window.page.get_by_role("button", name="Send the mail again")
    expect(again).to_have_attribute("aria-disabled", "true")
    expect(window.page.get_by_text("Seconds to wait: ")).to_be_visible()
    again.focus()
    expect(again).to_be_focused()
    again.press("Enter")
    assert window.page.url.endswith("/register/sent")


def test_a_second_click_on_a_slow_page_sends_nothing(window: Window) -> None:
    window.open("/reset")
    page = window.page
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_role("main").get_by_role("button").focus()
    held: list[Route] = []
    page.route("**/reset", lambda route: held.append(route))

    with page.expect_request("**/reset"):
        page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    held[0].continue_()
    page.wait_for_url("**/reset/sent")

    assert [route.request.method for route in held] == ["POST"]
