"""Codes: six digits by mail that prove, for a short time, that somebody reads it (B1, B3)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Model, UtcDateTime


class MailedCode(Model):
    """The code of an account that works now, one for each purpose. Only its keyed hash is kept."""

    __tablename__ = "mailed_codes"
    __table_args__ = (CheckConstraint("tries_left >= 0", name="tries_left"),)

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    purpose: Mapped[str] = mapped_column(String(16), primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    tries_left: Mapped[int]
