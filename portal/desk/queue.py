"""The queue: which registrations stand in which list, in which order, under which filters.

Every list is read in the order of an index; filters are looked up row by row on the way, so
that a page costs at most one walk along those who stand in the list, and never a whole table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast

from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, aliased, contains_eager, joinedload, lazyload

from portal import clock, paging
from portal.accounts import search as search_for
from portal.accounts.user import Status, User
from portal.database import db
from portal.desk import claim, decision, marks, traces
from portal.desk.decision import Decision, Verdict
from portal.desk.marks import Mark
from portal.desk.review import Review
from portal.paging import COUNTED, PER_PAGE, Keyset, Page, Place

NOBODY = 0  # for `Filters.claimed`; no account has this id


class Tab(StrEnum):
    """The lists of registrations."""

    READY = "ready"
    ASKED = "asked"
    UNCONFIRMED = "unconfirmed"
    DECIDED = "decided"

    @property
    def label(self) -> Any:
        """The words on the tab."""
        return _LABELS[self]

    @property
    def moment(self) -> InstrumentedAttribute[Any]:
        """The moment that the list is sorted by, which has an index for it."""
        model, name, _key = _SORTED[self]
        return cast("InstrumentedAttribute[Any]", getattr(model, name))

    @property
    def identity(self) -> InstrumentedAttribute[Any]:
        """What says which row it is where moments are equal."""
        model, _name, key = _SORTED[self]
        return cast("InstrumentedAttribute[Any]", getattr(model, key))

    @property
    def descending(self) -> bool:
        """Whether the newest comes first. Whoever waits comes before whoever waits less long."""
        return self in (Tab.UNCONFIRMED, Tab.DECIDED)

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """For a query: who stands in the list, in the words of its partial index."""
        if self is Tab.READY:
            return [Review.waiting_since.is_not(None), Review.asked_at.is_(None)]
        if self is Tab.ASKED:
            return [Review.asked_at.is_not(None)]
        if self is Tab.UNCONFIRMED:
            return [User.status == Status.UNCONFIRMED.value]
        # What was reopened waits again, or will.
        open_again = (Status.UNCONFIRMED.value, Status.PENDING.value)
        return [Decision.stands(), _is_the_last(), User.status.not_in(open_again)]


_LABELS = {
    Tab.READY: _l("Ready to review"),
    Tab.ASKED: _l("Waiting for an answer"),
    Tab.UNCONFIRMED: _l("Unconfirmed"),
    Tab.DECIDED: _l("Decided"),
}

_SORTED: dict[Tab, tuple[Any, str, str]] = {
    Tab.READY: (Review, "waiting_since", "user_id"),
    Tab.ASKED: (Review, "asked_at", "user_id"),
    Tab.UNCONFIRMED: (User, "registered_at", "id"),
    Tab.DECIDED: (Decision, "at", "id"),
}


@dataclass(frozen=True)
class Filters:
    """What somebody wants to see of a list. What is not said narrows nothing."""

    search: str = ""
    domain: str = ""
    language: str = ""
    # How far the applicant would like to get.
    level_id: int | None = None
    mark: Mark | None = None
    # The list's own moment lies so many hours back, or more.
    hours: int | None = None
    # Who looks at it now: the id of a member of staff, or NOBODY.
    claimed: int | None = None
    verdict: Verdict | None = None


ALL = Filters()


def page(
    tab: Tab, filters: Filters = ALL, *, cursor: str = "", per_page: int = PER_PAGE
) -> Page[User]:
    """One page of those who are undecided, each with their review. At most three queries."""
    keyset = Keyset(
        tab.moment,
        tab.identity,
        descending=tab.descending,
        cursor=cursor,
        per_page=per_page,
        keys_of=lambda user: user if tab is Tab.UNCONFIRMED else user.review,
    )
    return keyset.page(_found(tab, filters).options(*_of_people()))


def decided(
    filters: Filters = ALL, *, cursor: str = "", per_page: int = PER_PAGE
) -> Page[Decision]:
    """One page of the decisions that stand, the newest first. At most three queries.

    Of each person the last one, with whom it is about, who made it, and the level given.
    """
    keyset = Keyset(Decision.at, Decision.id, descending=True, cursor=cursor, per_page=per_page)
    query = _found(Tab.DECIDED, filters).options(
        contains_eager(Decision.user).options(*_of_people()),
        joinedload(Decision.by).options(lazyload("*")),
        joinedload(Decision.level),
    )
    return keyset.page(query)


def ids(tab: Tab, filters: Filters = ALL, *, most: int) -> list[int]:
    """Whom the filters find, in the order of the list, so many at most. At most two queries."""
    way = (column.desc() if tab.descending else column for column in (tab.moment, tab.identity))
    user_id: Any = Decision.user_id if tab is Tab.DECIDED else User.id
    query = _found(tab, filters).with_only_columns(user_id).order_by(*way).limit(most)
    return list(db.session.scalars(query))


def count(tab: Tab, filters: Filters = ALL) -> int:
    """How many the filters find, counted up to `COUNTED` + 1. At most two queries."""
    return paging.count(_found(tab, filters), tab.identity)


def counts(*tabs: Tab) -> dict[Tab, int]:
    """How many stand in each of these lists, each counted up to `COUNTED` + 1. One query."""
    columns = [
        select(func.count())
        .select_from(_standing(tab).with_only_columns(tab.identity).limit(COUNTED + 1).subquery())
        .scalar_subquery()
        for tab in tabs
    ]
    return dict(zip(tabs, db.session.execute(select(*columns)).one(), strict=True))


def next_after(filters: Filters, user: User | None, *, backwards: bool = False) -> int | None:
    """Whom to review after this person, or before; None at the end.

    Whoever has just been decided or asked something is passed on from where they stood; behind
    the last of them, and without a person, it begins anew.
    """
    place = _place_of(user) if user is not None else None
    if user is not None and place is not None:
        found = _neighbour(filters, Place("before" if backwards else "after", place, user.id))
        if found is not None or _is_ready(user):
            return found
    return _neighbour(filters, None)


def waiting_since() -> datetime | None:
    """Since when the longest waiting person waits for the staff; None when nobody does."""
    return db.session.scalar(
        select(Review.waiting_since)
        .where(*Tab.READY.conditions)
        .order_by(Review.waiting_since, Review.user_id)
        .limit(1)
    )


def _of_people() -> Sequence[Any]:
    """What lists show of a person, and what they have no use for.

    Made when it is asked for: at import not every table is known yet.
    """
    return (
        contains_eager(User.review).joinedload(Review.wished_level),
        lazyload(User.roles),
        lazyload(User.access_level),
    )


def _standing(tab: Tab) -> Select[Any]:
    if tab is Tab.DECIDED:
        query: Select[Any] = select(Decision).join(Decision.user).outerjoin(User.review)
    else:
        query = select(User).join(User.review, isouter=tab is Tab.UNCONFIRMED)
    return query.where(*tab.conditions)


def _found(tab: Tab, filters: Filters) -> Select[Any]:
    query = _standing(tab)
    if term := search_for.term(filters.search):
        query = query.where(search_for.finds(term))
    if filters.domain:
        query = query.where(traces.is_of_domain(filters.domain, User.id))
    if filters.language:
        query = query.where(User.language == filters.language)
    if filters.level_id is not None:
        # Not by the index of wishes, which holds everybody who ever came with this one.
        query = query.where(Review.wished_level_id + 0 == filters.level_id)
    if filters.mark is not None:
        query = query.where(marks.carries(filters.mark, User.id))
    if filters.hours is not None:
        query = query.where(tab.moment <= clock.now() - timedelta(hours=filters.hours))
    if filters.claimed is not None:
        looks = claim.is_looked_at(User.id, by_id=filters.claimed or None)
        query = query.where(looks if filters.claimed else ~looks)
    if filters.verdict is not None and tab is Tab.DECIDED:
        query = query.where(Decision.verdict == filters.verdict.value)
    return query


def _is_the_last() -> ColumnElement[bool]:
    later = aliased(Decision)
    return ~exists().where(
        later.user_id == Decision.user_id,
        later.stands(),
        or_(later.at > Decision.at, and_(later.at == Decision.at, later.id > Decision.id)),
    )


def _neighbour(filters: Filters, place: Place | None) -> int | None:
    tab = Tab.READY
    keyset = Keyset(tab.moment, tab.identity, descending=False, cursor=str(place or ""), per_page=1)
    query = _found(tab, filters).with_only_columns(Review.user_id)
    return db.session.scalars(keyset.narrow(query)).first()


def _place_of(user: User) -> datetime | None:
    """Since when somebody waits, or waited until they were decided."""
    if user.review is not None and user.review.waiting_since is not None:
        return user.review.waiting_since
    last = decision.last(user)
    return last.waiting_since if last else None


def _is_ready(user: User) -> bool:
    waits = user.review
    return waits is not None and waits.waiting_since is not None and waits.asked_at is None
