"""Waiting: how much there is to do, by kind, for badges and tiles."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal import clock
from portal.accounts.user import User
from portal.database import locked, transaction
from portal.desk import note, question, waiting
from portal.desk.waiting import Waiting

pytestmark = pytest.mark.both_databases(everyday="sqlite")


def test_each_kind_is_counted_for_itself(a_user, people):
    grace, by = people.staff("reviewer"), people.staff("reviewer")
    with clock.at(clock.now() - timedelta(hours=49)):
        old = a_user(confirmed=True)
    answered, asked = a_user(confirmed=True), a_user(confirmed=True)
    a_user(approved=True)
    with transaction():
        for user in (answered, asked):
            question.ask(locked(User, user.id), by=by, question="Which team?")
        question.answer(locked(User, answered.id), text="Research")
        note.write(locked(User, old.id), by=by, text=f"@{grace.username}")

    found = waiting.counts(*Waiting, whom=grace)

    assert found == {
        Waiting.READY: 2,
        Waiting.OVERDUE: 1,
        Waiting.ANSWERED: 1,
        Waiting.MENTIONS: 1,
    }
    assert waiting.counts(Waiting.MENTIONS, whom=by) == {Waiting.MENTIONS: 0}


@pytest.mark.settings(PORTAL_DESK_OVERDUE_AFTER_HOURS="0")
def test_nothing_is_ever_overdue_where_the_operator_says_so(a_user):
    with clock.at(clock.now() - timedelta(days=400)):
        a_user(confirmed=True)

    assert waiting.counts(Waiting.OVERDUE) == {Waiting.OVERDUE: 0}
