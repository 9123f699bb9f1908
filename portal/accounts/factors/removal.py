"""Removal: somebody takes a factor of theirs away, or staff take all of somebody's (M16)."""

from __future__ import annotations

from datetime import datetime

from flask_babel import lazy_gettext as _l

from portal import audit
from portal.accounts import authority
from portal.accounts.factors import authenticator, passkey, recovery, standing
from portal.accounts.factors.passkey import Passkey
from portal.accounts.user import Status, User
from portal.audit import Action, Way
from portal.errors import StepRefused
from portal.mail import messages, outbox


def remove_app(user: User) -> None:
    """Take the authenticator app away. Taking it away again changes nothing.

    Raises:
        StepRefused: it is the last factor, and the role requires one.
    """
    if authenticator.of(user) is None:
        return
    must_be_removable(user)

    authenticator.remove(user)
    _after_removal(user, authenticator.KIND)


def remove_passkey(user: User, found: Passkey) -> None:
    """Take a passkey of theirs away.

    Raises:
        StepRefused: it is the last factor, and the role requires one.
    """
    must_be_removable(user)

    passkey.remove(found)
    _after_removal(user, passkey.KIND)


def must_be_removable(user: User) -> None:
    """Refuse to take a factor away that has to be there.

    Raises:
        StepRefused: it is the last one, and the role requires one; the account is not open.
    """
    standing.must_be_open(user)
    if number(user) <= 1 and standing.is_required_of(user):
        raise StepRefused(
            _l(
                "You need a second factor to sign in, and this is your last one."
                " Add another one before you remove it."
            )
        )


def number(user: User) -> int:
    """How many factors somebody has, recovery codes not counted."""
    return passkey.number(user) + int(authenticator.of(user) is not None)


def reset(user: User, *, by: User | None, reason: str) -> None:
    """Take every second factor of somebody away who lost it. Their sessions end; they are told.

    The password stays as it is: whoever is reset signs in with it, and sets a factor up anew
    where the role requires one (ASVS 6.4.4).

    Raises:
        StepRefused: it is oneself or somebody above; there is no factor; no reason is given.
    """
    must_be_resettable(user, by=by)
    if not reason.strip():
        raise StepRefused(_l("Say why. The reason is kept in the audit trail."), field="reason")

    forget(user)
    user.end_sessions()
    audit.record(Action.FACTORS_RESET, about=user, by=by, reason=reason)
    outbox.post(messages.factors_reset(user, reason))


def must_be_resettable(user: User, *, by: User | None) -> None:
    """Refuse to reset.

    Raises:
        StepRefused: there is no factor; it is oneself or somebody above.
    """
    if not standing.has_factor(user) or user.status not in (Status.APPROVED, Status.SUSPENDED):
        raise StepRefused(_l("This account has no second factor."))
    authority.must_outrank(by, user)


def remove_since(user: User, moment: datetime) -> list[str]:
    """Take away what was added or renewed then or after, after an alarm. Returns the kinds.

    What is older stays. Who is left with none goes on with the password alone, or is led through
    the set-up where the role requires one; who is left without recovery codes makes new ones.
    The caller tells the owner, and ends the sessions.
    """
    removed: list[str] = []
    if authenticator.remove_since(user, moment):
        removed.append(authenticator.KIND)
    removed += [passkey.KIND] * passkey.remove_since(user, moment)
    if recovery.remove_since(user, moment):
        removed.append(recovery.KIND)
    if not number(user):
        forget(user)
    for kind in removed:
        audit.record(Action.FACTOR_REMOVED, about=user, by=user, how=[Way.LINK], kind=kind)
    return removed


def forget(user: User) -> None:
    """Remove every factor and recovery code, whatever becomes of the account."""
    authenticator.remove(user)
    passkey.forget(user)
    recovery.forget(user)
    standing.note_none_left(user)


def _after_removal(user: User, kind: str) -> None:
    if not number(user):
        forget(user)
    user.end_sessions()
    audit.record(Action.FACTOR_REMOVED, about=user, by=user, kind=kind)
    outbox.post(messages.factor_removed(user, kind, is_last=not standing.has_factor(user)))
