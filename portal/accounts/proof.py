"""Proof: a code by mail shows that whoever asks reads the applicant's mail at this moment (B1)."""

from __future__ import annotations

from datetime import timedelta

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select

from portal import clock, settings
from portal.accounts import code
from portal.accounts.code import MailedCode, Purpose
from portal.accounts.user import Status, User
from portal.database import db
from portal.errors import StepRefused
from portal.mail import messages, outbox, silence
from portal.mail.mail import Mail

# Whoever has a link can ask for codes, and their owner is mailed each. With so many a day, nobody
# is buried, and nobody guesses one (ASVS 6.6.3).
MOST_A_DAY = 10
DAY = timedelta(days=1)


def mail_code(user: User) -> None:
    """Mail a code to the address that the account has now. The one before is dead.

    Raises:
        StepRefused: the account is closed; the last code is too fresh, or there were enough
            today.
    """
    _must_be_mailable(user)

    if user.status is Status.UNCONFIRMED and silence.is_silenced(user.email or ""):
        outbox.post_nothing()
        return
    outbox.post(messages.status_code(user, code.issue(user, Purpose.STATUS)))


def is_right_code(user: User, typed: str) -> bool:
    """Whether this is the code that works now. Costs a try; commit either way."""
    return code.check(user, Purpose.STATUS, typed)


def _must_be_mailable(user: User) -> None:
    if user.status in (Status.SUSPENDED, Status.ERASED):
        raise StepRefused(_l("This account is not open. Ask the staff."))
    left = _pause_left(user)
    if left > 0:
        raise StepRefused(
            _l(
                "A mail left moments ago. Wait %(seconds)s seconds before the next one.",
                seconds=left,
            )
        )
    today = select(func.count(Mail.id)).where(
        Mail.user_id == user.id,
        Mail.kind == messages.STATUS_CODE,
        Mail.posted_at > clock.now() - DAY,
    )
    if (db.session.scalar(today) or 0) >= MOST_A_DAY:
        raise StepRefused(_l("There were enough codes for today. Try again tomorrow."))


def _pause_left(user: User) -> int:
    found = db.session.get(MailedCode, (user.id, str(Purpose.STATUS)), populate_existing=True)
    if found is None:
        return 0
    rules = settings.current().registration
    issued_at = found.expires_at - timedelta(minutes=rules.code_within_minutes)
    pause = timedelta(seconds=rules.resend_pause_seconds)
    return max(0, round((issued_at + pause - clock.now()).total_seconds()))
