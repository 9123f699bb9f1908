"""Traces: when a registration leaves them, and that they are the same on every way."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from portal.accounts.confirmation import confirm_by_hand, note_confirmed
from portal.accounts.erasure import erase
from portal.accounts.registration import Application, correct, correct_address, register
from portal.accounts.user import Communication, User
from portal.database import db, locked, transaction
from portal.desk import traces
from portal.desk.review import Review
from portal.desk.traces import RequestTrace, Trace
from portal.jobs import rounds
from tests import plans
from tests.people import password_hash

pytestmark = pytest.mark.both_databases(everyday="sqlite")

REASON = "I work in the research group of Professor Hopper and need the translator every day."
ALL = {
    Trace.DOMAIN,
    Trace.THROWAWAY,
    Trace.MAILBOX,
    Trace.NETWORK,
    Trace.NAME,
    Trace.REASON,
    Trace.HASTY,
    Trace.ADDRESS_FINGERPRINT,
    Trace.NAME_FINGERPRINT,
}


def registered(**said: Any) -> int:
    facts: dict[str, Any] = {
        "full_name": "Ada Lovelace",
        "username": "ada",
        "email": "ada@mailinator.com",
        "password_hash": password_hash(),
        "language": "en",
        "time_zone": "",
        "communication": Communication.ALL,
        "reason": REASON,
        "terms_version": "1",
        "network_address": "203.0.113.5",
        "seconds_to_fill_in": 1,
    }
    with transaction():
        user = register(Application(**{**facts, **said}))
        assert user is not None
        return user.id


def traced(user_id: int) -> set[tuple[str, str]]:
    """The traces of an account."""
    kept = select(RequestTrace.kind, RequestTrace.value).filter_by(user_id=user_id)
    found = {(row.kind, row.value) for row in db.session.execute(kept)}
    db.session.rollback()
    return found


def waiting_to_be_traced() -> list[str | None]:
    """The network of each registration that has left no traces yet."""
    found = list(db.session.scalars(select(Review.network).where(Review.network.is_not(None))))
    db.session.rollback()
    return found


def confirm(user_id: int) -> None:
    with transaction():
        note_confirmed(locked(User, user_id))


def test_a_registration_leaves_its_traces_when_the_address_is_confirmed(app):
    ada = registered()
    assert traced(ada) == set(), "it is over sooner, and tells a stranger less"
    assert waiting_to_be_traced() == ["203.0.113.0/24"], "of the network no more than is compared"

    confirm(ada)

    assert {kind for kind, _value in traced(ada)} == ALL
    assert (Trace.NETWORK, "203.0.113.0/24") in traced(ada)
    assert waiting_to_be_traced() == []


def by_a_round(user_id: int, _staff: User) -> None:
    rounds.trace()


def by_a_round_and_a_confirmation(user_id: int, _staff: User) -> None:
    rounds.trace()
    confirm(user_id)
    rounds.trace()


def by_hand(user_id: int, staff: User) -> None:
    with transaction():
        confirm_by_hand(locked(User, user_id), by=db.session.merge(staff), reason="By telephone")


@pytest.mark.parametrize("way", [by_a_round, by_a_round_and_a_confirmation, by_hand])
def test_on_every_way_the_traces_are_the_same(way, app, manager):
    ada = registered()
    confirm(ada)
    expected = traced(ada)
    with transaction():
        erase(locked(User, ada), by=locked(User, ada))
    assert traced(ada) == set()

    again = registered()
    way(again, manager)

    assert traced(again) == expected
    assert waiting_to_be_traced() == []


@pytest.mark.parametrize("is_traced", [False, True], ids=["before the round", "after it"])
def test_what_is_corrected_before_the_confirmation_is_compared_as_it_is_then(is_traced, app):
    ada = registered()
    if is_traced:
        rounds.trace()
    with transaction():
        correct_address(locked(User, ada), email="eve@example.org")
        correct(locked(User, ada), full_name="Eve Adams", username="eve", reason="")

    confirm(ada)

    found = {
        (kind, value)
        for kind, value in traced(ada)
        if kind not in (Trace.ADDRESS_FINGERPRINT, Trace.NAME_FINGERPRINT)
    }
    assert found == {
        (Trace.DOMAIN, "example.org"),
        (Trace.MAILBOX, "eve@example.org"),
        (Trace.NAME, "adams eve"),
        (Trace.NETWORK, "203.0.113.0/24"),
        (Trace.HASTY, ""),
    }


def test_whoever_is_erased_before_leaves_nothing_to_trace(app):
    ada = registered()
    with transaction():
        erase(locked(User, ada), by=None)

    rounds.trace()

    assert (traced(ada), waiting_to_be_traced()) == (set(), [])


def test_somebody_who_leaves_no_network_is_traced_too_and_once(app):
    ada = registered(network_address="127.0.0.1")
    assert waiting_to_be_traced() == [""]

    confirm(ada)

    assert {kind for kind, _value in traced(ada)} == ALL - {Trace.NETWORK}
    assert waiting_to_be_traced() == []


def test_a_round_finds_who_is_left_by_an_index(app, people):
    for _ in range(3):
        people.user(confirmed=True)
    left = people.crowd(2, confirmed=False)

    with plans.asked() as found:
        assert traces.due(most=1) == left[:1]

    assert plans.whole_reads(found, "reviews") == []
    assert plans.sorts(found) == []
