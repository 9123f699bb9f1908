"""Erasure: personal data goes for good, the trail stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from flask_babel import lazy_gettext as _l
from sqlalchemy import delete, select

from portal import audit, clock, notifications, settings
from portal.accounts import alarm, authority, sign_ins
from portal.accounts.code import MailedCode
from portal.accounts.factors import removal
from portal.accounts.user import Status, User
from portal.audit import Action, Way
from portal.database import db
from portal.desk import forgetting, memory
from portal.desk.memory import Past
from portal.errors import StepRefused
from portal.mail import messages, outbox
from portal.notifications import Kind


def erase(user: User, *, by: User | None, tell: bool = True, how: Sequence[Way] = ()) -> None:
    """Remove what the portal knows of a person. Names in the trail become "erased account".

    Erasing again changes nothing. The address and the username are free afterwards.

    Raises:
        StepRefused: the account is still approved (suspend it first); somebody above.
    """
    if user.status is Status.ERASED:
        return
    must_be_erasable(user, by=by)

    outbox.forget(user)
    if tell and user.confirmed_at is not None and user.email is not None:
        outbox.post(
            messages.erased(
                to=user.email,
                full_name=user.full_name,
                language=user.language,
                time_zone=user.time_zone,
                is_applicant=user.approved_at is None,
            )
        )
    if _is_worth_remembering(user, by=by):
        memory.remember(user, Past.ERASED)
    audit.record(Action.ERASED, about=user, by=by, how=how)
    for kind in Kind:
        notifications.settle(user, kind, by=by)
    user.erased_at = clock.now()
    user.roles = []
    user.end_sessions()
    forgetting.forget(user)
    removal.forget(user)
    sign_ins.forget(user)
    alarm.forget(user)
    db.session.execute(delete(MailedCode).where(MailedCode.user_id == user.id))
    _forget(user)


def must_be_erasable(user: User, *, by: User | None) -> None:
    """Refuse to erase. One's own account one may erase.

    Raises:
        StepRefused: the account is erased; it is still approved (suspend it first); somebody above.
    """
    if user.status is Status.ERASED:
        raise StepRefused(_l("This account was erased."))
    if user.status is Status.APPROVED:
        raise StepRefused(_l("Suspend the account before you erase it."))
    if by is not None and by.id != user.id:
        authority.must_outrank(by, user)


def erase_unconfirmed(limit: int = 500) -> int:
    """Erase accounts that nobody confirmed in time, oldest first. Returns how many.

    The time is `registration.erase_unconfirmed_after_hours`, counted from the registration
    or the last mail that was asked for (ASVS 14.2.7).
    """
    hours = settings.current().registration.erase_unconfirmed_after_hours
    before = clock.now() - timedelta(hours=hours)
    overdue = db.session.scalars(
        select(User)
        .where(
            User.status == Status.UNCONFIRMED.value,
            User.registered_at < before,
            (User.confirmation_mailed_at.is_(None)) | (User.confirmation_mailed_at < before),
        )
        .order_by(User.registered_at)
        .limit(limit)
        .with_for_update(skip_locked=True, of=User)
    ).all()
    for user in overdue:
        erase(user, by=None)
    return len(overdue)


def _is_worth_remembering(user: User, *, by: User | None) -> bool:
    """Whether staff erase somebody who proved their address, and of whom no rejection tells.

    Whoever erases themselves leaves nothing, and an unconfirmed address may be a stranger's.
    """
    by_staff = by is not None and by.id != user.id
    return by_staff and user.confirmed_at is not None and user.rejected_at is None


def _forget(user: User) -> None:
    user.email = None
    user.username = None
    user.full_name = ""
    user.search_text = ""
    user.password = None
    user.reason = ""
    user.rejection_reason = ""
    user.time_zone = ""
    user.last_login_ip = None
    user.current_login_ip = None
    user.access_level = None  # or the level could never be removed
