"""Questions: staff ask first, the clock stands still, the answer brings the request back (B2)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal import clock, notifications
from portal.accounts.approval import approve
from portal.accounts.erasure import erase
from portal.accounts.user import Status, User
from portal.audit import Action
from portal.database import db, locked, transaction
from portal.desk import question, queue, review
from portal.desk.queue import Tab
from portal.errors import AlreadyDecided, StepRefused
from portal.mail import outbox
from portal.notifications import Kind
from tests.admin_views.panel import entries
from tests.people import level

pytestmark = pytest.mark.both_databases(everyday="sqlite")

HOUR = timedelta(hours=1)


def ask(user: User, by: User, what: str = "Which team?") -> None:
    with transaction():
        question.ask(locked(User, user.id), by=by, question=what)


def answer(user: User, what: str = "Research") -> None:
    with transaction():
        question.answer(locked(User, user.id), text=what)


def whose(tab: Tab) -> list[int]:
    db.session.expire_all()
    return [user.id for user in queue.page(tab).rows]


def test_a_question_hands_the_request_to_the_applicant_with_a_mail(a_user, reviewer):
    user = a_user(confirmed=True)

    ask(user, reviewer)

    assert (whose(Tab.READY), whose(Tab.ASKED)) == ([], [user.id])
    assert outbox.waiting()[-1].kind == "question"
    assert [entry.details for entry in entries(Action.ASKED)] == [{}]
    assert notifications.unsettled(9) == {}


def test_an_answer_brings_it_back_to_where_it_stood_without_the_time_it_took(a_user, reviewer):
    start = clock.now() - 10 * HOUR
    with clock.at(start):
        user = a_user(confirmed=True)
    with clock.at(start + 2 * HOUR):
        ask(user, reviewer)
    with clock.at(start + 7 * HOUR):
        answer(user)

    db.session.expire_all()
    waited = user.review.has_waited

    assert timedelta(0) <= waited - 5 * HOUR < timedelta(minutes=1)
    assert whose(Tab.READY) == [user.id]
    assert list(notifications.unsettled(9)) == [Kind.ANSWER]


def test_the_queue_shows_the_longest_waiting_first_whatever_happened_between(a_user, reviewer):
    start = clock.now() - 10 * HOUR
    with clock.at(start):
        slow = a_user(confirmed=True)
        ask(slow, reviewer)
    with clock.at(start + HOUR):
        quick = a_user(confirmed=True)
    with clock.at(start + 3 * HOUR):
        answer(slow)

    assert whose(Tab.READY) == [quick.id, slow.id]


def test_only_one_question_is_open_at_a_time(a_user, reviewer):
    user = a_user(confirmed=True)
    ask(user, reviewer)

    with pytest.raises(StepRefused, match="waits for an answer"):
        ask(user, reviewer, "And why?")


def test_the_same_answer_again_is_quiet_and_another_one_refused(a_user, reviewer):
    user = a_user(confirmed=True)
    ask(user, reviewer)
    answer(user)

    answer(user)
    with pytest.raises(StepRefused, match="no question"):
        answer(user, "Something else")

    assert len(entries(Action.ANSWERED)) == 1


@pytest.mark.parametrize("facts", [{}, {"approved": True}, {"rejected": True}])
def test_only_those_who_wait_can_be_asked(a_user, reviewer, facts):
    user = a_user(**facts)

    with pytest.raises(StepRefused, match="wait for a decision"):
        ask(user, reviewer)


def test_deciding_without_an_answer_closes_the_question(a_user, reviewer):
    user = a_user(confirmed=True)
    ask(user, reviewer)

    with transaction():
        approve(locked(User, user.id), by=reviewer, level=level("standard"))

    asked = question.latest(user)
    assert asked is not None
    assert asked.closed_at is not None
    assert whose(Tab.ASKED) == []
    with pytest.raises(StepRefused):
        answer(user)


def test_whoever_saw_the_request_before_the_answer_is_told_to_look_again(a_user, reviewer):
    user = a_user(confirmed=True)
    ask(user, reviewer)
    seen = user.review.version
    answer(user)

    with pytest.raises(AlreadyDecided, match="Answered the question"):
        review.must_be_as_seen(db.session.get_one(User, user.id), seen)


def test_what_was_asked_and_answered_goes_with_the_account(a_user, reviewer):
    user = a_user(confirmed=True)
    ask(user, reviewer)
    answer(user)

    with transaction():
        erase(locked(User, user.id), by=None)

    assert question.questions_of(user) == []
    assert db.session.get_one(User, user.id).status is Status.ERASED
