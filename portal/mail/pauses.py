"""Pauses: when the mail server is away or refuses us, all mail waits and none is blamed."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import String, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from portal import clock
from portal.database import UtcDateTime, db, transaction
from portal.mail.trouble import DeliveryProblem, ServerRefuses, in_words

JITTER = 0.2

# A server that is down is asked again soon, so that what waited leaves within minutes of its
# return; one that refuses our password is left alone longer, or it locks us out for good.
DOWN_FIRST, DOWN_LONGEST = timedelta(seconds=15), timedelta(minutes=2)
REFUSED_FIRST, REFUSED_LONGEST = timedelta(minutes=1), timedelta(minutes=60)


class Pause(db.Model):
    """Why no mail leaves at present. One row while that is so, none otherwise."""

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


_THE_ONE = 1


def current() -> Pause | None:
    """Why no mail leaves at present, or None when all is well."""
    return db.session.get(Pause, _THE_ONE, populate_existing=True)


def is_on() -> bool:
    """Whether nothing may be tried now. False again when it is time to ask the server."""
    until = db.session.scalar(select(Pause.until))
    return until is not None and clock.now() < until


def begin(problem: DeliveryProblem) -> None:
    """Let all mail wait, longer each time that the server was asked in vain. Commits."""
    with suppress(IntegrityError), transaction():  # another worker began one at this moment
        now = clock.now()
        pause = current()
        if pause is None:
            pause = Pause(id=_THE_ONE, since=now, until=now, times=0)
            db.session.add(pause)
        elif now < pause.until:
            return  # another thread asked at the same time and has counted it
        pause.times += 1
        pause.reason = str(problem)
        refused = isinstance(problem, ServerRefuses)
        first, longest = (REFUSED_FIRST, REFUSED_LONGEST) if refused else (DOWN_FIRST, DOWN_LONGEST)
        pause.until = now + growing(pause.times, first=first, longest=longest)


def end() -> None:
    """Let mail leave again, because the server took one, or somebody mended things. Commits."""
    if db.session.scalar(select(Pause.id)) is None:
        return
    with transaction():
        db.session.execute(delete(Pause))


def growing(times: int, *, first: timedelta, longest: timedelta) -> timedelta:
    """How long to wait the n-th time: twice as long each time up to a limit, never in step."""
    pause: timedelta = min(first * 2 ** min(times - 1, 20), longest)
    return pause * random.uniform(1 - JITTER, 1 + JITTER)
