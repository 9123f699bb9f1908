"""Search: finding accounts by a part of their name, address or username, among a million.

PostgreSQL has trigrams and knows how common each is, so that it chooses well by itself. For
SQLite the choice is made here. What few accounts hold is looked up in the index of fragments
and sorted; what many hold would take long to sort, but stands soon on the way through
whatever index gives the order.
"""

from __future__ import annotations

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    column,
    func,
    or_,
    select,
    table,
)
from sqlalchemy.orm import InstrumentedAttribute

from portal import canonical
from portal.accounts.user import Status, User
from portal.database import db
from portal.paging import Keyset

FEW = 1_000
LONGEST = 100

_fragments = table("users_search", column("rowid", Integer), column("users_search"))


def term(typed: str) -> str:
    """What was typed, as the searchable text is spelled; empty for nothing."""
    return canonical.search_term(typed)[:LONGEST]


def finds(term: str) -> ColumnElement[bool]:
    """For a query's `where`: the accounts that hold this fragment.

    Less than three characters are too short for trigrams: they find the beginnings of addresses
    and usernames.
    """
    if len(term) < 3:
        begins = or_(*(_begins(name, term) for name in _NAMES))
        if _is_on_sqlite() and is_common(select(User.id).where(begins)):
            return or_(*(func.substr(name, 1, len(term)) == term for name in _NAMES))
        return begins
    if _is_on_sqlite() and not is_common(_holding(term)):
        return User.id.in_(_holding(term))
    return User.search_text.contains(term, autoescape=True)


def streams(term: str) -> bool:
    """Whether the index of fragments gives the matches one by one, so that they need no sorting.

    Accounts get their ids in the order in which people register. So a list of all accounts by
    registration can follow that index by id, and finds what many hold at once, even where
    all of them registered long ago.
    """
    return len(term) >= 3 and _is_on_sqlite() and is_common(_holding(term))


def streamed(query: Select[User], term: str, keyset: Keyset) -> Select[User]:
    """The query cut to the page of matches that `keyset`, which sorts by id, leads to."""
    standing = select(User.status).where(User.id == _fragments.c.rowid).scalar_subquery()
    found = _holding(term).where(standing != Status.ERASED.value)
    return query.where(User.id.in_(keyset.narrow(found, by=_fragments.c.rowid)))


def is_common(found: Select[int]) -> bool:
    """Whether a query finds many, so that walking along an order finds them soon."""
    first = found.limit(FEW).subquery()
    return db.session.scalar(select(func.count()).select_from(first)) == FEW


_NAMES = (User.email_canonical, User.username_canonical)


def _holding(term: str) -> Select[int]:
    quoted = '"' + term.replace('"', '""') + '"'
    return select(_fragments.c.rowid).where(_fragments.c.users_search.op("MATCH")(quoted))


def _begins(name: InstrumentedAttribute[str | None], term: str) -> ColumnElement[bool]:
    return and_(name >= term, name < term + "\U0010ffff")


def _is_on_sqlite() -> bool:
    return db.engine.dialect.name == "sqlite"
