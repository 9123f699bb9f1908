"""The demo's post: what a mail server made of each mail of the story, long ago."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import select

from portal import clock
from portal.database import db
from portal.mail import lease
from portal.mail.mail import Mail
from portal.mail.trouble import Never, NotNow, Trouble

# Mails younger than this are left to the worker, and so to the development mailbox.
STILL_ON_THEIR_WAY = timedelta(minutes=90)

_TAKES = timedelta(seconds=2)


def settle(last: int, *, refused: Mapping[tuple[int, str], str], now: datetime) -> int:
    """Let the mails posted after this one arrive, except those that a server refused. Commits.

    `refused` names them by person and kind, with what would stand in `Mail.last_error`.
    Returns the number of the newest mail.
    """
    posted = db.session.scalars(select(Mail).where(Mail.id > last).order_by(Mail.id)).all()
    for mail in posted:
        last = mail.id
        if now - mail.posted_at < STILL_ON_THEIR_WAY or mail.dropped_at:
            continue
        error = refused.get((mail.user_id or 0, mail.kind))
        due_at, gives_up_at = mail.due_at, mail.give_up_at
        with clock.at(due_at + _TAKES):
            held = lease.take(mail.id)
        assert held is not None, "nobody else can have a mail that was posted just now"
        if error is None:
            with clock.at(due_at + 2 * _TAKES):
                lease.mark_delivered(held)
        elif error.startswith(Trouble.REFUSED):
            with clock.at(due_at + 2 * _TAKES):
                lease.mark_failed(held, Never(*_parts(error)))
        else:
            with clock.at(gives_up_at):
                lease.put_off(held, NotNow(*_parts(error)))
    return last


def _parts(error: str) -> tuple[Trouble, int]:
    name, _, code = error.partition(" ")
    return Trouble(name), int(code)
