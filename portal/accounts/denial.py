"""Denial: the owner of an address says that it was not they who registered (B3)."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import select

from portal import audit, notifications
from portal.accounts.erasure import erase
from portal.accounts.user import User
from portal.audit import Action, AuditEntry
from portal.database import db
from portal.links import Denial
from portal.mail import outbox, silence
from portal.mail.mail import Mail
from portal.notifications import Kind


class DenialState(StrEnum):
    """What there is to say to whoever opens the link."""

    READY = "ready"
    DONE = "done"
    CONFIRMED = "confirmed"


def state_of(denial: Denial) -> DenialState:
    """What saying "this was not me" would do."""
    user = denial.user
    if user is not None and user.confirmed_at is not None and not _is_confirmed_by_hand(user):
        return DenialState.CONFIRMED
    if silence.is_fingerprint_silenced(denial.address):
        return DenialState.DONE
    return DenialState.READY


def deny(denial: Denial) -> None:
    """Silence the address for good, erase the account that nobody confirmed, and tell the staff.

    An account whose owner confirmed it stays as it is, whoever found an old mail; so does one
    that staff confirmed by hand, but they are told, and no mail goes there any more, also none
    that waits already. The link says all there is to know of the address, so that it works also
    when the account is long gone. Again changes nothing.
    """
    if state_of(denial) is not DenialState.READY:
        return
    if not silence.silence_fingerprint(denial.address, _kind_of_mail(denial.ticket)):
        return
    outbox.fall_silent(denial.address)
    user = denial.user
    if user is None:
        return

    audit.record(Action.NOT_ME, about=user, by=user)
    if user.confirmed_at is None:
        erase(user, by=None, tell=False)
    notifications.raise_for(user, Kind.NOT_ME)


def acknowledge(user: User, *, by: User) -> None:
    """Note that staff have seen that somebody denied. Again changes nothing."""
    notifications.settle(user, Kind.NOT_ME, by=by)


def _is_confirmed_by_hand(user: User) -> bool:
    found = select(AuditEntry.id).where(
        AuditEntry.about_id == user.id, AuditEntry.action == Action.CONFIRMED_BY_HAND.value
    )
    return db.session.scalar(found.limit(1)) is not None


def _kind_of_mail(ticket: str) -> str:
    kind = db.session.scalar(select(Mail.kind).where(Mail.ticket == ticket)) if ticket else None
    return kind or ""
