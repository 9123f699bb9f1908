"""Standard texts: what staff write again and again, in each language that applicants read (B10)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.database import Model


class Purpose(StrEnum):
    """What a text is for."""

    REJECTION = "rejection"
    QUESTION = "question"

    @property
    def label(self) -> Any:
        """The words for it that staff read."""
        return _LABELS[self]


_LABELS = {
    Purpose.REJECTION: _l("Reason of a rejection"),
    Purpose.QUESTION: _l("Question to an applicant"),
}


class StandardText(Model):
    """A text to begin from, with a name that staff choose it by."""

    __tablename__ = "standard_texts"
    __table_args__ = (
        CheckConstraint("purpose IN ('rejection', 'question')", name="purpose"),
        UniqueConstraint("purpose", "name"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    purpose: Mapped[str] = mapped_column(String(12))
    name: Mapped[str] = mapped_column(String(80))
    position: Mapped[int] = mapped_column(default=0)

    variants: Mapped[list[StandardTextVariant]] = relationship(
        "StandardTextVariant", lazy="selectin", cascade="all, delete-orphan", passive_deletes=True
    )


class StandardTextVariant(Model):
    """The text in one language."""

    __tablename__ = "standard_text_variants"

    text_id: Mapped[int] = mapped_column(
        ForeignKey("standard_texts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    language: Mapped[str] = mapped_column(String(16), primary_key=True)
    body: Mapped[str] = mapped_column(Text)
