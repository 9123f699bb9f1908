"""Proof: a code by mail shows that whoever asks reads the applicant's mail at this moment (B1)."""

from __future__ import annotations

from datetime import timedelta

from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from portal import audit, clock, settings
from portal.accounts import code
from portal.accounts.code import MailedCode, Purpose
from portal.accounts.user import Status, User
from portal.audit import Action, AuditEntry, Way
from portal.database import db
from portal.errors import StepRefused
from portal.mail import messages, outbox, silence

# Whoever has a link can ask for codes, and their owner is mailed each. With so many a day, nobody
# is buried, and nobody guesses one (ASVS 6.6.3).
MOST_A_DAY = 10
DAY = timedelta(days=1)


def mail_code(user: User, *, asked: Way) -> None:
    """Mail a code to the address that the account has now. The one before is dead.

    Who asks by a link and who is signed in have a code each, and as many a day each: whoever
    was forwarded a mail can neither use up the owner's codes nor make them worthless.

    Raises:
        StepRefused: the account is closed; the last code is too fresh, or there were enough
            today.
    """
    _must_be_mailable(user, asked)

    audit.record(Action.CODE_MAILED, about=user, by=user, how=[asked])
    if user.status is Status.UNCONFIRMED and silence.is_silenced(user.email or ""):
        outbox.post_nothing()
        return
    outbox.post(messages.status_code(user, code.issue(user, _purpose(asked))))


def is_right_code(user: User, typed: str, asked: Way) -> bool:
    """Whether this is the code that works now. Costs a try; commit either way.

    Whoever is signed in may also have asked for it by the link, before.
    """
    if code.check(user, _purpose(asked), typed):
        return True
    return asked is Way.SIGNED_IN and code.check(user, Purpose.STATUS, typed)


def _purpose(asked: Way) -> Purpose:
    return Purpose.OWN_STATUS if asked is Way.SIGNED_IN else Purpose.STATUS


def _must_be_mailable(user: User, asked: Way) -> None:
    if user.status in (Status.SUSPENDED, Status.ERASED):
        raise StepRefused(_l("This account is not open. Ask the staff."))
    left = _pause_left(user, asked)
    if left > 0:
        raise StepRefused(
            _l(
                "A mail left moments ago. Wait %(seconds)s seconds before the next one.",
                seconds=left,
            )
        )
    if _mailed_today(user, asked) < MOST_A_DAY:
        return
    if asked is Way.SIGNED_IN:
        raise StepRefused(_l("There were enough codes for today. Enter your password instead."))
    raise StepRefused(
        _l("There were enough codes for today. Enter your password, or sign in and ask there.")
    )


def _mailed_today(user: User, asked: Way) -> int:
    today = select(AuditEntry.details).where(
        AuditEntry.about_id == user.id,
        AuditEntry.at > clock.now() - DAY,
        AuditEntry.action == Action.CODE_MAILED.value,
    )
    return sum(asked in details.get("how", ()) for details in db.session.scalars(today))


def _pause_left(user: User, asked: Way) -> int:
    found = db.session.get(MailedCode, (user.id, str(_purpose(asked))), populate_existing=True)
    if found is None:
        return 0
    rules = settings.current().registration
    issued_at = found.expires_at - timedelta(minutes=rules.code_within_minutes)
    pause = timedelta(seconds=rules.resend_pause_seconds)
    return max(0, round((issued_at + pause - clock.now()).total_seconds()))
