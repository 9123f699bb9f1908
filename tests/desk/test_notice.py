"""Notices: staff are told of what waits as each of them likes to be, and not more often (M10)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from portal import clock
from portal.accounts.approval import approve
from portal.accounts.suspension import suspend
from portal.accounts.user import User
from portal.audit import Action
from portal.database import db, locked, transaction
from portal.desk import note, notice, question, workplace
from portal.desk.workplace import Notice, Workplace
from portal.errors import StepRefused
from portal.jobs import rounds
from portal.mail import listing, outbox
from portal.mail.listing import Shelf
from portal.mail.sealing import unseal
from tests import plans
from tests.admin_views.panel import entries
from tests.crowd import together
from tests.people import level

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOON = datetime(2026, 3, 16, 12, tzinfo=UTC)  # a Monday


def told(at: datetime) -> list[tuple[str, str]]:
    """Whom the round mails at a moment, and about what."""
    before = {mail.id for mail in outbox.waiting()}
    with clock.at(at):
        rounds.tell()
    db.session.expire_all()
    return sorted(
        (mail.kind, str(mail.recipient)) for mail in outbox.waiting() if mail.id not in before
    )


def kinds(at: datetime) -> list[str]:
    return [kind for kind, _to in told(at)]


def newest_text() -> str:
    mail = max(outbox.waiting(), key=lambda mail: mail.id)
    assert mail.body is not None
    return " ".join(unseal(mail.body).text.split())


def confirmed(a_user: Callable[..., User], at: datetime) -> User:
    with clock.at(at):
        return a_user(confirmed=True)


def choose(user: User, *, at: datetime = NOON, zone: str = "", **wanted: Any) -> None:
    with clock.at(at), transaction():
        mine = locked(User, user.id)
        assert mine is not None
        mine.time_zone = zone
        workplace.choose(mine, **wanted)


@pytest.mark.both_databases(everyday="sqlite")
def test_everybody_who_may_review_is_told_how_many_wait(a_user, people):
    staff = [people.staff(role) for role in ("reviewer", "manager", "administrator")]
    for _ in range(3):
        confirmed(a_user, NOON)
    a_user()
    a_user(approved=True)

    found = told(NOON + MINUTE)

    assert found == sorted(("registrations_waiting", member.email) for member in staff)
    assert "3 people at Portal have confirmed" in newest_text()
    assert "/admin/registrations/" in newest_text()
    assert "/admin/workplace/" in newest_text()


def test_one_member_of_staff_who_cannot_be_mailed_keeps_no_other_from_being_told(
    a_user, people, caplog
):
    first, second = people.staff("reviewer"), people.staff("reviewer")
    confirmed(a_user, NOON)
    with transaction():  # what no step leaves behind
        db.session.execute(update(User).where(User.id == first.id).values(email="no address"))

    assert told(NOON) == [("registrations_waiting", second.email)]
    assert f"a round failed at account {first.id}" in caplog.text


def test_nobody_is_told_when_nobody_waits(a_user, people):
    staff = people.staff("reviewer")
    a_user(approved=True)
    ada, asked = confirmed(a_user, NOON), confirmed(a_user, NOON)
    with clock.at(NOON), transaction():
        approve(locked(User, ada.id), by=staff, level=level("standard"))
        question.ask(locked(User, asked.id), by=staff, question="Which team?")

    assert told(NOON + MINUTE) == []


def test_nobody_is_told_twice_of_the_same_people(a_user, reviewer):
    confirmed(a_user, NOON)

    assert [len(told(NOON + after)) for after in (MINUTE, 12 * MINUTE, DAY)] == [1, 0, 0]


def test_who_came_within_ten_minutes_is_in_the_next_mail(a_user, reviewer):
    confirmed(a_user, NOON)
    assert len(told(NOON)) == 1
    confirmed(a_user, NOON + 2 * MINUTE)

    assert told(NOON + 3 * MINUTE) == []
    assert len(told(NOON + 11 * MINUTE)) == 1
    assert "2 people" in newest_text()


def test_an_answer_is_told_like_somebody_new(a_user, reviewer):
    ada = confirmed(a_user, NOON)
    assert len(told(NOON)) == 1
    with clock.at(NOON + HOUR), transaction():
        question.ask(locked(User, ada.id), by=reviewer, question="Which team?")
    assert told(NOON + 2 * HOUR) == []
    with clock.at(NOON + 3 * HOUR), transaction():
        question.answer(locked(User, ada.id), text="Research")

    assert kinds(NOON + 4 * HOUR) == ["registrations_waiting"]


def test_a_mention_is_told_to_whom_it_is_for(a_user, people):
    ada, by, grace = a_user(), people.staff("reviewer"), people.staff("reviewer")
    with clock.at(NOON), transaction():
        note.write(locked(User, ada.id), by=by, text=f"@{grace.username}")

    assert told(NOON) == [("registrations_waiting", grace.email)]
    assert "A colleague mentions you in a note about 1 person." in newest_text()


def test_who_is_suspended_or_may_not_review_is_not_told(a_user, people, administrator):
    gone = people.staff("reviewer")
    with transaction():
        suspend(locked(User, gone.id), by=administrator)
    confirmed(a_user, NOON)

    assert [to for _kind, to in told(NOON)] == [administrator.email]


def test_who_wants_no_mail_gets_none(a_user, reviewer):
    choose(reviewer, notice=Notice.NONE.value)
    confirmed(a_user, NOON - 10 * DAY)

    assert told(NOON) == []


def test_quiet_hours_go_over_midnight_and_what_came_in_them_is_told_after(a_user, reviewer):
    choose(reviewer, zone="Europe/Berlin", quiet_from=22, quiet_until=7)
    confirmed(a_user, NOON + 9 * HOUR)  # ten in the evening in Berlin

    nights = [NOON + 9 * HOUR, NOON + 11 * HOUR, NOON + 18 * HOUR - MINUTE]
    assert [told(moment) for moment in nights] == [[], [], []]
    assert len(told(NOON + 18 * HOUR)) == 1


@pytest.mark.parametrize(
    ("quiet_from", "quiet_until", "quiet"),
    [(22, 7, {22, 23, *range(7)}), (9, 12, {9, 10, 11}), (0, 0, set()), (5, 5, set())],
)
def test_quiet_hours_begin_with_the_first_and_end_before_the_last(quiet_from, quiet_until, quiet):
    place = Workplace(quiet_from=quiet_from, quiet_until=quiet_until)

    assert {hour for hour in range(24) if place.is_quiet(hour)} == quiet


def test_quiet_hours_follow_the_clock_on_the_wall_when_it_is_changed(a_user, reviewer):
    choose(reviewer, zone="Europe/Berlin", quiet_from=22, quiet_until=7)
    summer = datetime(2026, 3, 29, tzinfo=UTC)  # clocks go from two to three at one in UTC
    confirmed(a_user, summer)

    assert told(summer + 4 * HOUR + 59 * MINUTE) == []
    assert len(told(summer + 5 * HOUR)) == 1


def test_a_digest_comes_once_a_day_at_its_hour_wherever_one_is(a_user, reviewer):
    choose(reviewer, zone="Asia/Kolkata", notice=Notice.DIGEST.value, digest_hour=9, at=NOON)
    with clock.at(NOON):
        for _ in range(2):
            a_user(confirmed=True)
    nine = datetime(2026, 3, 17, 3, 30, tzinfo=UTC)  # nine o'clock in Kolkata

    found = [kinds(moment) for moment in (NOON, nine - MINUTE, nine, nine + 5 * HOUR, nine + DAY)]

    assert found == [[], [], ["digest"], [], ["digest"]]
    assert "2 registrations are ready to review." in newest_text()
    assert "/admin/workplace/" in newest_text()


@pytest.mark.parametrize(
    ("change", "hour"),
    [
        (datetime(2026, 3, 29, tzinfo=UTC), 2),  # an hour that is left out
        (datetime(2026, 10, 25, tzinfo=UTC), 2),  # and one that comes twice
    ],
)
def test_a_digest_comes_once_also_on_the_day_on_which_clocks_are_changed(
    a_user, reviewer, change, hour
):
    before = change - 12 * HOUR
    choose(reviewer, zone="Europe/Berlin", notice=Notice.DIGEST.value, digest_hour=hour, at=before)
    confirmed(a_user, before)

    found = [kinds(change + step * MINUTE * 30) for step in range(24)]

    assert [each for each in found if each] == [["digest"]]


def test_a_digest_tells_of_answers_mentions_and_who_waits_too_long(a_user, people):
    by, grace = people.staff("reviewer"), people.staff("reviewer")
    choose(grace, notice=Notice.DIGEST.value, digest_hour=8, at=NOON - 4 * DAY)
    ada = confirmed(a_user, NOON - 3 * DAY)
    with clock.at(NOON - 3 * DAY), transaction():
        question.ask(locked(User, ada.id), by=by, question="Which team?")
        question.answer(locked(User, ada.id), text="Research")
        note.write(locked(User, ada.id), by=by, text=f"@{grace.username}")

    assert ("digest", grace.email) in told(NOON)

    digest = next(mail for mail in outbox.waiting() if mail.kind == "digest")
    text = " ".join(unseal(digest.body or b"").text.split())
    assert "1 registration is ready to review." in text
    assert "1 person has waited for too long." in text
    assert "1 applicant has answered a question." in text
    assert "A colleague mentions you in a note about 1 person." in text


def test_a_day_on_which_nothing_waits_has_no_digest_and_no_late_one(a_user, reviewer):
    choose(reviewer, notice=Notice.DIGEST.value, digest_hour=8, at=NOON - DAY)
    assert told(NOON) == []

    confirmed(a_user, NOON + HOUR)

    assert told(NOON + 2 * HOUR) == []
    assert kinds(NOON + DAY) == ["digest"]


def test_a_digest_in_the_quiet_hours_is_refused(reviewer):
    with pytest.raises(StepRefused, match="quiet hours"):
        choose(reviewer, notice=Notice.DIGEST.value, digest_hour=23, quiet_from=22, quiet_until=6)


def test_who_waits_too_long_is_told_once_a_day(a_user, reviewer):
    confirmed(a_user, NOON - 49 * HOUR)

    moments = [NOON, NOON + 5 * HOUR, NOON + DAY - MINUTE, NOON + DAY]
    assert [kinds(moment) for moment in moments] == [
        ["registrations_overdue"],
        [],
        [],
        ["registrations_overdue"],
    ]
    assert "1 person at Portal has waited for longer than 2 days." in newest_text()


def test_nobody_is_told_twice_within_ten_minutes_whatever_it_is_about(a_user, reviewer):
    confirmed(a_user, NOON - 48 * HOUR + 5 * MINUTE)
    confirmed(a_user, NOON)

    moments = [NOON, NOON + 6 * MINUTE, NOON + 11 * MINUTE]
    assert [kinds(moment) for moment in moments] == [
        ["registrations_waiting"],
        [],
        ["registrations_overdue"],
    ]


@pytest.mark.settings(PORTAL_DESK_OVERDUE_AFTER_HOURS="0")
def test_nobody_is_reminded_where_the_operator_wants_no_reminders(a_user, reviewer):
    confirmed(a_user, NOON - 90 * DAY)
    told(NOON - 90 * DAY)

    assert told(NOON) == []


def test_a_mail_that_still_waits_gives_way_to_the_next_one(a_user, reviewer):
    confirmed(a_user, NOON)
    told(NOON)
    confirmed(a_user, NOON + HOUR)

    told(NOON + HOUR)

    waits = [mail for mail in outbox.waiting() if mail.kind in notice.LETTERS]
    assert len(waits) == 1
    assert [mail.kind for mail in listing.page(Shelf.DROPPED).rows] == ["registrations_waiting"]


@pytest.mark.both_databases(everyday="postgresql")
def test_of_two_workers_at_once_one_tells(app: Flask, a_user, reviewer):
    confirmed(a_user, NOON)
    db.session.remove()
    both = threading.Barrier(2)

    def work() -> None:
        with app.app_context(), clock.at(NOON + MINUTE):
            due = notice.due()
            db.session.rollback()
            both.wait(timeout=20)
            for user_id in due:
                with transaction():
                    notice.tell(user_id)

    together([work, work])

    assert [mail.kind for mail in outbox.waiting() if mail.kind in notice.LETTERS] == [
        "registrations_waiting"
    ]


@pytest.mark.both_databases(everyday="sqlite")
def test_a_round_that_finds_nobody_asks_as_little_for_many_as_for_few(people):
    people.staff("reviewer")
    with plans.asked() as for_one:
        notice.due()
    for _ in range(5):
        people.staff("reviewer")

    with plans.asked() as for_many:
        notice.due()

    assert len(for_many) == len(for_one) <= 9


def test_what_was_chosen_stands_in_the_trail_by_its_name(reviewer):
    choose(reviewer, notice=Notice.DIGEST.value, quiet_from=0, single_keys=False)
    choose(reviewer, notice=Notice.DIGEST.value, single_keys=False)

    changes = [entry.details for entry in entries(Action.PREFERENCES_CHANGED)]
    assert changes == [{"changed": ["notice", "single_keys"]}]
    assert workplace.of(db.session.get_one(User, reviewer.id)).single_keys is False
