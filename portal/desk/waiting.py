"""Waiting: how much waits for the staff, and for one of them, by kind."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, func, select

from portal import clock, settings
from portal.accounts.user import User
from portal.database import db
from portal.desk.queue import Tab
from portal.desk.review import Review
from portal.notifications import Kind, Notification
from portal.paging import COUNTED


class Waiting(StrEnum):
    """What there is to do."""

    READY = "ready"
    OVERDUE = "overdue"
    ANSWERED = "answered"
    MENTIONS = "mentions"


def counts(*kinds: Waiting, whom: User | None = None) -> dict[Waiting, int]:
    """How much of each of these kinds waits, counted up to `COUNTED` + 1. One query.

    Mentions are those of one member of staff; the rest waits for whoever comes first.
    """
    columns = [
        select(func.count())
        .select_from(_waiting(kind, whom).limit(COUNTED + 1).subquery())
        .scalar_subquery()
        for kind in kinds
    ]
    row = db.session.execute(select(*columns)).one()
    return dict(zip(kinds, row, strict=True))


def overdue_hours() -> int:
    """After how many hours somebody has waited too long; 0 for never."""
    return settings.current().desk.overdue_after_hours


def _waiting(kind: Waiting, whom: User | None) -> Select[Any]:
    if kind is Waiting.MENTIONS:
        assert whom is not None, "nobody in particular is mentioned"
        return select(Notification.id).where(
            Notification.settled_at.is_(None), Notification.for_id == whom.id
        )
    if kind is Waiting.ANSWERED:
        return select(Notification.id).where(
            Notification.kind == Kind.ANSWER.value,
            Notification.settled_at.is_(None),
            Notification.for_id.is_(None),
        )
    ready = select(Review.user_id).where(*Tab.READY.conditions)
    if kind is Waiting.READY:
        return ready
    hours = overdue_hours()
    too_long = clock.now() - timedelta(hours=hours)
    return ready.where(Review.waiting_since <= too_long if hours else Review.user_id.is_(None))
