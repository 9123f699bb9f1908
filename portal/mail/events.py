"""Events: what a program that listens is told of the desk, by way of the outbox.

One address, set by the operator, gets each of them as a signed request (see `webhook`). An event
says what happened and to which account: the number and the username, and more only where the
operator wants it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext as _l

from portal import clock, i18n, settings
from portal.mail import outbox
from portal.mail.mail import Channel, Mail, MailState
from portal.mail.sealing import Letter, seal

if TYPE_CHECKING:
    from portal.accounts.user import User

_is_silent: ContextVar[bool] = ContextVar("portal.mail.events.silent", default=False)


class Event(StrEnum):
    """What happened."""

    READY = "registration.ready"
    ANSWERED = "registration.answered"
    UNANSWERED = "registration.unanswered"
    DECIDED = "registration.decided"
    NOT_ME = "registration.denied"
    BULK_FINISHED = "bulk.finished"
    INTAKE_CLOSED = "registration.closed"

    @property
    def label(self) -> Any:
        """What it is about, in words for staff and for whoever reads the chat."""
        return _LABELS[self]


_LABELS = {
    Event.READY: _l("A registration is ready to review"),
    Event.ANSWERED: _l("A question was answered"),
    Event.UNANSWERED: _l("A question was not answered in time"),
    Event.DECIDED: _l("A registration was decided"),
    Event.NOT_ME: _l("Somebody says that they did not register"),
    Event.BULK_FINISHED: _l("A step on many people is finished"),
    Event.INTAKE_CLOSED: _l("Registration closed because there were too many"),
}


def post(
    event: Event, user: User | None = None, *, hold: timedelta = timedelta(0), **data: Any
) -> None:
    """Tell of something once the caller's transaction is committed, if anybody listens.

    `data` are numbers and names of ours. It leaves after `hold`, and until then `take_back`
    can stop it.
    """
    ours = settings.current().webhook
    if not ours.url or _is_silent.get():
        return
    now = clock.now()
    told = {**_about(user, personal=ours.personal_data), **data}
    body = {
        "type": event.value,
        "timestamp": now.isoformat(),
        "text": _text(event, user),
        "data": told,
    }
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    row = Mail(
        message_id=f"msg_{secrets.token_hex(16)}",
        kind=event.value,
        channel=Channel.WEBHOOK.value,
        user_id=user.id if user else None,
        language=settings.current().site.default_language,
        body=seal(Letter(subject="", text=text, html="")),
        attempts=0,
    )
    outbox.post(row, hold=hold)


def take_back(event: Event, user: User, *, since: datetime) -> None:
    """Do not tell of this after all, where nobody was told yet.

    Only of what happened from `since` on: an earlier one that still waits, because nobody
    listens at present, did happen.
    """
    if settings.current().webhook.url and not _is_silent.get():
        outbox.drop(
            (Mail.user_id == user.id)
            & (Mail.kind == event.value)
            & (Mail.posted_at >= since)
            & Mail.stands(MailState.WAITING)
        )


@contextmanager
def silence() -> Iterator[None]:
    """Tell of nothing that happens inside: what is done to many people is told of once."""
    before = _is_silent.set(True)
    try:
        yield
    finally:
        _is_silent.reset(before)


def _about(user: User | None, *, personal: bool) -> dict[str, Any]:
    if user is None:
        return {}
    url = f"{settings.current().public_url}/admin/accounts/{user.id}"
    told: dict[str, Any] = {"user_id": user.id, "username": user.username, "url": url}
    if personal:
        told |= {"full_name": user.full_name, "email": user.email, "language": user.language}
    return told


def _text(event: Event, user: User | None) -> str:
    """A line that a chat can show as it is, in the language of the site."""
    with i18n.mail_locale(None):
        label = str(event.label)
    return f"{label}: {user.username}" if user is not None and user.username else label
