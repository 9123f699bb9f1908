"""Unanswered: applicants are reminded once, and in the end the staff go on without them (B2)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from portal import clock, notifications
from portal.accounts.approval import approve
from portal.accounts.user import User
from portal.audit import Action
from portal.database import db, locked, transaction
from portal.desk import marks, question, queue, unanswered
from portal.desk.marks import Mark
from portal.desk.queue import Tab
from portal.jobs import rounds
from portal.mail import messages, outbox
from portal.mail.sealing import unseal
from portal.notifications import Kind
from tests.admin_views.panel import entries
from tests.crowd import together
from tests.people import level

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
START = datetime(2026, 3, 2, 12, tzinfo=UTC)


def asked(a_user, by: User, *, language: str = "en") -> User:
    """Somebody who registered at the start, waited for an hour, and was asked something."""
    with clock.at(START):
        user: User = a_user(confirmed=True, language=language)
    with clock.at(START + HOUR), transaction():
        question.ask(locked(User, user.id), by=by, question="Which team?")
    return user


def after(passed: timedelta) -> list[str]:
    """What the round mails so long after the question; it comes twice."""
    before = {mail.id for mail in outbox.waiting()}
    with clock.at(START + HOUR + passed):
        rounds.remind()
        rounds.remind()
    db.session.expire_all()
    return [mail.kind for mail in outbox.waiting() if mail.id not in before]


@pytest.mark.both_databases(everyday="sqlite")
def test_one_reminder_comes_and_then_the_staff_go_on_where_the_clock_stood(a_user, reviewer):
    user = asked(a_user, reviewer)

    mailed = [after(passed) for passed in (3 * DAY - HOUR, 3 * DAY, 13 * DAY, 14 * DAY, 20 * DAY)]

    assert mailed == [[], ["question_reminder"], [], [], []]
    closed = question.latest(user)
    assert closed is not None
    assert closed.closed_at == START + HOUR + 14 * DAY
    assert [row.id for row in queue.page(Tab.READY).rows] == [user.id]
    with clock.at(START + HOUR + 16 * DAY):
        assert user.review.has_waited == HOUR + 2 * DAY
    assert [(entry.by_id, entry.about_id) for entry in entries(Action.QUESTION_CLOSED)] == [
        (None, user.id)
    ]
    assert marks.marks_of([user.id])[user.id] == [Mark.UNANSWERED]
    assert list(notifications.unsettled(9)) == [Kind.UNANSWERED]


def test_the_reminder_repeats_the_question_and_says_until_when_there_is_time(a_user, reviewer):
    asked(a_user, reviewer)
    after(3 * DAY)

    reminder = max(outbox.waiting(), key=lambda mail: mail.id)
    text = unseal(reminder.body or b"").text
    assert "> Which team?" in text
    assert "March 16, 2026" in text


def test_an_answer_in_time_is_the_end_of_it(a_user, reviewer):
    user = asked(a_user, reviewer)
    with clock.at(START + 2 * DAY), transaction():
        question.answer(locked(User, user.id), text="Research")

    assert [after(passed) for passed in (3 * DAY, 30 * DAY)] == [[], []]
    assert entries(Action.QUESTION_CLOSED) == []


def test_an_answer_that_comes_late_counts_and_takes_the_mark_away(a_user, reviewer):
    user = asked(a_user, reviewer)
    for passed in (3 * DAY, 14 * DAY):
        after(passed)
    seen = user.review.version

    with clock.at(START + 20 * DAY), transaction():
        question.answer(locked(User, user.id), text="Research")

    assert marks.marks_of([user.id])[user.id] == []
    assert list(notifications.unsettled(9)) == [Kind.ANSWER]
    assert db.session.get_one(User, user.id).review.version > seen


def test_whoever_is_decided_is_not_reminded(a_user, reviewer):
    user = asked(a_user, reviewer)
    with clock.at(START + DAY), transaction():
        approve(locked(User, user.id), by=reviewer, level=level("standard"))

    assert "question_reminder" not in after(3 * DAY)


def test_a_decision_or_another_question_settles_that_nobody_answered(a_user, reviewer):
    user = asked(a_user, reviewer)
    for passed in (3 * DAY, 14 * DAY):
        after(passed)

    with clock.at(START + 20 * DAY), transaction():
        question.ask(locked(User, user.id), by=reviewer, question="Are you there?")

    assert notifications.unsettled(9) == {}


def test_nobodys_question_is_closed_before_they_were_reminded_and_had_time(a_user, reviewer):
    asked(a_user, reviewer)

    mailed = [after(passed) for passed in (40 * DAY, 51 * DAY - HOUR)]  # no worker until then

    assert mailed == [["question_reminder"], []]
    assert entries(Action.QUESTION_CLOSED) == []
    after(51 * DAY)
    assert len(entries(Action.QUESTION_CLOSED)) == 1


@pytest.mark.settings(PORTAL_DESK_REMIND_AFTER_DAYS="0", PORTAL_DESK_STALE_AFTER_DAYS="5")
def test_without_reminders_a_question_is_closed_in_its_time(a_user, reviewer):
    asked(a_user, reviewer)

    assert after(5 * DAY) == []
    assert len(entries(Action.QUESTION_CLOSED)) == 1


@pytest.mark.settings(PORTAL_DESK_STALE_AFTER_DAYS="0")
def test_a_question_stays_open_where_the_operator_closes_none(a_user, reviewer):
    user = asked(a_user, reviewer)

    assert [after(passed) for passed in (3 * DAY, 90 * DAY)] == [["question_reminder"], []]
    assert [row.id for row in queue.page(Tab.ASKED).rows] == [user.id]
    reminder = max(outbox.waiting(), key=lambda mail: mail.id)
    assert "Without an answer" not in unseal(reminder.body or b"").text


def test_one_account_that_cannot_be_mailed_holds_up_nobody(a_user, reviewer, caplog):
    first, second = asked(a_user, reviewer), asked(a_user, reviewer)
    with transaction():  # what no step leaves behind
        db.session.execute(update(User).where(User.id == first.id).values(email="no address"))

    mailed = after(3 * DAY)

    assert mailed == ["question_reminder"]
    assert outbox.waiting()[-1].user_id == second.id
    assert f"a round failed at account {first.id}" in caplog.text


@pytest.mark.parametrize("language", ["de", "es", "ar"])
def test_applicants_are_reminded_in_their_language(a_user, reviewer, language):
    asked(a_user, reviewer, language=language)
    after(3 * DAY)

    assert max(outbox.waiting(), key=lambda mail: mail.id).language == language


@pytest.mark.both_databases(everyday="postgresql")
@pytest.mark.parametrize("passed", [3 * DAY, 14 * DAY])
def test_two_workers_at_once_do_it_once(app: Flask, a_user, reviewer, passed):
    asked(a_user, reviewer)
    if passed > 3 * DAY:
        after(3 * DAY)
    db.session.remove()
    both = threading.Barrier(2)
    done: list[bool] = []

    def work() -> None:
        with app.app_context(), clock.at(START + HOUR + passed):
            due = unanswered.due(most=9)
            db.session.rollback()
            both.wait(timeout=20)
            for user_id in due:
                with transaction():
                    done.append(unanswered.attend(user_id))

    together([work, work])

    assert sorted(done) == [False, True]
    reminders = [mail for mail in outbox.waiting() if mail.kind == messages.QUESTION_REMINDER]
    assert (len(reminders), len(entries(Action.QUESTION_CLOSED))) == (1, passed > 3 * DAY)
