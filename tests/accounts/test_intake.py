"""The intake: registration closes when there are too many, and opens by itself (M15)."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from portal.accounts import intake
from portal.accounts.approval import approve
from portal.accounts.intake import Closure
from portal.accounts.user import User
from portal.database import db, transaction
from portal.jobs import rounds
from tests import plans
from tests.admin_views.panel import words
from tests.crowd import together
from tests.pages import filled_in
from tests.people import level, person

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
hurried = pytest.mark.settings(PORTAL_REGISTRATION_MOST_AN_HOUR="10")


def register(browser, number, **fields):
    names = {"username": f"person{number}x", "email": f"person{number}x@example.org"}
    return browser.submit("/register", **filled_in.registration(**{**names, **fields}))


def closures() -> list[Closure]:
    return list(db.session.scalars(select(Closure).order_by(Closure.id)))


@hurried
def test_registration_closes_kindly_says_when_to_come_back_and_opens_by_itself(browser):
    with time_machine.travel(NOON, tick=False) as now:
        for number in range(10):
            assert register(browser, number).status_code == 303
            now.shift(60)

        shut = browser.get("/register")
        assert (shut.status_code, shut.headers["Retry-After"]) == (503, str(51 * 60))
        assert "Nobody can register at the moment" in shut.text
        assert "Come back in 51 minutes." in shut.text
        now.shift(51 * 60 + 1)

        assert browser.get("/register").status_code == 200
        assert register(browser, 11).status_code == 303


@hurried
def test_who_filled_in_the_form_before_it_closed_loses_nothing(browser, new_browser):
    data = {"csrf_token": browser.token("/register"), **filled_in.registration()}
    for number in range(10):
        register(new_browser(), number)

    answer = browser.post("/register", data=data)

    assert answer.status_code == 503
    assert "Nobody can register at the moment." in answer.text
    assert f'value="{data["full_name"]}"' in answer.text
    assert f'value="{data["email"]}"' in answer.text
    assert data["password"] not in answer.text


@hurried
def test_staff_are_told_once_and_again_only_after_it_had_opened(browser, new_browser, manager):
    with time_machine.travel(NOON, tick=False) as now:
        for number in range(10):
            register(browser, number)
        for _ in range(3):
            browser.get("/register")
            rounds.look_at_intake()
        assert [(each.why, each.closed_at, each.opened_at) for each in closures()] == [
            ("hurry", NOON, None)
        ]
        staff = new_browser()
        staff.sign_in(person(manager))
        assert "Nobody can register at present." in words(staff.get("/admin/"))

        now.shift(timedelta(hours=1))
        rounds.look_at_intake()
        staff.sign_in(person(manager))  # an hour is how long staff are in without a request
        assert "Nobody can register at present." not in words(staff.get("/admin/"))
        for number in range(20, 30):
            register(browser, number)

    assert [each.opened_at is None for each in closures()] == [False, True]


@pytest.mark.settings(PORTAL_REGISTRATION_MOST_WAITING="10")
def test_too_many_who_wait_close_it_until_staff_have_decided(browser, people):
    waiting = people.crowd(10)
    rounds.look_at_intake()

    shut = browser.get("/register")
    assert (shut.status_code, shut.headers["Retry-After"]) == (503, "86400")
    assert "Come back tomorrow." in shut.text
    decide(waiting[0])
    assert browser.get("/register").status_code == 503, "it does not flutter"
    decide(waiting[1])
    assert browser.get("/register").status_code == 200


def decide(user_id: int) -> None:
    with transaction():
        approve(db.session.get_one(User, user_id), by=None, level=level("standard"))


@hurried
def test_who_is_known_already_counts_like_who_is_not(browser, a_user):
    """Else a stranger fills the hour up to its last place, and sees whom it is taken by."""
    ada = a_user(approved=True)
    for _ in range(9):
        register(browser, 1, email=ada.email)
    assert browser.get("/register").status_code == 200

    register(browser, 1, email=ada.email)

    assert browser.get("/register").status_code == 503


@pytest.mark.both_databases(everyday="postgresql")
@pytest.mark.settings(PORTAL_REGISTRATION_MOST_AN_HOUR="6", PORTAL_LIMITS_ENABLED="false")
def test_many_at_once_pass_the_end_by_no_more_than_the_workers_under_way(app, new_browser):
    workers, at_once = 4, threading.BoundedSemaphore(4)
    browsers = [new_browser() for _ in range(32)]
    tokens = [browser.token("/register") for browser in browsers]

    def deed(number):
        names = {"username": f"person{number}x", "email": f"person{number}x@example.org"}
        data = {"csrf_token": tokens[number], **filled_in.registration(**names)}

        def send():
            with at_once:
                return browsers[number].post("/register", data=data).status_code

        return send

    answers = together([deed(number) for number in range(32)])

    assert set(answers) == {303, 503}
    assert 6 <= answers.count(303) <= 6 + workers - 1
    assert db.session.scalar(select(func.count(User.id))) == answers.count(303)
    with transaction():
        intake.look()  # as the worker does: of the last ones, none may have seen all others
    assert len(closures()) == 1


def test_asking_whether_it_is_open_reads_indexes(app):
    with plans.asked() as asked:
        assert intake.closed() is None
        intake.purge()

    assert not plans.whole_reads(asked, "users", "registration_attempts")
    assert re.search("registration_attempts", str(asked))
