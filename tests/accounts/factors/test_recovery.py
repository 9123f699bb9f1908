"""Recovery codes: shown once, used once, and counted (ASVS 6.5.1 to 6.5.4)."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from portal.accounts.factors import recovery, standing
from portal.accounts.factors.recovery import RecoveryCode
from portal.accounts.factors.standing import Missing
from portal.accounts.user import User
from portal.audit import Action
from portal.database import db, locked, transaction
from portal.errors import StepRefused
from portal.mail import outbox
from tests.admin_views.panel import entries
from tests.phone import set_up


@pytest.fixture
def ada(a_user) -> User:
    return a_user(username="ada", approved=True)


def use(user: User, code: str) -> bool:
    with transaction():
        return recovery.use(db.session.get_one(User, user.id), code)


def test_codes_are_too_many_to_guess_and_none_is_kept(ada):
    _, codes = set_up(ada)

    kept = {each.code_hash for each in db.session.scalars(select(RecoveryCode))}
    assert len(set(codes)) == len(kept) == 10
    assert recovery.LENGTH * math.log2(len(recovery.SIGNS)) > 112
    assert kept.isdisjoint(codes)
    assert kept.isdisjoint(each.replace("-", "") for each in codes)


def test_a_code_works_once_however_it_is_typed(ada):
    _, codes = set_up(ada)

    assert not use(ada, "nonsense")
    assert use(ada, f" {codes[0].upper().replace('-', ' ')} ")
    assert not use(ada, codes[0])

    assert recovery.left(ada) == 9
    assert len(entries(Action.RECOVERY_CODE_USED)) == 1
    assert "recovery_code_used" in [mail.kind for mail in outbox.waiting()]


def test_somebody_elses_code_opens_nothing(ada, a_user):
    bob = a_user(approved=True)
    set_up(bob)
    _, codes = set_up(ada)

    assert not use(bob, codes[0])


def test_new_codes_make_the_old_ones_worthless_and_count_once_they_are_kept(ada):
    _, old = set_up(ada)

    with transaction():
        new = recovery.make(db.session.get_one(User, ada.id))

    assert standing.missing(ada) is Missing.RECOVERY_CODES
    assert not use(ada, old[0])
    assert use(ada, new[0])
    assert "recovery_codes_replaced" in [mail.kind for mail in outbox.waiting()]


def test_there_are_none_without_a_factor_that_they_stand_in_for(ada):
    with pytest.raises(StepRefused, match="Set up a second factor first"), transaction():
        recovery.make(ada)
    with pytest.raises(StepRefused, match="Make recovery codes first"), transaction():
        recovery.keep(ada)


@pytest.mark.both_databases(everyday="postgresql")
def test_of_many_who_try_one_code_at_once_one_gets_in(app, ada):
    _, codes = set_up(ada)
    ada_id = ada.id
    db.session.rollback()

    def attempt(_: int) -> bool:
        with app.app_context():
            try:
                with transaction():
                    user = locked(User, ada_id)
                    assert user is not None
                    return recovery.use(user, codes[0])
            finally:
                db.session.remove()

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(attempt, range(64))).count(True) == 1
