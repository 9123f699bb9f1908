"""Notifications: what staff should look at, until it is settled."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import ForeignKey, Index, String, select, text, union_all
from sqlalchemy.orm import Mapped, joinedload, lazyload, mapped_column, relationship

from portal import clock
from portal.database import Model, UtcDateTime, db, read_anew
from portal.mail import events
from portal.mail.events import Event

if TYPE_CHECKING:
    from portal.accounts.user import User


_OPEN_FOR_ALL = "settled_at IS NULL AND for_id IS NULL"
_OPEN_FOR_ONE = "settled_at IS NULL AND for_id IS NOT NULL"


class Kind(StrEnum):
    """What there is to look at."""

    NEW_REGISTRATION = "new_registration"
    ANSWER = "answer"
    MENTION = "mention"
    NOT_ME = "not_me"
    UNANSWERED = "unanswered"
    ALARM = "alarm"

    @property
    def label(self) -> Any:
        """What it says to staff."""
        return _LABELS[self]


_LABELS = {
    Kind.NEW_REGISTRATION: _l("New registration"),
    Kind.ANSWER: _l("Answered a question"),
    Kind.MENTION: _l("A colleague mentions you"),
    Kind.NOT_ME: _l("Says that they did not register"),
    Kind.UNANSWERED: _l("Did not answer in time"),
    Kind.ALARM: _l("Says that a change or a sign-in was not theirs"),
}

# What puts a registration before the staff, until they decide or ask; the newest is worth a mail.
TO_DECIDE = (Kind.NEW_REGISTRATION, Kind.ANSWER, Kind.UNANSWERED)

# What programs that listen are told at the same time. A mention is nobody else's business, and
# an alarm is no matter of a registration.
_EVENTS = {
    Kind.NEW_REGISTRATION: Event.READY,
    Kind.ANSWER: Event.ANSWERED,
    Kind.UNANSWERED: Event.UNANSWERED,
    Kind.NOT_ME: Event.NOT_ME,
}


class Notification(Model):
    """Something staff should look at. Open until `settled_at` is set; one open of a kind each.

    It is for everybody who reviews, or for the one member of staff in `for_id`.
    """

    __tablename__ = "notifications"
    __table_args__ = (
        Index(
            "uq_notifications_open",
            "kind",
            "about_id",
            unique=True,
            sqlite_where=text(_OPEN_FOR_ALL),
            postgresql_where=text(_OPEN_FOR_ALL),
        ),
        Index(
            "uq_notifications_open_for_one",
            "for_id",
            "kind",
            "about_id",
            unique=True,
            sqlite_where=text(_OPEN_FOR_ONE),
            postgresql_where=text(_OPEN_FOR_ONE),
        ),
        Index("ix_notifications_settled_at_raised_at", "settled_at", "raised_at"),
        Index("ix_notifications_about_id", "about_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    about_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    for_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    settled_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    about: Mapped[User] = relationship("User", foreign_keys=[about_id], lazy="joined")


def raise_for(user: User, kind: Kind) -> Notification:
    """Put something about this person before the staff, in the caller's transaction."""
    notification = Notification(kind=kind.value, about=user, raised_at=clock.now())
    db.session.add(notification)
    read_anew(user, "open_notifications")
    if kind in _EVENTS:
        events.post(_EVENTS[kind], user)
    return notification


def raise_for_one(user: User, kind: Kind, whom: User) -> None:
    """Put something about this person before one member of staff.

    What they have not seen yet is not there twice: it is as fresh as its last cause.
    """
    waits = _open_for(user, kind, whom)
    if waits is None:
        waits = Notification(kind=kind.value, about=user, for_id=whom.id)
        db.session.add(waits)
    waits.raised_at = clock.now()
    read_anew(user, "open_notifications")


def see(user: User, kind: Kind, whom: User) -> None:
    """Settle what only this member of staff had to see. Seen already: nothing happens."""
    waits = _open_for(user, kind, whom)
    if waits is not None:
        waits.settled_at, waits.settled_by_id = clock.now(), whom.id
        read_anew(user, "open_notifications")


def settle(user: User, kind: Kind, *, by: User | None) -> None:
    """Mark what is open of this kind about this person as done. Nothing open: nothing happens."""
    for notification in user.open_notifications:
        if notification.kind == kind.value and notification.settled_at is None:
            notification.settled_at = clock.now()
            notification.settled_by_id = by.id if by else None


def is_open(user: User, kind: Kind) -> bool:
    """Whether something of this kind about this person waits for staff."""
    found = select(Notification.id).where(
        Notification.about_id == user.id,
        Notification.kind == kind.value,
        Notification.settled_at.is_(None),
    )
    return db.session.scalar(found.limit(1)) is not None


def is_unseen(user: User, kind: Kind, whom: User) -> bool:
    """Whether something of this kind about this person waits for this member of staff."""
    return _open_for(user, kind, whom) is not None


def unsettled(of_each: int) -> dict[Kind, list[Notification]]:
    """The newest of each kind that waits for staff, at most so many; no kind without any.

    One query, which reads of each kind what its index holds.
    """
    newest = union_all(
        *(
            select(
                select(Notification.id)
                .where(
                    Notification.kind == kind.value,
                    Notification.settled_at.is_(None),
                    Notification.for_id.is_(None),
                )
                .order_by(Notification.raised_at.desc(), Notification.id.desc())
                .limit(of_each)
                .subquery()
                .c.id
            )
            for kind in Kind
        )
    )
    found: dict[Kind, list[Notification]] = {}
    rows = (
        select(Notification)
        .where(Notification.id.in_(newest))
        .options(joinedload(Notification.about).options(lazyload("*")))
        .order_by(Notification.raised_at.desc(), Notification.id.desc())
    )
    for row in db.session.scalars(rows):
        found.setdefault(Kind(row.kind), []).append(row)
    return {kind: found[kind] for kind in Kind if kind in found}


def unseen(whom: User, limit: int) -> list[Notification]:
    """What waits for this one member of staff, newest first, at most `limit`."""
    return list(
        db.session.scalars(
            select(Notification)
            .where(Notification.settled_at.is_(None), Notification.for_id == whom.id)
            .order_by(Notification.raised_at.desc(), Notification.id.desc())
            .limit(limit)
        ).unique()
    )


def _open_for(user: User, kind: Kind, whom: User) -> Notification | None:
    return db.session.scalars(
        select(Notification)
        .where(
            Notification.for_id == whom.id,
            Notification.kind == kind.value,
            Notification.about_id == user.id,
            Notification.settled_at.is_(None),
        )
        .options(lazyload("*"))
    ).one_or_none()
