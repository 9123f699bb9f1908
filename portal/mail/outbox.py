"""The outbox: a mail is a row, written in the transaction of its cause, until it is delivered."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from blinker import Namespace
from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, event, func, or_, select, update
from sqlalchemy.orm import Session

from portal import audit, clock, settings
from portal.after_commit import tell_of_new
from portal.audit import Action
from portal.database import db
from portal.errors import StepRefused
from portal.mail import budget, messages, silence
from portal.mail.mail import Mail, MailState
from portal.mail.message import Message
from portal.mail.sealing import Letter, seal
from portal.mail.trouble import Trouble

if TYPE_CHECKING:
    from portal.accounts.user import User

mail_posted = Namespace().signal("mail-posted")
"""Sent after a transaction that posted mails was committed, with `ids` of the new rows.

Receivers must not touch the session: it is between two transactions."""


# What is written of a mail to an address that wants none, besides that it is dropped.
_SILENCED = {"body": None, "last_error": Trouble.SILENCED.value}


def post(message: Message | Mail, *, hold: timedelta = timedelta(0)) -> Mail:
    """Put a finished message into the outbox, in the caller's transaction.

    It leaves after `hold`, and until then `take_back` can stop it. A mailbox that got enough of
    its kind today gets none: the mail is held back, dropped at once, where staff see it (see
    `budget`). Whoever posts many seals them before the transaction begins (`sealed`): that takes
    its time. They are counted, and never held back: staff stand behind them.
    Where the owner of the address wants no mail, the row says so from the flush on, and nothing
    leaves.
    """
    mail = message if isinstance(message, Mail) else sealed(message)
    mail.posted_at = clock.now()
    mail.due_at = mail.posted_at + hold
    mail.give_up_at = when_to_give_up(mail.due_at)
    db.session.add(mail)
    if mail.is_event:
        return mail
    if isinstance(message, Message) and not budget.has_room(mail.recipient, mail.kind):
        mail.dropped_at, mail.body, mail.last_error = mail.posted_at, None, Trouble.HELD_BACK.value
    else:
        budget.spend(mail.recipient, mail.kind, expires_at=mail.expires_at)
    return mail


def sealed(message: Message) -> Mail:
    """A finished message as the row that it becomes; not posted yet."""
    now = clock.now()
    return Mail(
        message_id=_new_message_id(),
        kind=message.kind,
        ticket=message.ticket or None,
        recipient=message.to,
        user_id=message.user_id,
        language=message.language,
        body=seal(Letter(subject=message.subject, text=message.text, html=message.html)),
        posted_at=now,
        due_at=now,
        expires_at=message.expires_at,
        give_up_at=when_to_give_up(now),
        attempts=0,
    )


def take_back(mail_ids: Collection[int]) -> set[int]:
    """Drop those of these mails that no worker has taken up yet. Returns which they were.

    One conditional UPDATE, so that of a worker and somebody who changed their mind one wins.
    What a silenced address was never going to get counts as taken back.
    """
    never_left = Mail.dropped_at.is_not(None) & (Mail.last_error == Trouble.SILENCED.value)
    taken = (
        update(Mail)
        .where(Mail.id.in_(mail_ids), or_(Mail.stands(MailState.WAITING), never_left))
        .values(dropped_at=func.coalesce(Mail.dropped_at, clock.now()), body=None)
        .returning(Mail.id)
        .execution_options(synchronize_session="fetch")
    )
    return set(db.session.scalars(taken))


def put_off(which: ColumnElement[bool], *, until: datetime) -> None:
    """Let those of these mails that no worker has taken up leave at another moment."""
    db.session.execute(
        update(Mail)
        .where(which, Mail.stands(MailState.WAITING))
        .values(due_at=until, give_up_at=when_to_give_up(until)),
        execution_options={"synchronize_session": False},
    )


def post_nothing(like: str = "password_reset") -> None:
    """Do all the work of posting a mail, for nobody.

    So an address that nobody has costs the same as one that somebody has: a letter is
    written in the language of the request, sealed, and stored as a row that is dropped at once.
    The bell rings for it too, and finds nothing to do.
    """
    mail = sealed(messages.to_nobody(like))
    mail.recipient = None
    mail.dropped_at = mail.posted_at
    db.session.add(mail)
    budget.has_room(None, like)
    budget.spend(None, like, expires_at=mail.expires_at)


def retry(mail: Mail, *, by: User) -> None:
    """Let the worker try a mail again now, as if for the first time.

    A mail that waits or is being delivered is only hurried. The same again is quiet.

    Raises:
        StepRefused: it was delivered or dropped, its link has expired, or its text is gone; it
            is held so that its cause can be undone; it was held back; the owner of the address
            wants no mail.
    """
    if mail.delivered_at:
        raise StepRefused(_l("This mail was delivered."))
    if mail.recipient and silence.stopped({mail.id: (mail.recipient, mail.user_id)}):
        raise StepRefused(Trouble.SILENCED.label)
    if mail.is_held_back:
        raise StepRefused(_l("This address got enough mail of this kind today."))
    if mail.dropped_at or (mail.expires_at and mail.expires_at <= clock.now()):
        raise StepRefused(_l("The link in this mail has expired. Send a new one instead."))
    if mail.body is None:
        raise StepRefused(_l("The text of this mail is no longer kept. Send a new one instead."))
    if mail.attempts == 0 and mail.due_at > clock.now():
        raise StepRefused(_why_held(mail))

    mail.due_at = clock.now()
    if mail.failed_at:
        mail.failed_at = None
        mail.attempts = 0
        mail.give_up_at = when_to_give_up(mail.due_at)
    audit.record(Action.MAIL_RETRIED, by=by, mail=mail.id, kind=mail.kind)


def _why_held(mail: Mail) -> object:
    grace = timedelta(seconds=settings.current().desk.undo_seconds)
    if mail.due_at <= clock.now() + grace:
        return _l("The mails leave in a few seconds. Until then all of it can be undone.")
    return _l(
        "The mails wait until all is done. Until then it can be stopped, and what was done undone."
    )


def forget(user: User) -> None:
    """Remove a person's address and letters from the outbox; what waited is not sent.

    Also what was mailed to this address before it had an account.
    """
    theirs = Mail.user_id == user.id
    if user.email:
        theirs = or_(theirs, Mail.recipient == user.email)
    drop(theirs)
    db.session.execute(
        update(Mail)
        .where(theirs)
        .values(recipient=None, body=None)
        .execution_options(synchronize_session="fetch")
    )


def drop(which: ColumnElement[bool] | None = None) -> int:
    """Take back what was not delivered yet: everything, or what `which` says. Returns how many."""
    statement = (
        update(Mail)
        .where(Mail.is_open())
        .values(dropped_at=clock.now(), body=None, lease_until=None)
        .execution_options(synchronize_session="fetch")
    )
    if which is not None:
        statement = statement.where(which)
    return int(db.session.execute(statement).rowcount)  # type: ignore[attr-defined]


def fall_silent(fingerprint: str) -> None:
    """Drop what waits for an address that was silenced just now, known by its fingerprint."""
    waits = db.session.execute(
        select(Mail.id, Mail.recipient, Mail.user_id).where(
            Mail.is_open(), Mail.recipient.is_not(None)
        )
    ).all()
    theirs = {
        row.id: (row.recipient, row.user_id)
        for row in waits
        if silence.fingerprint(row.recipient) == fingerprint
    }
    if theirs:
        which = Mail.id.in_(silence.stopped(theirs)) & Mail.is_open()
        db.session.execute(
            update(Mail)
            .where(which)
            .values(_SILENCED | {"dropped_at": clock.now(), "lease_until": None})
            .execution_options(synchronize_session="fetch")
        )


def waiting() -> list[Mail]:
    """What is not delivered yet, the longest due first."""
    return list(
        db.session.scalars(select(Mail).where(Mail.is_open()).order_by(Mail.due_at, Mail.id))
    )


def failed() -> list[Mail]:
    """What could not be delivered, the newest failure first."""
    return list(
        db.session.scalars(
            select(Mail).where(Mail.stands(MailState.FAILED)).order_by(Mail.failed_at.desc())
        )
    )


def when_to_give_up(due_at: datetime) -> datetime:
    """Until when a mail is tried that may leave from this moment on."""
    return due_at + timedelta(hours=settings.current().mail.give_up_after_hours)


def _new_message_id() -> str:
    """Unique, and kept with the row, so that a second copy of a mail can be recognised."""
    host = settings.current().public_host
    domain = f"[IPv6:{host}]" if ":" in host else host
    return f"<{secrets.token_hex(16)}@{domain}>"


@event.listens_for(db.session, "before_flush")
def _keep_silent(session: Session, _context: object, _instances: object) -> None:
    """Every new mail passes here, whoever posts it; for all of one flush it is one question.

    Decoys ask it too, so that an address which wants no mail costs as much as any other.
    """
    news = {
        number: mail
        for number, mail in enumerate(session.new)
        if isinstance(mail, Mail) and not mail.is_event
    }
    if not news:
        return
    letters = {
        number: (mail.recipient or messages.NOBODYS_ADDRESS, mail.user_id)
        for number, mail in news.items()
    }
    for number in silence.stopped(letters):
        mail = news[number]
        mail.dropped_at = mail.posted_at
        for name, value in _SILENCED.items():
            setattr(mail, name, value)


def _waiting_for_nothing(mail: Mail) -> int | None:
    # The bell has nothing to say of what waits: the worker would find it not due. Nor of events,
    # which a thread of their own looks for.
    return mail.id if mail.due_at <= mail.posted_at and not mail.is_event else None


tell_of_new(
    Mail, remember=_waiting_for_nothing, tell=lambda ids: mail_posted.send(None, ids=list(ids))
)
