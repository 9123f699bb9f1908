"""Parameters: what an address of a list says, read so that no wild value gets any further."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import TypeVar

from flask import abort, request
from flask_babel import get_timezone

from portal.paging import GREATEST_ID

Choice = TypeVar("Choice", bound=Enum)


Given = Mapping[str, str]


def text(name: str, args: Given | None = None) -> str:
    """What somebody typed into a search box; never long, never with a NUL."""
    return _given(name, args).replace("\0", "").strip()[:100]


def choice(name: str, among: type[Choice], args: Given | None = None) -> Choice | None:
    """One of a few values, or None where none is given. Another one is no such page."""
    given = _given(name, args)
    if not given:
        return None
    try:
        return among(given)
    except ValueError:
        abort(404)


def number(name: str, args: Given | None = None) -> int | None:
    """An id, or None where none is given. What no id can be is no such page."""
    given = _given(name, args)
    return _id(given) if given else None


def version(name: str) -> int | None:
    """Which version of something a page showed; None where it says nothing.

    What is no version is one that nothing ever has, so that it counts as out of date.
    """
    given = request.values.get(name)
    if given is None:
        return None
    return int(given) if given.isascii() and given.isdigit() and len(given) <= 9 else -1


def ticked(most: int) -> list[int]:
    """The ids of the rows that were ticked, each once, in the order of the list.

    More than `most` are not taken: no list shows as many.
    """
    given = list(dict.fromkeys(request.values.getlist("ids")))
    if len(given) > most:
        abort(400)
    return [_id(each) for each in given]


def ids_in(name: str, most: int) -> list[int]:
    """The ids that one field of a form holds, with dots between them, each once.

    Thousands fit into a form like that, where a field for each would not.
    """
    given = list(dict.fromkeys(request.form.get(name, "").split(".")))
    if len(given) > most:
        abort(400)
    return [_id(each) for each in given]


def day(name: str) -> date | None:
    """A day, as a date field sends it. What is no day counts as none."""
    try:
        return date.fromisoformat(request.args.get(name, "")[:10])
    except ValueError:
        return None


def unread_day(*names: str) -> bool:
    """Whether somebody typed a day that cannot be read, where the browser has no date field."""
    return any(request.args.get(name) and day(name) is None for name in names)


def begins(day: date | None) -> datetime | None:
    """The moment at which a day begins where the reader is."""
    if day is None:
        return None
    try:
        here: datetime = get_timezone().localize(datetime.combine(day, time.min))
        return here.astimezone(UTC)
    except OverflowError:
        return None


def ends(day: date | None) -> datetime | None:
    """The moment at which the day after it begins."""
    try:
        return begins(day + timedelta(days=1)) if day else None
    except OverflowError:
        return None


def _given(name: str, args: Given | None) -> str:
    """What the address of this request says, or what else is read in its stead."""
    return (request.args if args is None else args).get(name, "")


def _id(given: str) -> int:
    if not (given.isascii() and given.isdigit() and len(given) <= 10):
        abort(404)
    found = int(given)
    if not 0 < found <= GREATEST_ID:
        abort(404)
    return found
