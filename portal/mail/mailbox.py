"""The development mailbox: without a mail server, letters are kept here to be read in a browser."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from email import policy
from email.message import EmailMessage as ParsedMessage
from email.parser import BytesParser

import flask_mailman
from flask import Request
from flask_mailman.backends.base import BaseEmailBackend
from sqlalchemy import Index, LargeBinary, Select, String, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from portal import clock, settings
from portal.database import UtcDateTime, db, transaction

KEPT = timedelta(days=1)

# What a proxy in front of us would add. Through one, the mailbox is open to others.
FORWARDING_HEADERS = (
    "forwarded",
    "via",
    "cdn-loop",
    "client-ip",
    "x-forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "proxy-client-ip",
    "wl-proxy-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "x-azure-clientip",
    "x-envoy-external-address",
)
FORWARDING_PREFIXES = ("x-forwarded-", "x-original-")


class CapturedMail(db.Model):
    """A finished letter as a mail server would have got it, byte for byte."""

    __tablename__ = "captured_mails"
    __table_args__ = (
        Index("ix_captured_mails_recipient_id", "recipient", "id"),
        Index("ix_captured_mails_captured_at", "captured_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    captured_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recipient: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(320))
    message_id: Mapped[str] = mapped_column(String(320))
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)

    def parsed(self) -> ParsedMessage:
        """The letter, with its parts and headers decoded."""
        return BytesParser(policy=policy.default).parsebytes(self.content)

    def part(self, kind: str) -> str:
        """The letter's text ("plain") or HTML ("html"); empty where it has none."""
        body = self.parsed().get_body((kind,))
        return str(body.get_content()).replace("\r\n", "\n") if body is not None else ""


class EmailBackend(BaseEmailBackend):
    """The Flask-Mailman backend that keeps letters instead of sending them."""

    connection = None

    def send_messages(self, email_messages: Sequence[flask_mailman.EmailMessage]) -> int:
        """Keep letters, in a transaction of their own. Returns how many."""
        letters = [message.message() for message in email_messages]
        with transaction():
            for message, letter in zip(email_messages, letters, strict=True):
                db.session.add(
                    CapturedMail(
                        captured_at=clock.now(),
                        recipient=message.recipients()[0],
                        subject=message.subject,
                        message_id=letter["Message-ID"],
                        content=letter.as_bytes(linesep="\r\n"),
                    )
                )
        return len(letters)


def available(request: Request) -> bool:
    """Whether this request may see the mailbox: only from this very machine, through no proxy."""
    return settings.current().mailbox_enabled and not any(
        name.lower() in FORWARDING_HEADERS or name.lower().startswith(FORWARDING_PREFIXES)
        for name, _value in request.headers
    )


def letters_to(address: str = "") -> Select[CapturedMail]:
    """The query for all letters, or those to addresses that begin so, newest first."""
    newest_first = select(CapturedMail).order_by(CapturedMail.id.desc())
    if not address:
        return newest_first
    return newest_first.where(CapturedMail.recipient.istartswith(address, autoescape=True))


def purge() -> int:
    """Throw away letters older than a day. Commits; returns how many."""
    old = CapturedMail.captured_at < clock.now() - KEPT
    if db.session.scalar(select(CapturedMail.id).where(old).limit(1)) is None:
        return 0
    with transaction():
        gone = db.session.execute(delete(CapturedMail).where(old).returning(CapturedMail.id))
        return len(gone.all())
