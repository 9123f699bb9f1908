"""Paging: a page of a long list by its sort key, so that the last costs what the first does."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from portal.database import UtcDateTime, db

PER_PAGE = 50
COUNTED = 10_000
GREATEST_ID = 2**31 - 1

Row = TypeVar("Row")
Selected = TypeVar("Selected")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page of a list, with the cursors that lead to its neighbours (None at an end)."""

    rows: Sequence[Row] = ()
    before: str | None = None
    after: str | None = None

    @property
    def is_all(self) -> bool:
        """Whether there is no other page."""
        return self.before is None and self.after is None


@dataclass(frozen=True)
class Place:
    """A place in a list: beside the row with this sort key and id."""

    direction: str
    key: datetime | str
    identity: int

    def __str__(self) -> str:
        """The place as opaque text for an URL."""
        is_moment = isinstance(self.key, datetime)
        key = self.key.isoformat() if isinstance(self.key, datetime) else self.key
        plain = json.dumps([self.direction, is_moment, key, self.identity])
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    @classmethod
    def read(cls, typed: str) -> Place | None:
        """The place that an URL names, or None when it names none (a wild parameter)."""
        try:
            padded = typed.encode("ascii") + b"=" * (-len(typed) % 4)
            direction, is_moment, key, identity = json.loads(base64.urlsafe_b64decode(padded))
            if is_moment is True:
                key = datetime.fromisoformat(key).astimezone(UTC)
            elif not isinstance(key, str) or "\0" in key:
                return None
            # bool is an int to Python, but not to PostgreSQL
            if direction not in ("before", "after") or type(identity) is not int:
                return None
            str(key).encode()
        except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
            return None
        return cls(direction, key, identity) if 0 < identity <= GREATEST_ID else None


class Keyset:
    """How a list is sorted and paged: by a key, and by id where keys are equal.

    The key is a moment or a text, never empty in the rows listed, and has an index that ends
    with the id (a unique one needs no id); or it is the id itself. A cursor that means nothing
    shows the first page. `keys_of` finds what carries the key, where that is not the row.
    """

    def __init__(
        self,
        key: InstrumentedAttribute[Any],
        identity: InstrumentedAttribute[int],
        *,
        descending: bool,
        cursor: str = "",
        per_page: int = PER_PAGE,
        keys_of: Callable[[Any], Any] = lambda row: row,
    ) -> None:
        self.keys_of = keys_of
        self.key = key
        self.identity = identity
        self.per_page = per_page
        self.place = Place.read(cursor) if cursor else None
        if self.place and isinstance(self.place.key, datetime) != self._sorts_by_time():
            self.place = None
        self.backwards = self.place is not None and self.place.direction == "before"
        self.descending = descending != self.backwards

    def narrow(self, query: Select[Selected], by: Any = None) -> Select[Selected]:
        """The query in this order, from this place on, one row longer than a page.

        `by` stands for the id in a query that has it under another name.
        """
        identity = self.identity if by is None else by
        if self.place is not None:
            query = query.where(*self._beyond(self.place, identity))
        columns = [identity] if self._sorts_by_id() else [self.key, identity]
        order = [column.desc() for column in columns] if self.descending else columns
        return query.order_by(*order).limit(self.per_page + 1)

    def page(self, query: Select[Row]) -> Page[Row]:
        """The page of the query that the cursor leads to."""
        rows = list(db.session.scalars(self.narrow(query)).unique())
        more = len(rows) > self.per_page
        rows = rows[: self.per_page]
        if self.backwards:
            rows.reverse()
        if not rows:
            return Page()
        has_before = more if self.backwards else self.place is not None
        has_after = self.place is not None if self.backwards else more
        return Page(
            rows=rows,
            before=self._beside("before", rows[0]) if has_before else None,
            after=self._beside("after", rows[-1]) if has_after else None,
        )

    def _beyond(self, place: Place, identity: Any) -> list[ColumnElement[bool]]:
        further = identity < place.identity if self.descending else identity > place.identity
        if self._sorts_by_id():
            return [further]
        if self.descending:
            return [self.key <= place.key, or_(self.key < place.key, further)]
        return [self.key >= place.key, or_(self.key > place.key, further)]

    def _beside(self, direction: str, row: Any) -> str:
        keys = self.keys_of(row)
        key = "" if self._sorts_by_id() else getattr(keys, self.key.key)
        return str(Place(direction, key, getattr(keys, self.identity.key)))

    def _sorts_by_id(self) -> bool:
        return self.key is self.identity

    def _sorts_by_time(self) -> bool:
        return isinstance(self.key.type, UtcDateTime)


def count(query: Select[Any], identity: InstrumentedAttribute[int]) -> int:
    """How many rows a query finds, counted up to `COUNTED` + 1, which means "more than"."""
    limited = query.with_only_columns(identity).order_by(None).limit(COUNTED + 1).subquery()
    return db.session.scalar(select(func.count()).select_from(limited)) or 0
