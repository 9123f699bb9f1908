"""Setting a second factor up, and what somebody has: the pages (M16)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from portal.accounts.factors import authenticator, recovery, removal, standing
from portal.accounts.user import User
from portal.database import db, transaction
from tests.people import PASSWORD, person
from tests.phone import Phone, set_up

REQUIRED = pytest.mark.settings(PORTAL_SECOND_FACTOR_REQUIRED_OF="staff")
MORNING = datetime(2026, 7, 14, 9, tzinfo=UTC)


@pytest.fixture
def ada(a_user) -> User:
    return a_user(username="ada", approved=True)


@pytest.fixture
def hers(ada, browser):
    browser.sign_in(person(ada))
    return browser


def secret_of(page: str) -> str:
    """The key as it stands there to be typed."""
    found = re.search(r"<code dir=\"ltr\">([A-Z2-7 ]+)</code>", page)
    assert found
    return found[1].replace(" ", "")


def sealed_in(page: str) -> str:
    found = re.search(r'name="sealed"[^>]* value="([^"]+)"', page)
    assert found
    return found[1]


def set_up_by_pages(browser) -> tuple[Phone, list[str]]:
    """As somebody does without JavaScript."""
    page = browser.get("/second-factor/app").text
    phone = Phone(secret_of(page))
    answer = browser.submit("/second-factor/app", sealed=sealed_in(page), code=phone.shows())
    assert answer.location == "/second-factor/recovery-codes", answer.text
    page = browser.submit("/second-factor/recovery-codes").text
    codes = re.findall(r"<li><code dir=\"ltr\">([a-z0-9-]+)</code>", page)
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page)
    assert token
    data = {"csrf_token": token[1], "kept": "y"}
    assert browser.post("/second-factor/recovery-codes/kept", data=data).status_code == 303
    return phone, codes


def test_an_app_is_set_up_to_the_last_step_and_asked_for_at_the_next_sign_in(
    ada, hers, new_browser
):
    elsewhere = new_browser()
    elsewhere.sign_in(person(ada))

    phone, codes = set_up_by_pages(hers)

    assert len(codes) == 10
    assert standing.missing(ada) is None
    page = hers.get("/second-factor").text
    assert "10 recovery codes are left" in page
    assert elsewhere.get("/account").status_code == 302, "every other device is signed out"
    elsewhere.submit("/login", identity="ada", password=PASSWORD)
    assert elsewhere.submit("/second-step", code=phone.shows(later=1)).location == "/"


def test_the_picture_is_drawn_into_the_page_and_needs_nothing_else(hers):
    page = hers.get("/second-factor/app").text

    assert page.count('class="qr"') == 1
    picture = page[page.index('<div class="qr-frame"') :].partition("</div>")[0]
    assert "style=" not in picture
    assert "data:" not in picture
    assert "otpauth" not in page
    assert "<path" in picture


def test_a_wrong_code_keeps_the_secret_on_the_page(hers, ada):
    page = hers.get("/second-factor/app").text
    secret = secret_of(page)

    answer = hers.submit(
        "/second-factor/app", sealed=sealed_in(page), code=Phone(secret).does_not_show()
    )

    assert answer.status_code == 400
    assert "not the code that the app shows now" in answer.text
    assert secret_of(answer.text) == secret
    assert authenticator.of(ada) is None


def test_a_seal_of_somebody_else_or_none_begins_anew(hers, ada):
    answer = hers.submit("/second-factor/app", sealed="nonsense-\ud7ff", code="123456")

    assert answer.location == "/second-factor/app"
    assert "too old" in hers.get("/second-factor/app").text


def test_without_kept_recovery_codes_nothing_else_opens(hers, ada):
    page = hers.get("/second-factor/app").text
    hers.submit("/second-factor/app", sealed=sealed_in(page), code=Phone(secret_of(page)).shows())

    assert hers.get("/account").location == "/second-factor"
    assert hers.get("/second-factor").location == "/second-factor/recovery-codes"
    answer = hers.submit("/second-factor/recovery-codes", to="/second-factor/recovery-codes/kept")
    assert answer.status_code == 400
    assert "Keep the codes first" in answer.text
    assert hers.get("/account").location == "/second-factor"


def test_codes_are_shown_once(hers, ada):
    _, codes = set_up_by_pages(hers)

    assert all(each not in hers.get("/second-factor/recovery-codes").text for each in codes)
    assert all(each not in hers.get("/second-factor").text for each in codes)


def test_an_app_is_removed_after_a_page_that_says_what_that_means(hers, ada):
    set_up_by_pages(hers)

    assert "your password alone is enough" in hers.get("/second-factor/app/removal").text
    assert hers.submit("/second-factor/app/removal").location == "/second-factor"

    assert not standing.has_factor(ada)
    assert hers.get("/account").status_code == 200, "this browser stays signed in"


def test_all_of_it_asks_for_the_password_that_was_typed_too_long_ago(ada, browser):
    with time_machine.travel(MORNING, tick=False) as now:
        browser.sign_in(person(ada))
        now.shift(timedelta(hours=1))
        for path in ("/second-factor", "/second-factor/app", "/second-factor/app/removal"):
            assert browser.get(path).location == "/verify?next=" + path
        token = browser.token("/account")
        answer = browser.post("/second-factor/recovery-codes", data={"csrf_token": token})
        assert answer.status_code == 403
        assert "Password" in answer.text

        answer = browser.submit("/verify?next=/second-factor", password=PASSWORD)
        assert answer.location == "/second-factor"
        assert browser.get("/second-factor").status_code == 200


@REQUIRED
def test_staff_are_led_through_the_set_up_before_any_other_page(people, browser, a_user):
    ada = people.staff("manager", username="ada")
    other = a_user(approved=True)
    browser.sign_in(person(ada))

    for path in ("/", "/account", "/admin/", "/admin/registrations/", "/change"):
        assert browser.get(path).location == "/second-factor", path
    assert browser.get("/admin/", headers={"HX-Request": "true"}).status_code == 403
    token = browser.token("/second-factor/app")
    answer = browser.post(
        f"/admin/accounts/{other.id}/suspension", data={"csrf_token": token, "reason": "x"}
    )
    assert answer.status_code == 403
    assert "Set up a second factor to go on" in browser.get("/second-factor").text

    set_up_by_pages(browser)

    assert browser.get("/admin/").status_code == 200
    refused = browser.get("/second-factor/app/removal").text
    assert "Add another one before" in refused


@REQUIRED
def test_who_is_no_staff_may_go_on_without(ada, browser):
    browser.sign_in(person(ada))

    assert browser.get("/account").status_code == 200
    assert browser.get("/second-factor").status_code == 200


@REQUIRED
def test_staff_whose_factor_is_reset_begin_anew(people, browser):
    ada = people.staff("manager", username="ada")
    set_up(ada)
    with transaction():
        removal.reset(db.session.get_one(User, ada.id), by=None, reason="Lost")
    browser.sign_in(person(ada))

    assert browser.get("/admin/").location == "/second-factor"


def test_the_account_page_says_whether_there_is_one(hers, ada):
    assert "Set up a second factor" in hers.get("/account").text
    set_up_by_pages(hers)
    assert "Change the second factor" in hers.get("/account").text
    assert recovery.left(ada) == 10
