"""Questions: staff ask before they decide, and the waiting clock pauses meanwhile (B2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, ForeignKey, Index, Text, select, text
from sqlalchemy.orm import Mapped, joinedload, mapped_column, raiseload, relationship

from portal import audit, clock, notifications
from portal.accounts import authority
from portal.accounts.user import Status
from portal.audit import Action, Way
from portal.database import Model, UtcDateTime, db, read_anew
from portal.desk import decision, review
from portal.errors import StepRefused
from portal.mail import messages, outbox
from portal.notifications import TO_DECIDE, Kind

if TYPE_CHECKING:
    from portal.accounts.user import User

_OPEN = "answered_at IS NULL AND closed_at IS NULL"


class Question(Model):
    """What staff asked an applicant, and what they answered. One open question each."""

    __tablename__ = "questions"
    __table_args__ = (
        Index(
            "uq_questions_open",
            "user_id",
            unique=True,
            sqlite_where=text(_OPEN),
            postgresql_where=text(_OPEN),
        ),
        Index(
            "ix_questions_open_asked_at",
            "asked_at",
            sqlite_where=text(_OPEN),
            postgresql_where=text(_OPEN),
        ),
        Index("ix_questions_user_id_asked_at", "user_id", "asked_at"),
        Index("ix_questions_by_id", "by_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    text: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reminded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # No answer came in time, or staff decided without one.
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer: Mapped[str] = mapped_column(Text, default="")

    user: Mapped[User] = relationship("User", foreign_keys=[user_id], lazy="raise")
    by: Mapped[User | None] = relationship("User", foreign_keys=[by_id], lazy="raise")

    @classmethod
    def is_open(cls) -> ColumnElement[bool]:
        """For a query: it waits for an answer."""
        return cls.answered_at.is_(None) & cls.closed_at.is_(None)


def ask(user: User, *, by: User | None, question: str) -> Question:
    """Ask an applicant something before deciding. It is their turn then, and the clock pauses.

    Raises:
        StepRefused: the registration does not wait for a decision; a question is open already;
            nothing was asked; it is oneself or somebody above.
    """
    must_be_askable(user, by=by)
    if not question.strip():
        raise StepRefused(_l("Write what you want to know."), field="question")

    asked = Question(user=user, by=by, text=question.strip(), asked_at=clock.now())
    db.session.add(asked)
    read_anew(user, "open_questions")
    review.of(user).hand_to_applicant()
    audit.record(Action.ASKED, about=user, by=by)
    for kind in TO_DECIDE:
        notifications.settle(user, kind, by=by)
    outbox.post(messages.question(user, asked.text))
    return asked


def must_be_askable(user: User, *, by: User | None) -> None:
    """Refuse to ask, whatever it is.

    Raises:
        StepRefused: the registration does not wait for a decision; a question is open already;
            it is oneself or somebody above.
    """
    if user.status is not Status.PENDING:
        raise StepRefused(_l("Only those who wait for a decision can be asked."))
    if review.of(user).asked_at is not None:
        raise StepRefused(_l("A question waits for an answer already."))
    authority.must_outrank(by, user)


def answer(user: User, *, text: str, how: Sequence[Way] = ()) -> Question:
    """Take the applicant's answer, and put the registration back before the staff.

    An answer that comes late counts as well, as long as nothing is decided. The same answer
    again changes nothing.

    Raises:
        StepRefused: nothing was asked, or it is decided; the answer is empty.
    """
    asked = latest(user)
    if asked is not None and asked.answered_at is not None and asked.answer == text.strip():
        return asked
    decision.must_not_be_kept_back(user)
    if asked is None or asked.answered_at is not None or user.status is not Status.PENDING:
        raise StepRefused(_l("There is no question to answer. Look at your status page."))
    if not text.strip():
        raise StepRefused(_l("Write an answer."), field="answer")

    asked.answer = text.strip()
    asked.answered_at = clock.now()
    read_anew(user, "open_questions")
    review.of(user).hand_to_staff()
    review.of(user).change()
    audit.record(Action.ANSWERED, about=user, by=user, how=how)
    for kind in (Kind.ANSWER, Kind.UNANSWERED):
        notifications.settle(user, kind, by=None)
    notifications.raise_for(user, Kind.ANSWER)
    return asked


def close_open(user: User) -> None:
    """Close what is open because staff decide without an answer."""
    if review.of(user).asked_at is None:
        return
    for asked in user.open_questions:
        asked.closed_at = clock.now()


def latest(user: User) -> Question | None:
    """The last thing that this person was asked; None where nothing was."""
    return db.session.scalars(
        select(Question)
        .where(Question.user_id == user.id)
        .order_by(Question.asked_at.desc(), Question.id.desc())
        .limit(1)
    ).one_or_none()


def questions_of(user: User, *, most: int = 20) -> list[Question]:
    """What this person was asked and what they answered, the newest first, with who asked."""
    return list(
        db.session.scalars(
            select(Question)
            .where(Question.user_id == user.id)
            .options(joinedload(Question.by).options(raiseload("*")))
            .order_by(Question.asked_at.desc(), Question.id.desc())
            .limit(most)
        ).unique()
    )
