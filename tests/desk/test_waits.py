"""Waits: what applicants are told of the wait is what this desk's own decisions took (B1)."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from portal import clock
from portal.accounts.approval import approve, reject
from portal.accounts.user import User
from portal.database import db, locked, transaction
from portal.desk.undo import undo
from portal.desk.waits import UsualWait, usual_wait
from tests import plans
from tests.pages.letters import texts_to
from tests.people import level, person

pytestmark = pytest.mark.both_databases(everyday="postgresql")

NOON = clock.now().replace(microsecond=0)


def decide_after(a_user, waited: timedelta, *, at=NOON, confirmed: bool = True) -> User:
    """Somebody whose registration was decided then, having waited so long."""
    with time_machine.travel(at - waited, tick=False):
        user = a_user(confirmed=confirmed)
    with time_machine.travel(at, tick=False), transaction():
        found = locked(User, user.id)
        assert found is not None
        if confirmed:
            approve(found, by=None, level=level("standard"))
        else:
            reject(found, by=None)
    return user


def told(at=NOON) -> UsualWait | None:
    with time_machine.travel(at, tick=False):
        return usual_wait()


def test_half_and_nine_of_ten_are_told_from_ten_decisions_on(a_user):
    for hours in range(9, 0, -1):
        decide_after(a_user, timedelta(hours=hours))
    assert told() is None, "of nine, one is more than a tenth"

    decide_after(a_user, timedelta(hours=100))

    assert told() == UsualWait(timedelta(hours=5), timedelta(hours=9), decisions=10)


def test_what_is_long_ago_does_not_count(a_user):
    for _ in range(10):
        decide_after(a_user, timedelta(hours=1))

    assert told(NOON + timedelta(days=90)) is not None
    assert told(NOON + timedelta(days=90, seconds=1)) is None


def test_nobody_waited_who_was_rejected_unconfirmed(a_user):
    """Spam that is cleared away at once would make the figure better than it is."""
    for _ in range(10):
        decide_after(a_user, timedelta(hours=4))
    for _ in range(20):
        decide_after(a_user, timedelta(hours=4), confirmed=False)

    assert told() == UsualWait(timedelta(hours=4), timedelta(hours=4), decisions=10)


def test_a_decision_that_was_undone_does_not_count(a_user, reviewer):
    for _ in range(10):
        last = decide_after(a_user, timedelta(hours=1))

    with time_machine.travel(NOON, tick=False), transaction():
        found = locked(User, last.id)
        assert found is not None
        undo(found, by=reviewer)

    assert told() is None


def test_the_newest_decisions_count_and_an_index_leads_to_them(a_user, monkeypatch):
    monkeypatch.setattr("portal.desk.waits.MOST", 10)
    for day in range(3):
        decide_after(a_user, timedelta(days=30), at=NOON - timedelta(days=day + 1))
    for _ in range(10):
        decide_after(a_user, timedelta(minutes=30))

    with plans.asked() as found:
        usual = told()

    assert usual == UsualWait(timedelta(minutes=30), timedelta(minutes=30), decisions=10)
    assert len(found) == 1
    assert plans.whole_reads(found, "decisions") == []
    assert plans.sorts(found) == []
    db.session.rollback()


def test_the_mail_and_the_page_of_who_waits_say_it_in_round_words(a_user, browser):
    for minutes in (*range(70, 70 + 8), 47 * 60, 90 * 60):
        decide_after(a_user, timedelta(minutes=minutes), at=clock.now())
    ada = a_user(email="ada@example.org", confirmed=True)
    browser.sign_in(person(ada))

    page, mail = browser.get("/status").text, texts_to("ada@example.org")

    sentence = "Half of the requests are decided within 2 hours, nine of ten within 2 days."
    assert sentence in page
    assert sentence in mail
    assert "longer than most" not in page


def test_nothing_is_promised_where_too_little_is_known(a_user, browser):
    for _ in range(9):
        decide_after(a_user, timedelta(hours=1), at=clock.now())
    ada = a_user(email="ada@example.org", confirmed=True)
    browser.sign_in(person(ada))

    assert "decided within" not in browser.get("/status").text
    assert "decided within" not in texts_to("ada@example.org")


def test_who_waits_longer_than_most_is_told_so_and_that_nothing_is_lost(a_user, browser):
    for _ in range(10):
        decide_after(a_user, timedelta(hours=1), at=clock.now())
    with time_machine.travel(clock.now() - timedelta(hours=2), tick=False):
        ada = a_user(confirmed=True)
    browser.sign_in(person(ada))

    page = browser.get("/status").text

    assert "Nine of ten requests are decided within 1 hour." in page
    assert "Yours waits longer than most." in page
