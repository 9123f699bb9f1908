"""Confirming by hand (B3): staff know better than the mail, say why, and hand nobody an account."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from portal.accounts import code
from portal.accounts.approval import approve, reject
from portal.accounts.code import MailedCode, Purpose
from portal.accounts.confirmation import confirm_by_hand
from portal.accounts.erasure import erase
from portal.accounts.user import Status
from portal.audit import Action, AuditEntry
from portal.database import db, transaction
from portal.errors import StepRefused
from portal.mail import outbox
from portal.notifications import Kind, Notification
from tests.people import PASSWORD, level


def by_hand(user, by, reason="They called from their office"):
    with transaction():
        confirm_by_hand(user, by=by, reason=reason)


def kinds_to(user) -> list[str]:
    return [mail.kind for mail in outbox.waiting() if mail.user_id == user.id]


@pytest.mark.both_databases(everyday="sqlite")
def test_it_puts_the_registration_before_the_staff_with_the_reason_in_the_trail(a_user, reviewer):
    ada = a_user()

    by_hand(ada, reviewer)

    assert ada.status is Status.PENDING
    assert ada.review.waiting_since is not None
    entry = db.session.scalars(select(AuditEntry).filter_by(action=Action.CONFIRMED_BY_HAND)).one()
    assert (entry.about_id, entry.by_id) == (ada.id, reviewer.id)
    assert entry.details == {"reason": "They called from their office"}
    raised = db.session.scalars(select(Notification)).all()
    assert [(each.kind, each.about_id) for each in raised] == [(Kind.NEW_REGISTRATION, ada.id)]
    assert kinds_to(ada) == ["confirmation", "confirmed_by_hand"]


def test_again_changes_nothing(a_user, reviewer):
    ada = a_user()
    by_hand(ada, reviewer)

    by_hand(ada, reviewer, reason="")

    assert kinds_to(ada) == ["confirmation", "confirmed_by_hand"]


def test_whoever_registered_cannot_sign_in_with_what_they_typed(browser, a_user, reviewer):
    """Talked into it by somebody who registered a stranger's address, staff hand them nothing."""
    ada = a_user(username="ada", email="ada@example.org")
    by_hand(ada, reviewer)
    with transaction():
        approve(ada, by=reviewer, level=level("guest"))

    refused = browser.submit("/login", identity="ada", password=PASSWORD)

    assert refused.status_code == 200
    browser.submit("/reset", email="ada@example.org")
    assert "password_reset" in kinds_to(ada), "whoever reads the mail chooses one"


def test_the_code_that_was_mailed_is_worth_nothing_afterwards(a_user, reviewer):
    ada = a_user()
    with transaction():
        code.issue(ada, Purpose.CONFIRMATION)

    by_hand(ada, reviewer)

    assert db.session.scalars(select(MailedCode)).all() == []


@pytest.mark.parametrize("reason", ["", "  ", "\n"])
def test_a_reason_has_to_be_given(a_user, reviewer, reason):
    ada = a_user()

    with pytest.raises(StepRefused, match="how you know"):
        by_hand(ada, reviewer, reason)

    assert ada.status is Status.UNCONFIRMED


def test_what_was_rejected_or_erased_stays_so(a_user, reviewer):
    rejected, gone = a_user(), a_user()
    with transaction():
        reject(rejected, by=reviewer)
        erase(gone, by=None)

    for user in (rejected, gone):
        with pytest.raises(StepRefused, match="not waiting"):
            by_hand(user, reviewer)


def test_nobody_confirms_themselves(a_user):
    ada = a_user()

    with pytest.raises(StepRefused, match="your own account"):
        by_hand(ada, ada)
