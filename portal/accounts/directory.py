"""The directory: the questions that lists ask about accounts. Every one uses an index.

Lists are paged by key, not by offset, so that the thousandth page costs what the first does;
counts stop at `COUNTED` and say "more than" beyond it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, cast

from sqlalchemy import (
    Select,
    func,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute, joinedload, raiseload

from portal import clock, paging
from portal.accounts import search as search_for
from portal.accounts.user import Status, User
from portal.audit import AuditEntry
from portal.database import db
from portal.paging import COUNTED, PER_PAGE, Keyset, Page


class Order(Enum):
    """The ways a list of accounts can be sorted; each has an index."""

    OLDEST_REGISTRATION = ("registered_at", False)
    NEWEST_REGISTRATION = ("registered_at", True)
    OLDEST_CONFIRMATION = ("confirmed_at", False)
    LATEST_SIGN_IN = ("current_login_at", True)

    @property
    def column(self) -> InstrumentedAttribute[Any]:
        """The column it sorts by."""
        return cast("InstrumentedAttribute[Any]", getattr(User, self.value[0]))

    @property
    def descending(self) -> bool:
        """Whether the latest comes first."""
        return self.value[1]


def page(
    *,
    status: Status | None = None,
    search: str = "",
    order: Order = Order.NEWEST_REGISTRATION,
    cursor: str = "",
    per_page: int = PER_PAGE,
) -> Page[User]:
    """One page of accounts: at most three queries, whatever the number of accounts.

    `search` finds any fragment of name, address or username; fewer than three characters
    find beginnings of addresses and usernames. A cursor that means nothing shows the first page.
    """
    term = search_for.term(search)
    follows_index = status is None and order.column is User.registered_at
    if follows_index and search_for.streams(term):
        keyset = Keyset(
            User.id, User.id, descending=order.descending, cursor=cursor, per_page=per_page
        )
        return keyset.page(search_for.streamed(select(User), term, keyset))
    query = _matching(status, term)
    if order in (Order.LATEST_SIGN_IN, Order.OLDEST_CONFIRMATION):
        query = query.where(order.column.is_not(None))
    keyset = Keyset(
        order.column, User.id, descending=order.descending, cursor=cursor, per_page=per_page
    )
    return keyset.page(query)


def named(ids: Sequence[int]) -> list[User]:
    """The accounts with these ids, in this order; those that do not exist are left out."""
    found = db.session.scalars(select(User).where(User.id.in_(ids))).unique()
    by_id = {user.id: user for user in found}
    return [by_id[user_id] for user_id in ids if user_id in by_id]


def count(*, status: Status | None = None, search: str = "") -> int:
    """How many accounts match, counted up to `COUNTED` + 1, which means "more than"."""
    return paging.count(_matching(status, search_for.term(search)), User.id)


def counts_by_status() -> dict[Status, int]:
    """How many accounts stand where, each counted up to `COUNTED` + 1. One query."""
    columns = [
        select(func.count())
        .select_from(
            select(User.id).where(User.status == status.value).limit(COUNTED + 1).subquery()
        )
        .scalar_subquery()
        .label(status.value)
        for status in Status
    ]
    row = db.session.execute(select(*columns)).one()
    return {status: row[index] for index, status in enumerate(Status)}


def registrations_per_day(days: int) -> list[tuple[datetime, int]]:
    """How many registered on each of the last days, in UTC, oldest first, today included."""
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    starts = [today - timedelta(days=days - 1 - number) for number in range(days)]
    day = func.date(User.registered_at)
    if db.engine.dialect.name == "postgresql":
        day = func.date(func.timezone("UTC", User.registered_at))
    found = db.session.execute(
        select(day, func.count()).where(User.registered_at >= starts[0]).group_by(day)
    )
    by_day = {str(date): number for date, number in found}
    return [(start, by_day.get(start.date().isoformat(), 0)) for start in starts]


def timeline(user: User, limit: int = 100) -> list[AuditEntry]:
    """What the trail says about an account, newest first, with who did it."""
    return list(
        db.session.scalars(
            select(AuditEntry)
            .where(AuditEntry.about_id == user.id)
            .options(joinedload(AuditEntry.by).options(raiseload("*")))
            .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
            .limit(limit)
        ).unique()
    )


def _standing(status: Status | None) -> Select[User]:
    if status is None:
        return select(User).where(User.status != Status.ERASED.value)
    return select(User).where(User.status == status.value)


def _matching(status: Status | None, term: str) -> Select[User]:
    query = _standing(status)
    return query.where(search_for.finds(term)) if term else query
