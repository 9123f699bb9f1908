"""Notifications: what staff should look at, until it is settled."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, Index, String, select, text, update
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal import clock
from portal.database import Model, UtcDateTime, db

if TYPE_CHECKING:
    from portal.accounts.user import User


class Kind(StrEnum):
    """What there is to look at."""

    NEW_REGISTRATION = "new_registration"


class Notification(Model):
    """Something staff should look at. Open until `settled_at` is set; one open of a kind each."""

    __tablename__ = "notifications"
    __table_args__ = (
        Index(
            "uq_notifications_open",
            "kind",
            "about_id",
            unique=True,
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
        Index("ix_notifications_settled_at_raised_at", "settled_at", "raised_at"),
        Index("ix_notifications_about_id", "about_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    about_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    settled_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    about: Mapped[User] = relationship("User", foreign_keys=[about_id], lazy="joined")


def raise_for(user: User, kind: Kind) -> Notification:
    """Put something about this person before the staff, in the caller's transaction."""
    notification = Notification(kind=kind.value, about=user, raised_at=clock.now())
    db.session.add(notification)
    return notification


def settle(user: User, kind: Kind, *, by: User | None) -> None:
    """Mark what is open of this kind about this person as done. Nothing open: nothing happens."""
    db.session.flush()
    db.session.execute(
        update(Notification)
        .where(
            Notification.about_id == user.id,
            Notification.kind == kind.value,
            Notification.settled_at.is_(None),
        )
        .values(settled_at=clock.now(), settled_by_id=by.id if by else None)
    )


def unsettled(limit: int) -> list[Notification]:
    """What waits for staff, newest first, at most `limit`."""
    return list(
        db.session.scalars(
            select(Notification)
            .where(Notification.settled_at.is_(None))
            .order_by(Notification.raised_at.desc(), Notification.id.desc())
            .limit(limit)
        ).unique()
    )
