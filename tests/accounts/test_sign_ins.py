"""What is kept of tries to sign in: enough for the owner, and never more than fits."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from portal import clock
from portal.accounts import sign_ins
from portal.accounts.erasure import erase
from portal.accounts.sign_ins import DECOYS, MOST, Origin, Outcome, SignIn, Tried
from portal.database import db, transaction
from tests import plans

HERE = Origin(network="198.51.100.0/24", agent="Firefox/130 on X11")
ELSEWHERE = Origin(network="203.0.113.0/24", agent="curl/8")


def fail(user, outcome=Outcome.WRONG_PASSWORD, origin=HERE):
    with transaction():
        sign_ins.note_failure(Tried.of(user), outcome, origin=origin)


def come_in(user, origin=HERE):
    with transaction():
        user.login_count = (user.login_count or 0) + 1
        return sign_ins.note_sign_in(user, how=["password"], origin=origin)


def rows():
    return db.session.scalar(select(func.count()).select_from(SignIn))


@pytest.mark.both_databases(everyday="postgresql")
def test_failures_of_one_network_fold_until_the_next_sign_in_which_counts_them(app, a_user):
    ada, eve = a_user(approved=True), a_user(approved=True)
    begin = datetime(2026, 3, 1, 9, tzinfo=UTC)
    with time_machine.travel(begin, tick=False) as moment:
        assert come_in(ada) == 0
        for _ in range(3):
            moment.shift(60)
            fail(ada)
        fail(ada, Outcome.DELAYED)
        fail(ada, origin=ELSEWHERE)
        fail(eve)
        assert come_in(ada) == 5
        fail(ada)
        newest, *_others = sign_ins.latest(ada, 9)
        assert come_in(ada) == 1

    folded = [row for row in sign_ins.latest(ada, 9) if row.times == 3]
    assert [(row.at, row.last_at) for row in folded] == [
        (begin + timedelta(minutes=1), begin + timedelta(minutes=3))
    ]
    assert (newest.outcome, newest.times) == (Outcome.WRONG_PASSWORD, 1)
    assert [row.user_id for row in sign_ins.latest(eve, 9)] == [eve.id]


def test_failures_before_the_very_first_sign_in_are_counted_to_nobody(app, a_user):
    ada = a_user(approved=True)
    fail(ada)

    assert come_in(ada) == 0


@pytest.mark.both_databases(everyday="sqlite")
def test_a_flood_from_everywhere_leaves_as_many_rows_as_an_account_may_have(
    app, a_user, monkeypatch
):
    monkeypatch.setattr(sign_ins, "MOST", 4)
    ada = a_user(approved=True)
    for number in range(6):
        come_in(ada)
        fail(ada, origin=Origin(network=f"198.51.{number}.0/24"))

    found = sign_ins.latest(ada, 99)

    assert [row.failed for row in found].count(True) == 4
    assert [row.failed for row in found].count(False) == 4
    assert {row.number for row in found} == {3, 4, 5, 6}
    assert MOST >= 50


@pytest.mark.both_databases(everyday="postgresql")
def test_a_name_that_nobody_has_costs_the_same_statements_and_leaves_nothing_of_the_try(
    app, a_user
):
    ada = Tried.of(a_user(approved=True))
    with plans.asked() as known, transaction():
        sign_ins.note_failure(ada, Outcome.WRONG_PASSWORD, origin=HERE)
    with plans.asked() as unknown, transaction():
        sign_ins.note_failure(Tried(), Outcome.WRONG_PASSWORD, origin=HERE)

    assert [text for text, _ in known] == [text for text, _ in unknown]
    with transaction():
        for _ in range(200):
            sign_ins.note_failure(Tried(), Outcome.WRONG_PASSWORD, origin=ELSEWHERE)
    decoys = db.session.scalars(select(SignIn).where(SignIn.user_id.is_(None))).all()
    assert 1 < len(decoys) <= DECOYS
    assert {(row.network, row.agent) for row in decoys} == {("", "")}


def test_what_is_kept_goes_after_its_time_and_with_the_account(app, a_user):
    ada, eve = a_user(approved=True), a_user(confirmed=True)
    with time_machine.travel(clock.now() - timedelta(days=181)):
        fail(ada)
    come_in(ada)
    come_in(eve)

    sign_ins.purge()

    assert [row.outcome for row in sign_ins.latest(ada, 9)] == [Outcome.OK]
    with transaction():
        erase(eve, by=None)
    assert rows() == 1


@pytest.mark.both_databases(everyday="sqlite")
def test_a_page_of_it_reads_an_index(app, a_user):
    ada = a_user(approved=True)
    come_in(ada)

    with plans.asked() as asked:
        sign_ins.page(ada)

    assert plans.whole_reads(asked, "sign_ins") == []
    assert plans.sorts(asked) == []
