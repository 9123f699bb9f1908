"""The authenticator app: what it takes to add one, and what a code is good for (ASVS 6.5, 6.6)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select

from portal.accounts.factors import authenticator, recovery, sealing
from portal.accounts.factors.authenticator import AuthenticatorApp, Verdict
from portal.accounts.user import User
from portal.audit import Action
from portal.database import db, locked, transaction
from portal.errors import StepRefused
from portal.mail import outbox
from tests.admin_views.panel import entries
from tests.phone import Phone, set_up

MORNING = datetime(2026, 7, 14, 9, tzinfo=UTC)


@pytest.fixture
def ada(a_user) -> User:
    return a_user(username="ada", approved=True)


def check(user: User, code: str) -> Verdict:
    with transaction():
        found = locked(User, user.id)
        assert found is not None
        return authenticator.check(found, code)


def mails() -> list[str]:
    return [mail.kind for mail in outbox.waiting()]


def test_an_app_that_shows_the_right_code_becomes_a_factor(ada):
    before = ada.fs_uniquifier

    phone, _ = set_up(ada)

    kept = db.session.scalars(select(AuthenticatorApp)).one()
    assert phone.secret.encode() not in kept.sealed_secret
    assert ada.second_factor_since is not None
    assert ada.fs_uniquifier != before, "other sessions have ended"
    assert entries(Action.FACTOR_ADDED)[0].details == {"kind": "app"}
    assert "factor_added" in mails()


def test_without_its_code_an_app_is_no_factor(ada):
    offer = authenticator.offer(ada)

    with pytest.raises(StepRefused, match="not the code"), transaction():
        authenticator.add(ada, sealed=offer.sealed, typed=Phone(offer.secret).does_not_show())

    assert authenticator.of(ada) is None
    assert ada.second_factor_since is None


def test_what_is_offered_to_one_is_nothing_to_another_nor_for_long(ada, a_user):
    bob = a_user(approved=True)
    with time_machine.travel(MORNING, tick=False):
        offer = authenticator.offer(ada)

    with time_machine.travel(MORNING, tick=False), pytest.raises(StepRefused, match="too old"):
        authenticator.offer(bob, sealed=offer.sealed)
    with (
        time_machine.travel(MORNING + timedelta(minutes=31), tick=False),
        pytest.raises(StepRefused, match="too old"),
    ):
        authenticator.add(ada, sealed=offer.sealed, typed="123456")


def test_a_secret_moved_to_another_account_opens_nothing(ada):
    sealed = sealing.seal("A", of=ada.id, purpose="app")

    with pytest.raises(sealing.Unreadable):
        sealing.unseal(sealed, of=ada.id + 1, purpose="app")
    with pytest.raises(sealing.Unreadable):
        sealing.unseal(sealed, of=ada.id, purpose="offer")


def test_a_code_works_once_and_none_of_before_works_after_it(ada):
    with time_machine.travel(MORNING, tick=False) as now:
        phone, _ = set_up(ada)
        assert check(ada, phone.shows()) is Verdict.USED, "it proved the app"

        now.shift(30)
        assert check(ada, phone.shows()[:3] + " " + phone.shows()[3:]) is Verdict.RIGHT
        assert check(ada, phone.shows()) is Verdict.USED
        assert check(ada, phone.shows(later=-1)) is Verdict.USED
        assert check(ada, phone.shows(later=1)) is Verdict.RIGHT, "a clock may be fast"

        now.shift(120)
        assert check(ada, phone.shows(later=-2)) is Verdict.WRONG, "or slow, but not by that much"


def test_after_five_wrong_codes_the_right_one_has_to_wait_and_longer_each_time(ada):
    with time_machine.travel(MORNING, tick=False) as now:
        phone, _ = set_up(ada)
        now.shift(30)
        for _ in range(5):
            assert check(ada, phone.does_not_show()) is Verdict.WRONG

        assert check(ada, phone.shows()) is Verdict.TOO_MANY
        assert authenticator.minutes_to_wait(ada) == 1
        now.shift(61)
        assert check(ada, phone.does_not_show()) is Verdict.WRONG
        assert authenticator.minutes_to_wait(ada) == 2
        now.shift(121)
        assert check(ada, phone.shows()) is Verdict.RIGHT

    assert mails().count("factor_guessed") == 1
    assert authenticator.minutes_to_wait(ada) == 0


def test_the_wait_has_an_end_and_a_recovery_code_does_not_wait(ada):
    with time_machine.travel(MORNING, tick=False) as now:
        phone, codes = set_up(ada)
        for _ in range(14):
            now.shift(3601)
            assert check(ada, phone.does_not_show()) is Verdict.WRONG
        assert authenticator.minutes_to_wait(ada) == 60

        with transaction():
            assert recovery.use(db.session.get_one(User, ada.id), codes[0])
        assert check(ada, phone.shows()) is Verdict.RIGHT


@pytest.mark.both_databases(everyday="postgresql")
def test_of_many_who_try_one_code_at_once_one_gets_in(app, ada):
    phone, _ = set_up(ada)
    ada_id, code = ada.id, phone.shows(later=1)
    db.session.rollback()

    def attempt(_: int) -> Verdict:
        with app.app_context():
            try:
                with transaction():
                    user = locked(User, ada_id)
                    assert user is not None
                    return authenticator.check(user, code)
            finally:
                db.session.remove()

    with ThreadPoolExecutor(16) as pool:
        verdicts = list(pool.map(attempt, range(64)))

    assert verdicts.count(Verdict.RIGHT) == 1
    assert verdicts.count(Verdict.USED) == 63


@pytest.mark.both_databases(everyday="postgresql")
def test_guesses_at_the_same_moment_count_one_each(app, ada):
    phone, _ = set_up(ada)
    ada_id, wrong = ada.id, phone.does_not_show()
    db.session.rollback()

    def attempt(_: int) -> Verdict:
        with app.app_context():
            try:
                return check(db.session.get_one(User, ada_id), wrong)
            finally:
                db.session.remove()

    with ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(attempt, range(16)))

    assert verdicts.count(Verdict.WRONG) == authenticator.MOST_IN_A_ROW
    assert verdicts.count(Verdict.TOO_MANY) == 16 - authenticator.MOST_IN_A_ROW
