"""Unanswered: a question that stays open is brought to mind once, and then closed (B2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, false, or_, select

from portal import audit, clock, notifications, settings
from portal.accounts.user import Status, User
from portal.audit import Action
from portal.database import db, locked, read_anew
from portal.desk import review
from portal.desk.question import Question
from portal.mail import messages, outbox
from portal.notifications import Kind


def due(*, most: int) -> list[int]:
    """Whose question has to be brought to mind or closed, by the account's id, oldest first."""
    return list(
        db.session.scalars(
            select(Question.user_id)
            .where(Question.is_open(), or_(_is_to_be_reminded(), _is_stale()))
            .order_by(Question.asked_at)
            .limit(most)
        )
    )


def attend(user_id: int) -> bool:
    """Do what is due about somebody's open question. Returns whether there was something.

    The account is locked before the question is read, as when somebody answers: of two
    workers one does it, and an answer that comes at this moment counts.
    """
    user = locked(User, user_id, patient=False)
    if user is None or user.status is not Status.PENDING:
        return False
    asked = db.session.scalars(
        select(Question)
        .where(Question.user_id == user.id, Question.is_open())
        .where(or_(_is_to_be_reminded(), _is_stale()))
    ).one_or_none()
    if asked is None:
        return False
    if asked.reminded_at is None and _after().reminder:
        _remind(user, asked)
    else:
        _close(user, asked)
    return True


def closes_at(asked: Question) -> datetime | None:
    """When a question will be closed where nobody answers; None for never.

    Nobody's is closed who was not reminded first, and given the time from there that they
    would have had, however long no worker came round.
    """
    after = _after()
    if not after.closing:
        return None
    if not after.reminder:
        return asked.asked_at + after.closing
    reminded_at = asked.reminded_at or max(asked.asked_at + after.reminder, clock.now())
    return reminded_at + (after.closing - after.reminder)


def _remind(user: User, asked: Question) -> None:
    asked.reminded_at = clock.now()
    outbox.post(messages.question_reminder(user, asked.text, closes_at=closes_at(asked)))


def _close(user: User, asked: Question) -> None:
    """Put the registration back before the staff; the waiting clock goes on where it stood."""
    asked.closed_at = clock.now()
    read_anew(user, "open_questions")
    review.of(user).hand_to_staff()
    audit.record(Action.QUESTION_CLOSED, about=user)
    notifications.raise_for(user, Kind.UNANSWERED)


@dataclass(frozen=True)
class _Times:
    """After what time something happens, as the operator says; nothing for never."""

    reminder: timedelta
    closing: timedelta


def _after() -> _Times:
    desk = settings.current().desk
    return _Times(timedelta(days=desk.remind_after_days), timedelta(days=desk.stale_after_days))


def _is_to_be_reminded() -> ColumnElement[bool]:
    after, now = _after(), clock.now()
    if not after.reminder:
        return false()
    return and_(Question.reminded_at.is_(None), Question.asked_at <= now - after.reminder)


def _is_stale() -> ColumnElement[bool]:
    after, now = _after(), clock.now()
    if not after.closing:
        return false()
    if not after.reminder:
        return Question.asked_at <= now - after.closing
    return Question.reminded_at <= now - (after.closing - after.reminder)
