"""Delivery: what a worker does with a mail that is due, without ever holding a transaction open."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.charset import QP, Charset
from email.utils import format_datetime, formataddr

from flask import Flask, current_app
from flask_mailman import EmailMultiAlternatives
from flask_mailman import Mail as Mailman
from flask_mailman.backends.base import BaseEmailBackend
from flask_mailman.message import SafeMIMEMultipart

from portal import settings
from portal.mail import lease, pauses
from portal.mail.attempt import attempt
from portal.mail.lease import Lease
from portal.mail.sealing import Unreadable, unseal
from portal.mail.trouble import (
    Never,
    Trouble,
)

MAILS_PER_CONNECTION = 50

# A worker that is killed between the server's yes and our mark sends that letter again. With
# one at a time, it is never more than one. Who needs more speed starts another worker.
_one_at_a_time = threading.Lock()

# Seven-bit whatever the language, and readable where the language is nearly ASCII.
UTF8 = Charset("utf-8")
UTF8.body_encoding = QP


def init_app(app: Flask) -> None:
    """Tell Flask-Mailman where letters go, from the settings of this app."""
    mail, secrets = settings.of(app).mail, settings.of(app).secrets
    app.config.update(
        MAIL_BACKEND=f"portal.mail.{mail.effective_transport}",
        MAIL_SERVER=mail.server,
        MAIL_PORT=mail.port,
        MAIL_USE_SSL=mail.security == "tls",
        MAIL_USE_TLS=mail.security == "starttls",
        MAIL_USERNAME=mail.username,
        MAIL_PASSWORD=secrets.mail_password,
        MAIL_TIMEOUT=mail.timeout_seconds,
        MAIL_DEFAULT_SENDER=mail.sender,
    )
    Mailman(app)


def deliver(mail_id: int, *, stop: Callable[[], bool] = lambda: False) -> None:
    """Deliver one mail, unless it is not due, somebody else has it, or all mail waits."""
    with _one_at_a_time:
        if stop() or pauses.is_on():
            return
        mail = lease.take(mail_id)
        if mail is not None:
            with _connection() as connection:
                _deliver(mail, connection)


def deliver_due(*, within: timedelta, stop: Callable[[], bool] = lambda: False) -> int:
    """Deliver everything that is due, one after the other, and settle what is overdue.

    Begins no mail after `within`, nor when `stop` says so. Returns how many it tried.
    """
    lease.settle_overdue()
    tried, end = 0, time.monotonic() + within.total_seconds()
    with _connection() as connection:
        while time.monotonic() < end:
            with _one_at_a_time:
                if stop() or pauses.is_on():
                    break
                mail = lease.take_next()
                if mail is None:
                    break
                _deliver(mail, connection)
            tried += 1
            if tried % MAILS_PER_CONNECTION == 0:
                connection.close()
    return tried


def _deliver(mail: Lease, connection: BaseEmailBackend) -> None:
    attempt(mail, lambda held: _hand_over(held, connection))


def _hand_over(mail: Lease, connection: BaseEmailBackend) -> None:
    """Give the letter to the server. On any trouble hang up, so that the next one begins afresh.

    Raises:
        DeliveryProblem: it did not get there.
    """
    try:
        envelope = Envelope(mail)
        connection.open()
        connection.send_messages([envelope])
    except Exception:
        connection.close()
        raise


@contextmanager
def _connection() -> Iterator[BaseEmailBackend]:
    connection = current_app.extensions["mailman"].get_connection()
    try:
        yield connection
    finally:
        connection.close()


class Envelope(EmailMultiAlternatives):
    """A letter with its headers. The same row makes the same bytes each time."""

    encoding = UTF8

    def __init__(self, mail: Lease) -> None:
        """Open the letter of a row.

        Raises:
            Never: it was sealed with another key, or holds what no header may.
        """
        try:
            letter = unseal(mail.body)
        except Unreadable:
            raise Never(Trouble.UNREADABLE) from None
        self.boundary = mail.message_id.strip("<>").partition("@")[0]
        site, config = settings.current().site, settings.current().mail
        reply_to = config.reply_to or site.support_email
        super().__init__(
            subject=letter.subject,
            body=letter.text,
            from_email=formataddr((config.sender_name or site.name, config.sender)),
            to=[mail.recipient],
            reply_to=[reply_to] if reply_to else None,
            headers={
                "Message-ID": mail.message_id,
                "Date": format_datetime(mail.posted_at),
                "Auto-Submitted": "auto-generated",
                "X-Auto-Response-Suppress": "All",
                "Content-Language": mail.language.replace("_", "-"),
            },
        )
        self.attach_alternative(letter.html, "text/html")

    def message(self) -> SafeMIMEMultipart:
        """The letter as MIME, with a boundary that does not change from one try to the next."""
        message: SafeMIMEMultipart = super().message()
        message.set_boundary(f"=={self.boundary}==")
        return message
