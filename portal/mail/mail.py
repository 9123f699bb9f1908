"""The mail: one row on its way to one person, and where it stands."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, ForeignKey, Index, LargeBinary, String, and_, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import UtcDateTime, db
from portal.logs import request_ids
from portal.mail.trouble import Trouble

_OPEN = "delivered_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL"


class MailState(StrEnum):
    """Where a mail stands. Derived from facts."""

    WAITING = "waiting"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"

    @property
    def label(self) -> Any:
        """The word for it that staff read."""
        return _LABELS[self]


_LABELS = {
    MailState.WAITING: _l("Waiting"),
    MailState.DELIVERING: _l("Being delivered"),
    MailState.DELIVERED: _l("Delivered"),
    MailState.FAILED: _l("Failed"),
    MailState.DROPPED: _l("Dropped"),
}


class Channel(StrEnum):
    """How something in the outbox leaves."""

    MAIL = "mail"
    WEBHOOK = "webhook"


def _partial(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


class Mail(db.Model):
    """One letter on its way to one person, or an event on its way to a program that listens.

    What it says is encrypted, and gone once delivered.

    Each thing that happens to it leaves a timestamp. No other column says where the mail
    stands: ask `state`, and in queries `Mail.stands(...)`.
    """

    __tablename__ = "mails"
    __table_args__ = (
        _partial("ix_mails_open", "due_at", "id", where=_OPEN),
        _partial("ix_mails_delivered", "delivered_at", "id", where="delivered_at IS NOT NULL"),
        _partial("ix_mails_failed", "failed_at", "id", where="failed_at IS NOT NULL"),
        _partial("ix_mails_dropped", "dropped_at", "id", where="dropped_at IS NOT NULL"),
        Index("uq_mails_ticket", "ticket", unique=True),
        Index("ix_mails_posted_at_id", "posted_at", "id"),
        Index("ix_mails_recipient_posted_at", "recipient", "posted_at"),
        Index("ix_mails_user_id_posted_at", "user_id", "posted_at"),
        Index("ix_mails_kind_posted_at", "kind", "posted_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(String(320), unique=True)
    # What its link carries, so that a look at the link can be told to be of this letter.
    ticket: Mapped[str | None] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(40))
    # How it leaves: to a person as a letter, or to a program that listens as a signed request.
    channel: Mapped[str] = mapped_column(String(8), default=Channel.MAIL.value)
    # None: an event, a decoy, or somebody whose address is none of our business any more.
    recipient: Mapped[str | None] = mapped_column(String(254))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    language: Mapped[str] = mapped_column(String(16))
    body: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)

    posted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    give_up_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    # A short name for what went wrong and the server's code; never what the server said.
    last_error: Mapped[str | None] = mapped_column(String(80))

    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    dropped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # When somebody did what its link is for.
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # What caused it, so that the worker's lines in the log belong to that request.
    request_id: Mapped[str | None] = mapped_column(
        String(request_ids.LENGTH), default=request_ids.current
    )

    @property
    def state(self) -> MailState:
        """Where the mail stands."""
        if self.dropped_at:
            return MailState.DROPPED
        if self.delivered_at:
            return MailState.DELIVERED
        if self.failed_at:
            return MailState.FAILED
        return MailState.DELIVERING if self.lease_until else MailState.WAITING

    @property
    def is_event(self) -> bool:
        """Whether it goes to a program that listens, and not to a person."""
        return self.channel == Channel.WEBHOOK

    @property
    def is_held_back(self) -> bool:
        """Whether it was dropped because its address got enough mail that day."""
        return self.dropped_at is not None and self.last_error == Trouble.HELD_BACK.value

    @classmethod
    def is_open(cls) -> ColumnElement[bool]:
        """For a query: neither delivered nor failed nor dropped."""
        return and_(cls.delivered_at.is_(None), cls.failed_at.is_(None), cls.dropped_at.is_(None))

    @classmethod
    def stands(cls, state: MailState) -> ColumnElement[bool]:
        """The same as `state`, for a query's `where`; each has an index."""
        conditions: dict[MailState, ColumnElement[bool]] = {
            MailState.WAITING: and_(cls.is_open(), cls.lease_until.is_(None)),
            MailState.DELIVERING: and_(cls.is_open(), cls.lease_until.is_not(None)),
            MailState.DELIVERED: cls.delivered_at.is_not(None),
            MailState.FAILED: cls.failed_at.is_not(None),
            MailState.DROPPED: cls.dropped_at.is_not(None),
        }
        return conditions[state]

    def __str__(self) -> str:
        return f"{self.kind} #{self.id}"
