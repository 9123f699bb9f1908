"""Claims: colleagues see who is looking at a registration, until that lapses."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import time_machine

from portal import clock
from portal.accounts.user import User
from portal.database import db, transaction
from portal.desk import claim as claims
from portal.desk.claim import Claim
from tests import plans
from tests.crowd import together

NOON = datetime.fromisoformat("2026-05-04T12:00:00+00:00")


@pytest.fixture(autouse=True)
def noon():
    """A clock that stands still until a test moves it."""
    with time_machine.travel(NOON, tick=False) as clock_hands:
        yield clock_hands


@pytest.fixture
def ada(a_user) -> User:
    return a_user(full_name="Ada", confirmed=True)


@pytest.fixture
def colleague(people) -> User:
    return people.staff("reviewer")


def look(user: User, by: User) -> None:
    with transaction():
        claims.hold(user.id, by_id=by.id)


def holder(user: User) -> User | None:
    found = claims.held([user.id]).get(user.id)
    return found.by if found else None


@pytest.mark.both_databases(everyday="sqlite")
def test_whoever_looks_is_seen_by_colleagues_and_since_when(ada, reviewer, noon):
    look(ada, reviewer)
    noon.shift(60)
    look(ada, reviewer)

    noon.shift(60)

    claim = claims.held([ada.id])[ada.id]
    assert (claim.by, claim.since, claim.lasts) == (reviewer, NOON, timedelta(minutes=2))


@pytest.mark.both_databases(everyday="sqlite")
def test_what_a_colleague_looks_at_stays_theirs(ada, reviewer, colleague, noon):
    look(ada, reviewer)
    noon.shift(119)

    look(ada, colleague)

    assert holder(ada) == reviewer


@pytest.mark.both_databases(everyday="sqlite")
def test_a_claim_lapses_and_then_anybody_has_it_who_looks(ada, reviewer, colleague, noon):
    look(ada, reviewer)
    noon.shift(120)
    assert holder(ada) is None

    look(ada, colleague)

    assert holder(ada) == colleague
    assert claims.held([ada.id])[ada.id].since == clock.now()


def test_whoever_comes_back_after_the_lapse_begins_anew(ada, reviewer, noon):
    look(ada, reviewer)
    noon.shift(600)

    look(ada, reviewer)

    assert claims.held([ada.id])[ada.id].lasts == timedelta(0)


@pytest.mark.both_databases(everyday="sqlite")
def test_it_is_taken_over_on_purpose_alone(ada, reviewer, colleague):
    look(ada, reviewer)

    with transaction():
        claims.hold(ada.id, by_id=colleague.id, take=True)
    look(ada, reviewer)

    assert holder(ada) == colleague


def test_taking_over_what_is_ones_own_goes_on(ada, reviewer, noon):
    look(ada, reviewer)
    noon.shift(60)

    with transaction():
        claims.hold(ada.id, by_id=reviewer.id, take=True)

    assert claims.held([ada.id])[ada.id].since == NOON


def test_one_releases_ones_own_and_no_colleagues(ada, reviewer, colleague):
    look(ada, reviewer)

    with transaction():
        claims.release(ada.id, by_id=colleague.id)
    assert holder(ada) == reviewer
    with transaction():
        claims.release(ada.id, by_id=reviewer.id)

    assert holder(ada) is None


def test_what_is_decided_is_not_claimed(a_user, reviewer):
    decided = [a_user(approved=True), a_user(rejected=True), a_user(suspended=True)]

    for user in decided:
        look(user, reviewer)

    assert claims.held([user.id for user in decided]) == {}


@pytest.mark.both_databases(everyday="sqlite")
def test_many_are_asked_about_in_one_query(a_user, reviewer):
    waiting = [a_user(confirmed=True) for _ in range(5)]
    for user in waiting[:3]:
        look(user, reviewer)
    db.session.expire_all()
    ids = [user.id for user in waiting]

    with plans.asked() as asked:
        found = claims.held(ids)
        names = {claim.by.full_name for claim in found.values()}

    assert set(found) == {user.id for user in waiting[:3]}
    assert names == {reviewer.full_name}
    assert len(asked) == 1
    assert claims.held([]) == {}


@pytest.mark.both_databases(everyday="sqlite")
def test_those_who_look_at_something_now_are_found_by_name(a_user, people, noon):
    zoe, ann, late = (people.staff("reviewer") for _ in range(3))
    first, second, third = (a_user(confirmed=True) for _ in range(3))
    look(first, late)
    noon.shift(120)
    with transaction():
        for user, name in ((zoe, "Zoe"), (ann, "Ann")):
            db.session.get_one(User, user.id).full_name = name
    look(second, zoe)
    look(third, ann)
    look(first, ann)

    with plans.asked() as asked:
        found = claims.lookers()

    assert [user.full_name for user in found] == ["Ann", "Zoe"]
    assert len(asked) == 1
    assert plans.whole_reads(asked, "users") == []


@pytest.mark.both_databases(everyday="postgresql")
def test_of_two_who_begin_to_look_at_once_one_has_it(app, ada, reviewer, colleague):
    def looks(user_id: int, by_id: int):
        def deed() -> None:
            with app.app_context(), transaction():
                user, by = db.session.get_one(User, user_id), db.session.get_one(User, by_id)
                claims.hold(user.id, by_id=by.id)

        return deed

    together([looks(ada.id, by) for by in (reviewer.id, colleague.id) * 4])

    assert db.session.scalar(db.select(db.func.count()).select_from(Claim)) == 1
    assert holder(ada) in (reviewer, colleague)
