"""Pauses: when a server is away or refuses us, all that goes there waits and none is blamed."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import String, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from portal import clock
from portal.database import UtcDateTime, db, transaction
from portal.mail.mail import Channel
from portal.mail.trouble import DeliveryProblem, ServerRefuses, in_words

JITTER = 0.2

# A server that is down is asked again soon, so that what waited leaves within minutes of its
# return; one that refuses our password is left alone longer, or it locks us out for good.
DOWN_FIRST, DOWN_LONGEST = timedelta(seconds=15), timedelta(minutes=2)
REFUSED_FIRST, REFUSED_LONGEST = timedelta(minutes=1), timedelta(minutes=60)


class Pause(db.Model):
    """Why nothing leaves at present on one of the ways. A row while that is so, none otherwise."""

    __tablename__ = "mail_pauses"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reason: Mapped[str] = mapped_column(String(80))
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    times: Mapped[int] = mapped_column(default=1)

    @property
    def reason_text(self) -> str:
        """Why, in words for staff."""
        return in_words(self.reason)


_ROWS = {Channel.MAIL: 1, Channel.WEBHOOK: 2}


def current(channel: Channel = Channel.MAIL) -> Pause | None:
    """Why nothing leaves this way at present, or None when all is well."""
    return db.session.get(Pause, _ROWS[channel], populate_existing=True)


def is_on(channel: Channel = Channel.MAIL) -> bool:
    """Whether nothing may be tried now. False again when it is time to ask the server."""
    until = db.session.scalar(select(Pause.until).where(Pause.id == _ROWS[channel]))
    return until is not None and clock.now() < until


def begin(problem: DeliveryProblem, channel: Channel = Channel.MAIL) -> None:
    """Let all wait that leaves this way, longer each time that was tried in vain. Commits."""
    with suppress(IntegrityError), transaction():  # another worker began one at this moment
        now = clock.now()
        pause = current(channel)
        if pause is None:
            pause = Pause(id=_ROWS[channel], since=now, until=now, times=0)
            db.session.add(pause)
        elif now < pause.until:
            return  # another thread asked at the same time and has counted it
        pause.times += 1
        pause.reason = str(problem)
        refused = isinstance(problem, ServerRefuses)
        first, longest = (REFUSED_FIRST, REFUSED_LONGEST) if refused else (DOWN_FIRST, DOWN_LONGEST)
        pause.until = now + growing(pause.times, first=first, longest=longest)


def end(*channels: Channel) -> None:
    """Let things leave again, because a server took one, or somebody mended it. Commits.

    No way named: all of them.
    """
    these = Pause.id.in_([_ROWS[channel] for channel in channels or Channel])
    if db.session.scalar(select(Pause.id).where(these).limit(1)) is None:
        return
    with transaction():
        db.session.execute(delete(Pause).where(these))


def growing(times: int, *, first: timedelta, longest: timedelta) -> timedelta:
    """How long to wait the n-th time: twice as long each time up to a limit, never in step."""
    pause: timedelta = min(first * 2 ** min(times - 1, 20), longest)
    return pause * random.uniform(1 - JITTER, 1 + JITTER)
