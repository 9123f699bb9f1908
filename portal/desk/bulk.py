"""Bulk: one step on many people, taken by the worker, that goes on after whatever stops it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.orm import Mapped, joinedload, mapped_column, raiseload, relationship

from portal import clock, settings
from portal.database import Model, UtcDateTime, db
from portal.logs import request_ids
from portal.paging import Keyset, Page

if TYPE_CHECKING:
    from portal.accounts.user import User

MOST = 5_000  # people in one bulk
KEPT = timedelta(days=30)

_OPEN = "done_at IS NULL AND refused_at IS NULL"


class Deed(StrEnum):
    """Which step is taken on everybody."""

    APPROVAL = "approval"
    REJECTION = "rejection"
    CONFIRMATION_MAIL = "confirmation_mail"
    UNDO = "undo"

    @property
    def label(self) -> Any:
        """The words for it that staff read."""
        return _LABELS[self]

    @property
    def decides(self) -> bool:
        """Whether it leaves decisions that can be undone."""
        return self in (Deed.APPROVAL, Deed.REJECTION)


_LABELS = {
    Deed.APPROVAL: _l("Approval"),
    Deed.REJECTION: _l("Rejection"),
    Deed.CONFIRMATION_MAIL: _l("Confirmation mails again"),
    Deed.UNDO: _l("Undo"),
}


class Bulk(Model):
    """One step on many people, asked for by one member of staff.

    What it decides can be undone as a whole until some time after its end: until then the
    letters wait.
    """

    __tablename__ = "bulks"
    __table_args__ = (
        CheckConstraint(
            "deed IN ('approval', 'rejection', 'confirmation_mail', 'undo')", name="deed"
        ),
        Index(
            "ix_bulks_open",
            "asked_at",
            sqlite_where=text("finished_at IS NULL"),
            postgresql_where=text("finished_at IS NULL"),
        ),
        Index("ix_bulks_by_id_asked_at", "by_id", "asked_at"),
        Index("uq_bulks_undoes_id", "undoes_id", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    deed: Mapped[str] = mapped_column(String(20))
    by_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # What the step is taken with: the level, the reason, whether people are told.
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    total: Mapped[int]
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # The bulk whose decisions this one takes back.
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("bulks.id", ondelete="CASCADE"))
    # Who asked for it in which request, so that the worker's lines in the log belong to that one.
    request_id: Mapped[str | None] = mapped_column(
        String(request_ids.LENGTH), default=request_ids.current
    )

    by: Mapped[User] = relationship("User", lazy="raise")
    undone_by: Mapped[Bulk | None] = relationship("Bulk", viewonly=True, uselist=False)

    @property
    def kind(self) -> Deed:
        """Which step it is."""
        return Deed(self.deed)

    @property
    def undoable_until(self) -> datetime | None:
        """Until when its decisions can be taken back, as far as that is known yet."""
        return self.finished_at and self.finished_at + grace()


class BulkItem(Model):
    """One person of a bulk. Done or refused in the same transaction as the step itself."""

    __tablename__ = "bulk_items"
    __table_args__ = (
        Index(
            "ix_bulk_items_open",
            "bulk_id",
            "user_id",
            sqlite_where=text(_OPEN),
            postgresql_where=text(_OPEN),
        ),
        Index("ix_bulk_items_user_id", "user_id"),
    )

    bulk_id: Mapped[int] = mapped_column(
        ForeignKey("bulks.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    refused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sentence: Mapped[str] = mapped_column(Text, default="")

    user: Mapped[User] = relationship("User", lazy="raise")

    @classmethod
    def open_of(cls, bulk_id: int) -> tuple[Any, ...]:
        """For a query: the people of this bulk on whom the step is still to be taken."""
        return cls.bulk_id == bulk_id, cls.done_at.is_(None), cls.refused_at.is_(None)


@dataclass(frozen=True)
class Progress:
    """How far a bulk is."""

    total: int
    done: int
    refused: int

    @property
    def settled(self) -> int:
        """On how many the step was taken or refused."""
        return self.done + self.refused


def grace() -> timedelta:
    """How long what was decided can be undone."""
    return timedelta(seconds=settings.current().desk.undo_seconds)


def progress(bulk: Bulk) -> Progress:
    """How far a bulk is. One query."""
    counted = select(func.count(BulkItem.done_at), func.count(BulkItem.refused_at))
    done, refused = db.session.execute(counted.where(BulkItem.bulk_id == bulk.id)).one()
    return Progress(bulk.total, done, refused)


def refused(bulk: Bulk, *, cursor: str = "") -> Page[BulkItem]:
    """A page of those on whom the step was not taken, each with the sentence that says why."""
    query = (
        select(BulkItem)
        .where(BulkItem.bulk_id == bulk.id, BulkItem.refused_at.is_not(None))
        .options(joinedload(BulkItem.user).options(raiseload("*")))
    )
    return Keyset(BulkItem.user_id, BulkItem.user_id, descending=False, cursor=cursor).page(query)


def current() -> list[Bulk]:
    """The bulks that run, or ended so lately that they can be undone, the newest first."""
    runs_or_ended_lately = or_(Bulk.finished_at.is_(None), Bulk.finished_at > clock.now() - grace())
    return list(
        db.session.scalars(
            select(Bulk)
            .where(runs_or_ended_lately)
            .options(joinedload(Bulk.by).options(raiseload("*")), joinedload(Bulk.undone_by))
            .order_by(Bulk.asked_at.desc(), Bulk.id.desc())
            .limit(10)
        ).unique()
    )


def find(bulk_id: int) -> Bulk | None:
    """The bulk with this number, with who asked for it and what undoes it."""
    return (
        db.session.scalars(
            select(Bulk)
            .where(Bulk.id == bulk_id)
            .options(joinedload(Bulk.by).options(raiseload("*")), joinedload(Bulk.undone_by))
        )
        .unique()
        .one_or_none()
    )
