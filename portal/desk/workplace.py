"""The workplace: how each member of staff likes to work, and how they want to be told (M10)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Model, UtcDateTime


class Notice(StrEnum):
    """How a member of staff wants to hear of what waits."""

    MAIL = "mail"
    DIGEST = "digest"
    NONE = "none"

    @property
    def label(self) -> Any:
        """The words for it that staff choose from."""
        return _LABELS[self]


_LABELS = {
    Notice.MAIL: _l("A mail soon after somebody waits, at most one in ten minutes"),
    Notice.DIGEST: _l("One mail a day"),
    Notice.NONE: _l("No mail"),
}


class Workplace(Model):
    """What one member of staff chose. Whoever chose nothing has no row and these defaults.

    Hours are those of the person's own time zone. Quiet hours may go over midnight; where both
    ends are the same there are none.
    """

    __tablename__ = "workplaces"
    __table_args__ = (
        CheckConstraint("notice IN ('mail', 'digest', 'none')", name="notice"),
        CheckConstraint("digest_hour BETWEEN 0 AND 23", name="digest_hour"),
        CheckConstraint("quiet_from BETWEEN 0 AND 23", name="quiet_from"),
        CheckConstraint("quiet_until BETWEEN 0 AND 23", name="quiet_until"),
    )

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    notice: Mapped[str] = mapped_column(String(8), default=Notice.MAIL.value)
    digest_hour: Mapped[int] = mapped_column(default=8)
    quiet_from: Mapped[int] = mapped_column(default=0)
    quiet_until: Mapped[int] = mapped_column(default=0)
    # Single letters as keys; can be switched off (WCAG 2.1.4).
    single_keys: Mapped[bool] = mapped_column(default=True)
    digest_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    overdue_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SavedFilter(Model):
    """A list with its filters, kept by one member of staff under a name."""

    __tablename__ = "saved_filters"
    __table_args__ = (UniqueConstraint("by_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    by_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(60))
    query: Mapped[str] = mapped_column(String(1000))
