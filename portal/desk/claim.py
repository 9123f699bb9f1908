"""Claims: who is looking at a registration right now, so that two do not do one work."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.database import Model, UtcDateTime

if TYPE_CHECKING:
    from portal.accounts.user import User


class Claim(Model):
    """Somebody has been looking at a registration since a moment, and was last seen at another.

    It lapses by itself: see `desk.claim_lapses_after_seconds`.
    """

    __tablename__ = "claims"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    by_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)

    by: Mapped[User] = relationship("User", foreign_keys=[by_id], lazy="joined")
