"""Confirmation: a person proves that the address is theirs."""

from __future__ import annotations

from datetime import timedelta

from flask_babel import lazy_gettext as _l

from portal import audit, clock, notifications, settings
from portal.accounts.user import Status, User
from portal.audit import Action
from portal.desk import review
from portal.errors import StepRefused
from portal.mail import messages, outbox
from portal.notifications import Kind


def note_confirmed(user: User, *, by: User | None = None, password_hash: str | None = None) -> None:
    """Note that the person reads mail at their address, and put them before the staff.

    `password_hash` replaces the password typed at registration: the link may have been
    opened by the owner of an address that somebody else typed. Confirming again changes nothing.

    Raises:
        StepRefused: the account was rejected, suspended or erased meanwhile; or it has no
            password yet and none was chosen.
    """
    if user.status in (Status.PENDING, Status.APPROVED):
        return
    if user.status is not Status.UNCONFIRMED:
        raise StepRefused(_l("This account cannot be confirmed any more. Ask the staff."))
    if password_hash is None and user.password is None:
        raise StepRefused(_l("Choose a password for your account."), field="password")

    if password_hash is not None:
        # No session to end: nobody could sign in so far. And the link can still say "used".
        user.password = password_hash
    user.confirmed_at = clock.now()
    audit.record(Action.CONFIRMED, about=user, by=by or user)
    review.of(user).wait()
    notifications.raise_for(user, Kind.NEW_REGISTRATION)
    outbox.post(messages.waiting(user))


def resend_confirmation(user: User, *, by: User | None) -> None:
    """Mail a fresh link. Older links stay good until they expire or one is used.

    Raises:
        StepRefused: the address is confirmed already, or the last mail is too fresh.
    """
    must_be_resendable(user)

    user.confirmation_mailed_at = clock.now()
    audit.record(Action.CONFIRMATION_RESENT, about=user, by=by)
    outbox.post(messages.confirmation(user))


def must_be_resendable(user: User) -> None:
    """Refuse to mail another link.

    Raises:
        StepRefused: the address is confirmed already, or the last mail is too fresh.
    """
    if user.status is not Status.UNCONFIRMED:
        raise StepRefused(_l("This address is not waiting for a confirmation."))
    if pause_left(user) > 0:
        raise StepRefused(
            _l(
                "A mail left moments ago. Wait %(seconds)s seconds before the next one.",
                seconds=pause_left(user),
            )
        )


def pause_left(user: User) -> int:
    """Seconds until the next confirmation mail may go to this person; 0 when it may now."""
    if user.confirmation_mailed_at is None:
        return 0
    pause = timedelta(seconds=settings.current().registration.resend_pause_seconds)
    return max(0, round((user.confirmation_mailed_at + pause - clock.now()).total_seconds()))
