"""Closures: who can act on it is mailed once that nobody can register, as they like to be told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal import clock
from portal.accounts import intake
from portal.accounts.approval import approve
from portal.accounts.intake import Closure
from portal.accounts.user import User
from portal.database import db, locked, transaction
from portal.desk import workplace
from portal.jobs import rounds
from portal.mail import outbox
from portal.mail.sealing import unseal
from tests.crowd import together
from tests.people import level

NOON = datetime(2026, 3, 16, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
KIND = "registration_closed"

pytestmark = pytest.mark.settings(
    PORTAL_REGISTRATION_MOST_AN_HOUR="3", PORTAL_REGISTRATION_MOST_WAITING="5"
)


def hurry(at: datetime = NOON) -> None:
    """Let as many register at once as may in an hour."""
    with clock.at(at), transaction():
        for _ in range(3):
            intake.note()


def go_on_coming(since: datetime, until: datetime) -> None:
    """Let so many come all the time that it does not open in between."""
    while since < until:
        since += HOUR / 2
        hurry(since)


def told(at: datetime) -> list[tuple[str, str]]:
    """Whom the worker mails at a moment, and about what."""
    db.session.rollback()
    before = {mail.id for mail in outbox.waiting()}
    with clock.at(at):
        rounds.look_at_intake()
        rounds.tell()
    db.session.expire_all()
    new = (mail for mail in outbox.waiting() if mail.id not in before)
    return sorted((mail.kind, str(mail.recipient)) for mail in new)


def text_of(kind: str, recipient: Any) -> str:
    mails = [m for m in outbox.waiting() if (m.kind, m.recipient) == (kind, recipient)]
    return " ".join(unseal(max(mails, key=lambda mail: mail.id).body).text.split())


def choose(user: User, **wanted: Any) -> None:
    with clock.at(NOON - HOUR), transaction():
        mine = locked(User, user.id)
        assert mine is not None
        workplace.choose(mine, **wanted)


@pytest.mark.both_databases(everyday="sqlite")
def test_who_may_review_is_told_once_and_nobody_when_it_opens(people, a_user):
    staff = [people.staff(role) for role in ("reviewer", "manager", "administrator")]
    a_user(approved=True)
    hurry()

    found = told(NOON + MINUTE)

    assert found == sorted((KIND, str(member.email)) for member in staff)
    text = text_of(KIND, staff[0].email)
    assert "Too many registered within an hour." in text
    assert "/admin/registrations/" in text
    assert "/admin/workplace/" in text
    assert told(NOON + 2 * MINUTE) == []
    assert told(NOON + 2 * HOUR) == [], "it is open again"
    assert db.session.scalars(select(Closure)).one().opened_at is not None
    hurry(NOON + 3 * HOUR)
    assert told(NOON + 3 * HOUR + MINUTE) == found, "another closure"


def test_it_says_what_there_is_to_do_where_too_many_wait(people):
    reviewer = people.staff("reviewer")
    with clock.at(NOON - DAY):
        ids = people.crowd(5)
    with transaction():
        locked(User, reviewer.id).reviewer_told_at = NOON - MINUTE

    assert told(NOON) == [(KIND, reviewer.email)]
    assert "Decide about some of them" in text_of(KIND, reviewer.email)
    with transaction():
        for user_id in ids[:2]:
            approve(locked(User, user_id), by=None, level=level("standard"))
    assert told(NOON + MINUTE) == []


def test_each_reads_it_in_their_own_language(people):
    reviewer = people.staff("reviewer")
    with transaction():
        locked(User, reviewer.id).language = "de"
    hurry()

    told(NOON + MINUTE)

    assert "kann sich bei Portal niemand registrieren" in text_of(KIND, reviewer.email)


def test_who_wants_no_mail_gets_none_and_who_wants_one_a_day_reads_it_there(people):
    silent, daily = people.staff("reviewer"), people.staff("reviewer")
    choose(silent, notice="none")
    choose(daily, notice="digest", digest_hour=8)
    hurry()
    assert told(NOON + MINUTE) == []

    morning = NOON + 20 * HOUR
    go_on_coming(NOON, morning)
    assert told(morning) == [("digest", daily.email)]
    assert "Nobody has been able to register at Portal since" in text_of("digest", daily.email)
    go_on_coming(morning, morning + DAY)
    assert len(db.session.scalars(select(Closure)).all()) == 1
    assert told(morning + DAY) == [], "no digest for that alone, once it was told"


def test_in_quiet_hours_it_waits_and_is_left_out_where_it_is_open_by_then(people):
    reviewer = people.staff("reviewer")
    choose(reviewer, quiet_from=12, quiet_until=13)
    hurry(NOON + 30 * MINUTE)
    assert told(NOON + 31 * MINUTE) == []
    assert told(NOON + HOUR) == [(KIND, reviewer.email)]

    choose(reviewer, quiet_from=12, quiet_until=18)
    hurry(NOON + DAY)
    assert told(NOON + DAY + MINUTE) == []
    assert told(NOON + DAY + 6 * HOUR) == []


def test_it_takes_the_place_of_no_mail_about_who_waits(people, a_user):
    reviewer = people.staff("reviewer")
    with clock.at(NOON):
        a_user(confirmed=True)
    assert told(NOON) == [("registrations_waiting", reviewer.email)]
    hurry(NOON + MINUTE)

    assert told(NOON + 2 * MINUTE) == [(KIND, reviewer.email)]

    kinds = sorted(mail.kind for mail in outbox.waiting() if mail.recipient == reviewer.email)
    assert kinds == [KIND, "registrations_waiting"]


@pytest.mark.both_databases(everyday="postgresql")
def test_of_workers_that_look_at_the_same_moment_one_tells(app, people):
    reviewer = people.staff("reviewer")
    hurry()
    with clock.at(NOON):
        rounds.look_at_intake()

    def round_of_one() -> None:
        with app.app_context(), clock.at(NOON + MINUTE):
            rounds.tell()

    together([round_of_one] * 4)

    db.session.rollback()
    mails = [mail.kind for mail in outbox.waiting() if mail.recipient == reviewer.email]
    assert mails == [KIND]
