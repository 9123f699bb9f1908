"""Heartbeats: a process that works writes down that it is alive, for others to see."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import String, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from portal import clock
from portal.database import UtcDateTime, db, transaction

WORKER = "worker"
EVERY = timedelta(seconds=10)
MISSED_AFTER = EVERY * 4  # three beats may be late before anybody worries


class Heartbeat(db.Model):
    """When a process, or any of several that share a name, was last alive."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


def beat(name: str = WORKER) -> None:
    """Write down that this process is alive now. Commits."""
    with transaction():
        if _touch(name):
            return
    try:
        with transaction():
            db.session.add(Heartbeat(name=name, at=clock.now()))
    except IntegrityError:  # another process of this name was born at the same moment
        with transaction():
            _touch(name)


def last_beat(name: str = WORKER) -> datetime | None:
    """When a process of this name was last alive; None for never."""
    return db.session.scalar(select(Heartbeat.at).filter_by(name=name))


def is_alive(name: str = WORKER) -> bool:
    """Whether a process of this name was alive a moment ago."""
    last = last_beat(name)
    return last is not None and clock.now() - last < MISSED_AFTER


def _touch(name: str) -> bool:
    touched = db.session.execute(
        update(Heartbeat)
        .where(Heartbeat.name == name)
        .values(at=clock.now())
        .returning(Heartbeat.name)
        .execution_options(synchronize_session=False)
    )
    return touched.first() is not None
