"""Forgetting: what the desk knows of a person goes with their data; decisions stay, nameless."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete

from portal.database import db
from portal.desk import memory
from portal.desk.claim import Claim
from portal.desk.note import Note
from portal.desk.question import Question
from portal.desk.review import Review
from portal.desk.saved_filter import SavedFilter
from portal.desk.traces import RequestTrace

if TYPE_CHECKING:
    from portal.accounts.user import User


def forget(user: User) -> None:
    """Remove the review, its questions, notes and traces, and what the person saved as staff.

    Fingerprints lose their tie.
    """
    memory.let_go(user)
    for model in (Claim, Note, Question, RequestTrace, Review):
        db.session.execute(delete(model).where(model.user_id == user.id))
    db.session.execute(delete(SavedFilter).where(SavedFilter.by_id == user.id))
    db.session.expire(user, ["review"])
