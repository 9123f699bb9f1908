"""Standard texts: what staff write again and again, in each language that applicants read (B10)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal import audit
from portal.accounts.user import User
from portal.audit import Action
from portal.database import Model, db
from portal.errors import StepRefused


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

    def in_language(self, code: str, *, otherwise: str = "en") -> str:
        """What it says in a language; in the other one, or in any, where it lacks that."""
        bodies = {variant.language: variant.body for variant in self.variants}
        return in_language(bodies, code, otherwise=otherwise)


class StandardTextVariant(Model):
    """The text in one language."""

    __tablename__ = "standard_text_variants"

    text_id: Mapped[int] = mapped_column(
        ForeignKey("standard_texts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    language: Mapped[str] = mapped_column(String(16), primary_key=True)
    body: Mapped[str] = mapped_column(Text)


def in_language(bodies: Mapping[str, str], code: str, *, otherwise: str = "en") -> str:
    """What a text says in a language, by its variants; in another one where it lacks that."""
    return bodies.get(code) or bodies.get(otherwise) or next(iter(bodies.values()), "")


def texts(purpose: Purpose) -> list[StandardText]:
    """The texts for a purpose, in the order in which staff put them."""
    return list(
        db.session.scalars(
            select(StandardText)
            .filter_by(purpose=purpose.value)
            .order_by(StandardText.position, StandardText.name)
        )
    )


def edit_text(
    text: StandardText | None,
    *,
    purpose: Purpose,
    name: str,
    position: int,
    bodies: Mapping[str, str],
    by: User,
) -> StandardText:
    """Make a standard text (None) or change one. An empty body takes its language out.

    The database refuses a name twice for one purpose.

    Raises:
        StepRefused: it says nothing in any language.
    """
    said = {language: body.strip() for language, body in bodies.items() if body.strip()}
    if not said:
        raise StepRefused(_l("Write the text in one language at least."))
    if text is None:
        text = StandardText()
        db.session.add(text)
    text.purpose, text.name, text.position = purpose.value, name, position
    kept = {variant.language: variant for variant in text.variants}
    for language, body in said.items():
        if language in kept:
            kept[language].body = body
        else:
            text.variants.append(StandardTextVariant(language=language, body=body))
    for language in set(kept) - set(said):
        text.variants.remove(kept[language])
    audit.record(Action.TEXT_EDITED, by=by, name=name, languages=sorted(said))
    return text


def remove_text(text: StandardText, *, by: User) -> None:
    """Remove a standard text. What was written with it stays as it was sent."""
    audit.record(Action.TEXT_REMOVED, by=by, name=text.name)
    db.session.delete(text)
