"""The directory: the questions that lists ask about accounts. Every one uses an index.

Lists are paged by key, not by offset, so that the thousandth page costs what the first does;
counts stop at `COUNTED` and say "more than" beyond it.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    func,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.orm import InstrumentedAttribute, joinedload, raiseload

from portal import clock
from portal.accounts import canonical
from portal.accounts.user import Status, User
from portal.audit import AuditEntry
from portal.database import db

COUNTED = 10_000
PER_PAGE = 50


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


@dataclass(frozen=True)
class Page:
    """One page of a list, with the cursors that lead to its neighbours (None at an end)."""

    users: Sequence[User] = field(default_factory=list)
    before: str | None = None
    after: str | None = None


class Cursor:
    """A place in a list, as opaque text for an URL: direction, sort key and id."""

    @staticmethod
    def write(direction: str, user: User, order: Order) -> str:
        """The place just before or after this row."""
        moment = getattr(user, order.value[0])
        plain = json.dumps([direction, moment.isoformat() if moment else None, user.id])
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    @staticmethod
    def read(typed: str) -> tuple[str, datetime, int] | None:
        """The place an URL names, or None when it names none (a wild parameter)."""
        try:
            padded = typed.encode("ascii") + b"=" * (-len(typed) % 4)
            direction, moment, identity = json.loads(base64.urlsafe_b64decode(padded))
            if direction not in ("before", "after") or not isinstance(identity, int):
                return None
            parsed = datetime.fromisoformat(moment)
        except (ValueError, TypeError, UnicodeError, binascii.Error, RecursionError):
            return None
        if parsed.tzinfo is None or not 0 < identity < 2**31:
            return None
        return direction, parsed.astimezone(UTC), identity


def page(
    *,
    status: Status | None = None,
    search: str = "",
    order: Order = Order.NEWEST_REGISTRATION,
    cursor: str = "",
    per_page: int = PER_PAGE,
) -> Page:
    """One page of accounts: at most three queries, whatever the number of accounts.

    `search` finds any fragment of name, address or username; fewer than three characters
    find beginnings of addresses and usernames. A cursor that means nothing shows the first page.
    """
    query = _matching(status, search)
    if order in (Order.LATEST_SIGN_IN, Order.OLDEST_CONFIRMATION):
        query = query.where(order.column.is_not(None))
    place = Cursor.read(cursor) if cursor else None
    backwards = place is not None and place[0] == "before"
    descending = order.descending != backwards
    if place is not None:
        _, moment, identity = place
        query = query.where(_beyond(order.column, (moment, identity), descending=descending))
    query = query.order_by(
        *((order.column.desc(), User.id.desc()) if descending else (order.column, User.id))
    )
    users: list[User] = list(db.session.scalars(query.limit(per_page + 1)).unique())
    more = len(users) > per_page
    users = users[:per_page]
    if backwards:
        users.reverse()
    if not users:
        return Page()
    has_before = more if backwards else place is not None
    has_after = place is not None if backwards else more
    return Page(
        users=users,
        before=Cursor.write("before", users[0], order) if has_before else None,
        after=Cursor.write("after", users[-1], order) if has_after else None,
    )


def count(*, status: Status | None = None, search: str = "") -> int:
    """How many accounts match, counted up to `COUNTED` + 1, which means "more than"."""
    inner = _matching(status, search).with_only_columns(User.id).order_by(None)
    limited = inner.limit(COUNTED + 1).subquery()
    return db.session.scalar(select(func.count()).select_from(limited)) or 0


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


def waiting_since() -> datetime | None:
    """Since when the longest waiting person waits for approval; None when nobody does."""
    return db.session.scalar(
        select(User.confirmed_at)
        .where(User.status == Status.PENDING.value)
        .order_by(User.confirmed_at, User.id)
        .limit(1)
    )


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


def _matching(status: Status | None, search: str) -> Select[User]:
    query = select(User)
    if status is None:
        query = query.where(User.status != Status.ERASED.value)
    else:
        query = query.where(User.status == status.value)
    term = canonical.search_term(search)[:100]
    return query.where(_contains(term)) if term else query


def _contains(term: str) -> ColumnElement[bool]:
    if len(term) < 3:
        # Too short for trigrams: beginnings of name (whole in some scripts), address, username.
        return or_(
            _begins(User.search_text, term),
            _begins(User.email_canonical, term),
            _begins(User.username_canonical, term),
        )
    if db.engine.dialect.name == "sqlite":
        quoted = '"' + term.replace('"', '""') + '"'
        found: Select[int] = (
            select(literal_column("rowid"))
            .select_from(text("users_search"))
            .where(text("users_search MATCH :portal_term").bindparams(portal_term=quoted))
        )
        return User.id.in_(found)
    escaped = term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return User.search_text.like(f"%{escaped}%", escape="\\")


def _begins(column: InstrumentedAttribute[Any], term: str) -> ColumnElement[bool]:
    return and_(column >= term, column < term + "\U0010ffff")


def _beyond(
    column: InstrumentedAttribute[datetime],
    edge: tuple[datetime, int],
    *,
    descending: bool,
) -> ColumnElement[bool]:
    moment, identity = edge
    if descending:
        return and_(column <= moment, or_(column < moment, User.id < identity))
    return and_(column >= moment, or_(column > moment, User.id > identity))
