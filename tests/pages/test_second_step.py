"""The second step of signing in: after the right password only, and then it opens (M16)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from portal import links
from portal.accounts import credentials
from portal.accounts.factors import recovery
from portal.accounts.user import User
from portal.database import db, locked, transaction
from tests.people import PASSWORD, password_hash, person
from tests.phone import set_up

MORNING = datetime(2026, 7, 14, 9, tzinfo=UTC)


@pytest.fixture
def ada(a_user) -> User:
    return a_user(username="ada", approved=True)


def type_password(browser, *, password=PASSWORD, to="/login", **more):
    return browser.submit(to, identity="ada", password=password, **more)


def test_the_right_password_leads_to_the_second_step_and_the_code_home(ada, browser):
    phone, _ = set_up(ada)

    answer = type_password(browser)
    assert answer.location == "/second-step"
    assert browser.get("/account").status_code == 302, "half a sign-in opens nothing"
    assert ada.login_count == 0

    answer = browser.submit("/second-step", code=phone.shows(later=1))
    assert answer.location == "/"
    assert browser.get("/account").status_code == 200
    assert ada.login_count == 1


def test_it_leads_on_to_the_page_that_was_wanted_and_stays_signed_in_where_asked(ada, browser):
    phone, _ = set_up(ada)

    type_password(browser, to="/login?next=/account", remember="y")
    answer = browser.submit("/second-step", code=phone.shows(later=1))

    assert answer.location == "/account"
    cookies = answer.headers.getlist("Set-Cookie")
    assert any("portal_session=" in each and "Max-Age" in each for each in cookies)
    assert browser.get("/account").status_code == 200


def test_before_the_right_password_nobody_learns_of_the_second_factor(ada, a_user, browser):
    set_up(ada)
    a_user(username="bob", approved=True)

    pages = []
    for name in ("ada", "bob", "nobody"):
        answer = browser.submit("/login", identity=name, password="wrong")
        assert answer.status_code == 200
        pages.append(answer.get_data(as_text=True).replace(name, "…"))
        assert browser.get("/second-step").location == "/login"

    assert "Second step" not in pages[0]
    without_token = [page.split('name="csrf_token"')[0] for page in pages]
    assert without_token[0] == without_token[1] == without_token[2]


def test_wrong_codes_are_refused_with_a_sentence_and_soon_the_right_one_waits(ada, browser):
    with time_machine.travel(MORNING, tick=False):
        phone, _ = set_up(ada)
        type_password(browser)

        for _ in range(4):
            answer = browser.submit("/second-step", code=phone.does_not_show())
            assert answer.status_code == 400
            assert "not the code that the app shows now" in answer.text
        answer = browser.submit("/second-step", code=phone.does_not_show())
        assert "Wait 1 minute" in answer.text
        answer = browser.submit("/second-step", code=phone.shows(later=1))

    assert answer.status_code == 400
    assert "Wait 1 minute" in answer.text
    assert browser.get("/account").status_code == 302


def test_a_code_that_was_used_says_so(ada, browser):
    with time_machine.travel(MORNING, tick=False):
        phone, _ = set_up(ada)
        type_password(browser)
        answer = browser.submit("/second-step", code=phone.shows())

    assert "was used already" in answer.text


def test_a_recovery_code_lets_in_once(ada, browser, new_browser):
    _, codes = set_up(ada)
    type_password(browser)
    other = new_browser()
    type_password(other)

    assert browser.submit("/second-step/recovery", code=codes[0]).location == "/"
    answer = other.submit("/second-step/recovery", code=codes[0])

    assert answer.status_code == 400
    assert "no recovery code of yours" in answer.text
    assert recovery.left(ada) == 9


def test_half_a_sign_in_is_over_after_five_minutes(ada, browser):
    with time_machine.travel(MORNING, tick=False) as now:
        phone, _ = set_up(ada)
        type_password(browser)
        token = browser.token("/second-step")
        now.shift(timedelta(minutes=5, seconds=1))

        answer = browser.post("/second-step", data={"code": phone.shows(), "csrf_token": token})
        assert answer.location == "/login"
        assert "Sign in again" in browser.get("/login").text


def test_it_dies_with_the_password_that_was_typed(ada, browser):
    _phone, _ = set_up(ada)
    type_password(browser)
    with transaction():
        user = locked(User, ada.id)
        assert user is not None
        credentials.change_password(user, password_hash=password_hash())

    assert browser.get("/second-step").location == "/login"


def test_another_browser_does_not_take_part_in_it(ada, browser, new_browser):
    set_up(ada)
    type_password(browser)

    assert new_browser().get("/second-step").location == "/login"


def test_a_password_reset_does_not_get_around_it(ada, browser):
    """ASVS 6.4.3: the link changes the password, and the second step stays."""
    set_up(ada)
    link = links.password_reset(ada).partition("8000")[2]
    browser.submit(link, password="Quiet-harbour 77", password_again="Quiet-harbour 77")

    answer = type_password(browser, password="Quiet-harbour 77")

    assert answer.location == "/second-step"
    assert browser.get("/account").status_code == 302


def test_who_is_signed_in_has_no_second_step(ada, browser):
    browser.sign_in(person(ada))

    assert browser.get("/second-step").location == "/"


@pytest.mark.settings(PORTAL_LIMITS_SECOND_STEP_ADDRESS="3 per minute")
def test_one_address_tries_only_so_often(ada, browser):
    set_up(ada)
    type_password(browser)

    answers = [browser.submit("/second-step/recovery", code="x").status_code for _ in range(4)]

    assert answers == [400, 400, 400, 429]
    assert db.session.get_one(User, ada.id).login_count == 0
