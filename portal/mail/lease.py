"""Leases: one worker at a time takes a mail, and what a dead worker held is offered again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.exc import OperationalError

from portal import clock
from portal.database import db, transaction
from portal.logs import SecurityEvent, caused_by, note
from portal.mail import pauses
from portal.mail.mail import Channel, Mail, MailState
from portal.mail.pauses import growing
from portal.mail.trouble import DeliveryProblem, Trouble

LEASE = timedelta(seconds=120)
LAST_TRY = timedelta(minutes=10)  # how long after its time to give up a mail may still be tried
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(minutes=60)
MARK_TRIES = 4


@dataclass(frozen=True, kw_only=True)
class Lease:
    """A mail that is ours to deliver until the lease ends."""

    mail_id: int
    message_id: str
    kind: str
    recipient: str = field(repr=False)
    language: str
    body: bytes = field(repr=False)
    posted_at: datetime
    give_up_at: datetime
    attempts: int
    until: datetime
    request_id: str | None = None


def take(mail_id: int) -> Lease | None:
    """Take this mail, unless it is not due or somebody has it. Commits."""
    return _take((Mail.id == mail_id) & (Mail.channel == Channel.MAIL.value))


def take_next(channel: Channel = Channel.MAIL) -> Lease | None:
    """Take what has been due longest and leaves this way, if anything does. Commits."""
    ours = _on_offer() & (Mail.channel == channel.value)
    if db.session.scalar(select(Mail.id).where(ours).limit(1)) is None:
        return None  # looked before reaching for the write lock
    longest_due = (
        select(Mail.id)
        .where(ours)
        .order_by(Mail.due_at, Mail.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return _take(Mail.id == longest_due.scalar_subquery())


def mark_delivered(lease: Lease) -> None:
    """Write down that the server has the mail, and empty its body. Commits.

    Also when the lease has ended meanwhile: the mail has left, whoever else has it now.
    """
    _persistently(
        lambda: _mark(
            Mail.id == lease.mail_id,
            Mail.is_open(),
            delivered_at=clock.now(),
            lease_until=None,
            last_error=None,
            body=None,
        )
    )


def mark_failed(lease: Lease, problem: DeliveryProblem) -> None:
    """Write down that this mail will not arrive. Its body stays for a later try. Commits."""
    _persistently(
        lambda: _mark(
            *_still(lease), failed_at=clock.now(), lease_until=None, last_error=str(problem)
        )
    )
    note(SecurityEvent.MAIL_FAILED, mail=lease.mail_id, kind=lease.kind, why=str(problem))


def put_off(lease: Lease, problem: DeliveryProblem) -> None:
    """Offer the mail again after a pause that grows, until it is time to give up. Commits."""
    now = clock.now()
    if now >= lease.give_up_at:
        mark_failed(lease, problem)
        return
    due_at = now + growing(lease.attempts, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
    _persistently(
        lambda: _mark(
            *_still(lease),
            due_at=min(due_at, lease.give_up_at),
            lease_until=None,
            last_error=str(problem),
        )
    )


def give_back(lease: Lease, problem: DeliveryProblem, *, behind: bool = False) -> None:
    """Offer the mail again as if nobody had tried: the trouble is none of its own. Commits.

    With `behind`, all that is due by now goes before it.
    """
    place = {"due_at": clock.now()} if behind else {}
    _persistently(
        lambda: _mark(
            *_still(lease),
            attempts=lease.attempts - 1,
            lease_until=None,
            last_error=str(problem),
            **place,
        )
    )


def settle_overdue() -> None:
    """Drop what has expired, give up what waited too long, end the leases of the dead. Commits."""
    now = clock.now()
    over = now - LAST_TRY
    overdue = or_(Mail.expires_at <= now, Mail.give_up_at <= over, Mail.lease_until <= now)
    if db.session.scalar(select(Mail.id).where(Mail.is_open(), overdue).limit(1)) is None:
        return
    why = {
        Channel.MAIL: _reason(Channel.MAIL, otherwise=Trouble.UNREACHABLE),
        Channel.WEBHOOK: _reason(Channel.WEBHOOK, otherwise=Trouble.HOOK_UNREACHABLE),
    }
    given_up: list[Any] = []
    with transaction():
        _set(Mail.is_open(), Mail.lease_until <= now, lease_until=None)
        unheld = Mail.stands(MailState.WAITING)
        _set(unheld, Mail.expires_at <= now, dropped_at=now, body=None)
        for channel, reason in why.items():
            error = func.coalesce(Mail.last_error, reason)
            this_way = Mail.channel == channel.value
            given_up += _set(
                unheld, this_way, Mail.give_up_at <= over, failed_at=now, last_error=error
            )
    for row in given_up:
        with caused_by(row.request_id):
            note(SecurityEvent.MAIL_FAILED, mail=row.id, kind=row.kind, why=row.last_error)


def _reason(channel: Channel, *, otherwise: Trouble) -> str:
    """Why nothing leaves this way at present."""
    pause = pauses.current(channel)
    return pause.reason if pause else otherwise.value


def _on_offer() -> ColumnElement[bool]:
    now = clock.now()
    return (
        Mail.is_open()
        & (Mail.due_at <= now)
        & or_(Mail.lease_until.is_(None), Mail.lease_until <= now)
        & or_(Mail.expires_at.is_(None), Mail.expires_at > now)
    )


def _take(which: ColumnElement[bool]) -> Lease | None:
    """One conditional UPDATE, so that of two who reach for a mail one gets nothing."""
    until = clock.now() + LEASE
    with transaction():
        row = db.session.execute(
            update(Mail)
            .where(which, _on_offer())
            .values(lease_until=until, attempts=Mail.attempts + 1)
            .returning(
                Mail.id,
                Mail.message_id,
                Mail.kind,
                Mail.recipient,
                Mail.language,
                Mail.body,
                Mail.posted_at,
                Mail.give_up_at,
                Mail.attempts,
                Mail.request_id,
            )
            .execution_options(synchronize_session=False)
        ).one_or_none()
    if row is None:
        return None
    return Lease(
        mail_id=row.id,
        message_id=row.message_id,
        kind=row.kind,
        recipient=row.recipient or "",
        language=row.language,
        body=row.body or b"",
        posted_at=row.posted_at,
        give_up_at=row.give_up_at,
        attempts=row.attempts,
        until=until,
        request_id=row.request_id,
    )


def _still(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    """True only as long as nobody took the mail up after our lease ended."""
    return Mail.id == lease.mail_id, Mail.is_open(), Mail.lease_until == lease.until


def _mark(*which: ColumnElement[bool], **values: Any) -> None:
    with transaction():
        _set(*which, **values)


def _set(*which: ColumnElement[bool], **values: Any) -> Sequence[Any]:
    """Returns of each mail that it set what a line of the log says of it."""
    return db.session.execute(
        update(Mail)
        .where(*which)
        .values(**values)
        .returning(Mail.id, Mail.kind, Mail.last_error, Mail.request_id)
        .execution_options(synchronize_session=False)
    ).all()


def _persistently(mark: Callable[[], None]) -> None:
    """A mark that gets lost means a second copy of a mail: try again while the database is busy."""
    for tries_left in reversed(range(MARK_TRIES)):
        try:
            mark()
            break
        except OperationalError:
            if not tries_left:
                raise
            db.session.rollback()
