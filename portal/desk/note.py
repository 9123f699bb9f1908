"""Notes: what colleagues tell each other about an account."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.database import Model, UtcDateTime

if TYPE_CHECKING:
    from portal.accounts.user import User


class Note(Model):
    """One note about an account, for staff alone. It goes with the person's data."""

    __tablename__ = "notes"
    __table_args__ = (
        Index("ix_notes_user_id_at_id", "user_id", "at", "id"),
        Index("ix_notes_by_id", "by_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    by_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    text: Mapped[str] = mapped_column(Text)

    user: Mapped[User] = relationship("User", foreign_keys=[user_id], lazy="raise")
    by: Mapped[User] = relationship("User", foreign_keys=[by_id], lazy="raise")
