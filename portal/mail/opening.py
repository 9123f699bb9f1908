"""Openings: that a mailed link was looked at, by a person as it seems or by a robot (B3)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Model, UtcDateTime


class MailOpening(Model):
    """One look at the link of a mail. `signs` are what speaks for a robot, empty for a person."""

    __tablename__ = "mail_openings"
    __table_args__ = (Index("ix_mail_openings_mail_id_at", "mail_id", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    mail_id: Mapped[int] = mapped_column(ForeignKey("mails.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    signs: Mapped[str] = mapped_column(String(80), default="")
