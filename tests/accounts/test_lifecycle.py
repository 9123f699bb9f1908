"""The steps of an account's life: what each leaves behind, repeats quietly, and is refused."""

import pytest
from sqlalchemy import select

from portal.accounts.approval import approve, reject, reopen
from portal.accounts.confirmation import note_confirmed
from portal.accounts.erasure import erase
from portal.accounts.suspension import reinstate, suspend
from portal.accounts.user import Status, User
from portal.audit import Action, AuditEntry
from portal.database import db, transaction
from portal.errors import AlreadyDecided, StepRefused
from portal.mail import outbox
from tests.people import level

pytestmark = pytest.mark.both_databases(everyday="sqlite")


def entries(action: Action) -> list[AuditEntry]:
    return list(db.session.scalars(select(AuditEntry).filter_by(action=action.value)))


def kinds_of_mail() -> list[str]:
    return [mail.kind for mail in outbox.waiting()]


def test_approving_writes_one_line_of_audit_and_one_mail(a_user, reviewer):
    user = a_user(confirmed=True)

    with transaction():
        approve(user, by=reviewer, level=level("standard"))
    with transaction():
        approve(user, by=reviewer, level=level("standard"))  # the same step again is quiet

    entry = entries(Action.APPROVED)
    assert [(line.about_id, line.by_id) for line in entry] == [(user.id, reviewer.id)]
    assert kinds_of_mail().count("welcome") == 1
    assert user.status is Status.APPROVED


def test_an_unconfirmed_address_cannot_be_approved(a_user, reviewer):
    user = a_user()

    with pytest.raises(StepRefused, match="could belong to someone else"):
        approve(user, by=reviewer, level=level("standard"))

    assert user.approved_at is None


def test_a_second_decision_is_told_who_decided_first(a_user, reviewer, manager):
    user = a_user(confirmed=True)
    with transaction():
        reject(user, by=manager, reason="Not one of ours")

    with pytest.raises(AlreadyDecided, match=manager.full_name) as refused:
        approve(user, by=reviewer, level=level("standard"))

    assert refused.value.by == manager
    assert user.status is Status.REJECTED


def test_reopening_puts_a_rejected_registration_back_before_the_staff(a_user, reviewer):
    user = a_user(rejected="Too vague")

    with transaction():
        reopen(user, by=reviewer)

    assert user.status is Status.PENDING
    assert user.rejection_reason == ""


def test_a_reviewer_cannot_grant_above_what_the_role_grants(a_user, reviewer):
    user = a_user(confirmed=True)

    with pytest.raises(StepRefused, match="extended"):
        approve(user, by=reviewer, level=level("extended"))


def test_nobody_suspends_themselves_or_somebody_above(manager, administrator):
    with pytest.raises(StepRefused, match="your own account"):
        suspend(manager, by=manager)
    with pytest.raises(StepRefused, match="above yours"):
        suspend(administrator, by=manager)


def test_the_last_administrator_cannot_be_suspended(administrator):
    with pytest.raises(StepRefused, match="last administrator"):
        suspend(administrator, by=None)


def test_suspension_ends_every_session_and_reinstatement_revives_none(a_user, manager):
    user = a_user(approved=True)
    before = user.fs_uniquifier

    with transaction():
        suspend(user, by=manager)
    during = user.fs_uniquifier
    with transaction():
        reinstate(user, by=manager)

    assert len({before, during, user.fs_uniquifier}) == 3
    assert user.status is Status.APPROVED


def test_erasure_frees_the_names_and_keeps_the_trail(a_user, manager):
    user = a_user(suspended=True, email="ada@example.org", username="ada")

    with transaction():
        erase(user, by=manager)
    again = a_user(email="ada@example.org", username="ada")

    assert user.status is Status.ERASED
    assert (user.email, user.username, user.full_name) == (None, None, "")
    assert again.id != user.id
    assert [line.about_id for line in entries(Action.ERASED)] == [user.id]


def test_an_approved_account_must_be_suspended_before_it_is_erased(a_user, manager):
    user = a_user(approved=True)

    with pytest.raises(StepRefused, match="Suspend"):
        erase(user, by=manager)


def test_the_database_derives_the_same_status_as_the_facts(a_user):
    made = [
        a_user(),
        a_user(confirmed=True),
        a_user(approved=True),
        a_user(rejected=True),
        a_user(suspended=True),
    ]

    for user in made:
        found = db.session.scalars(select(User).where(User.status == user.status.value)).all()
        assert user in found

    assert {user.status for user in made} == set(Status) - {Status.ERASED}


def test_confirming_again_changes_nothing(a_user):
    user = a_user(confirmed=True)
    when = user.confirmed_at

    with transaction():
        note_confirmed(user)

    assert user.confirmed_at == when
    assert kinds_of_mail().count("waiting") == 1
