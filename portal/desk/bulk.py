"""Bulk: one step on many people, taken by the worker, that goes on after whatever stops it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.database import Model, UtcDateTime

if TYPE_CHECKING:
    from portal.accounts.user import User

_OPEN = "done_at IS NULL AND refused_at IS NULL"


class Deed(StrEnum):
    """Which step is taken on everybody."""

    APPROVAL = "approval"
    REJECTION = "rejection"
    CONFIRMATION_MAIL = "confirmation_mail"
    UNDO = "undo"


class Bulk(Model):
    """One step on many people, asked for by one member of staff."""

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

    by: Mapped[User] = relationship("User", lazy="raise")


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
