"""Taking factors away: one's own, somebody's who lost them, and with an erased account."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from portal import settings
from portal.accounts import erasure, suspension
from portal.accounts.factors import authenticator, removal, standing
from portal.accounts.factors.authenticator import AuthenticatorApp
from portal.accounts.factors.recovery import RecoveryCode
from portal.accounts.factors.standing import Missing
from portal.accounts.user import User
from portal.audit import Action
from portal.database import db, transaction
from portal.errors import StepRefused
from portal.mail import outbox
from portal.settings.shape import SecondFactor
from tests.admin_views.panel import entries
from tests.phone import set_up

REQUIRED = pytest.mark.settings(PORTAL_SECOND_FACTOR_REQUIRED_OF="staff")


@pytest.fixture
def ada(a_user) -> User:
    return a_user(username="ada", approved=True)


def rows() -> int:
    return sum(
        db.session.scalar(select(func.count()).select_from(model)) or 0
        for model in (AuthenticatorApp, RecoveryCode)
    )


def test_who_need_not_have_one_may_remove_the_last_one_and_everything_goes(ada):
    set_up(ada)

    with transaction():
        removal.remove_app(ada)
        removal.remove_app(ada)  # again is quiet

    assert rows() == 0
    assert (ada.second_factor_since, ada.recovery_codes_kept_at) == (None, None)
    assert len(entries(Action.FACTOR_REMOVED)) == 1
    assert "factor_removed" in [mail.kind for mail in outbox.waiting()]


@REQUIRED
def test_who_must_have_one_keeps_the_last_one(reviewer):
    set_up(reviewer)

    with pytest.raises(StepRefused, match="Add another one before"), transaction():
        removal.remove_app(reviewer)

    assert authenticator.of(reviewer) is not None


def test_staff_reset_it_with_a_reason_and_the_owner_is_told(ada, manager):
    set_up(ada)
    before = ada.fs_uniquifier

    with transaction():
        removal.reset(ada, by=manager, reason="Lost the phone; asked in person")

    assert rows() == 0
    assert not standing.has_factor(ada)
    assert ada.fs_uniquifier != before
    entry = entries(Action.FACTORS_RESET)[0]
    assert (entry.by_id, entry.details) == (
        manager.id,
        {"reason": "Lost the phone; asked in person"},
    )
    assert "factors_reset" in [mail.kind for mail in outbox.waiting()]


def test_not_of_oneself_nor_of_somebody_above_nor_without_a_reason(ada, manager, administrator):
    for user in (ada, manager, administrator):
        set_up(user)

    for user, by, reason, why in (
        (manager, manager, "Lost", "your own account"),
        (administrator, manager, "Lost", "above yours"),
        (ada, manager, " ", "Say why"),
    ):
        with pytest.raises(StepRefused, match=why), transaction():
            removal.reset(user, by=by, reason=reason)
    assert standing.has_factor(ada)
    assert standing.has_factor(manager)


def test_an_erased_account_leaves_none_of_it(ada):
    set_up(ada)

    with transaction():
        suspension.suspend(ada, by=None)
        erasure.erase(ada, by=None)

    assert rows() == 0


@pytest.mark.parametrize(
    ("required", "of"),
    [
        ("", []),
        ("staff", ["reviewer", "administrator"]),
        ("administrator", ["administrator"]),
        ("everyone", ["reviewer", "administrator", "person"]),
    ],
)
def test_the_setting_says_who_must_have_one(people, app, required, of):
    ours = settings.current()
    wanted = SecondFactor(required_of=tuple(filter(None, [required])))
    app.extensions["portal.settings"] = replace(ours, second_factor=wanted)
    found = {
        "reviewer": people.staff("reviewer"),
        "administrator": people.staff("administrator"),
        "person": people.user(approved=True),
        "pending": people.user(confirmed=True),
    }

    assert [who for who, user in found.items() if standing.missing(user) is Missing.FACTOR] == of


def test_it_is_asked_of_staff_where_nothing_else_is_set():
    assert SecondFactor().required_of == ("staff",)
