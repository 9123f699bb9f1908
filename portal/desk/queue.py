"""The queue: whose turn it is with whom. Ready to review, or waiting for the applicant's answer."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, contains_eager

from portal.accounts import search as search_for
from portal.accounts.user import User
from portal.database import db
from portal.desk.review import Review
from portal.paging import COUNTED, PER_PAGE, Keyset, Page


class Turn(StrEnum):
    """Who has to do something next."""

    STAFF = "staff"
    APPLICANT = "applicant"

    @property
    def since(self) -> InstrumentedAttribute[Any]:
        """The moment that a list of them is sorted by, oldest first. It has a partial index."""
        name = "waiting_since" if self is Turn.STAFF else "asked_at"
        return cast("InstrumentedAttribute[Any]", getattr(Review, name))

    @property
    def conditions(self) -> list[Any]:
        """For a query: these and no others, in the words of the partial index."""
        if self is Turn.STAFF:
            return [Review.waiting_since.is_not(None), Review.asked_at.is_(None)]
        return [Review.asked_at.is_not(None)]


def page(turn: Turn, *, search: str = "", cursor: str = "", per_page: int = PER_PAGE) -> Page[User]:
    """One page of registrations, the longest waiting first, each with its review."""
    term = search_for.term(search)
    query = _standing(turn).options(contains_eager(User.review))
    if term:
        query = query.where(search_for.finds(term))
    keyset = Keyset(
        turn.since,
        Review.user_id,
        descending=False,
        cursor=cursor,
        per_page=per_page,
        keys_of=lambda user: user.review,
    )
    return keyset.page(query)


def counts() -> dict[Turn, int]:
    """How many wait for whom, each counted up to `COUNTED` + 1. One query."""
    columns = [
        select(func.count())
        .select_from(select(Review.user_id).where(*turn.conditions).limit(COUNTED + 1).subquery())
        .scalar_subquery()
        for turn in Turn
    ]
    row = db.session.execute(select(*columns)).one()
    return {turn: row[number] for number, turn in enumerate(Turn)}


def waiting_since() -> datetime | None:
    """Since when the longest waiting person waits for the staff; None when nobody does."""
    return db.session.scalar(
        select(Review.waiting_since)
        .where(*Turn.STAFF.conditions)
        .order_by(Review.waiting_since, Review.user_id)
        .limit(1)
    )


def _standing(turn: Turn) -> Select[User]:
    return select(User).join(User.review).where(*turn.conditions)
