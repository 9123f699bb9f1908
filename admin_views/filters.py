"""Filters: what the address of the queue asks for, and how another address says it again.

The same words stand in the address of the list, in that of a page that belongs to it, in a
saved filter, and in the form of a bulk; they are read here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from flask import request
from werkzeug.datastructures import MultiDict

from admin_views import parameters
from portal.desk.decision import Verdict
from portal.desk.marks import Mark
from portal.desk.queue import NOBODY, Filters, Tab
from portal.pages.doors import me

NARROWING = ("q", "domain", "language", "level", "mark", "age", "claimed", "verdict")
# What stays the same from page to page: the list, what narrows it, and its columns.
KEPT = ("tab", *NARROWING, "cols")
MOST_HOURS = 10 * 366 * 24


class Asked(NamedTuple):
    """A list, and what somebody wants to see of it."""

    tab: Tab
    filters: Filters

    @property
    def is_narrowed(self) -> bool:
        """Whether the list leaves anybody out."""
        return self.filters != Filters()


def asked(args: Mapping[str, str] | None = None) -> Asked:
    """What the address of this request asks for, or what else is given.

    A value that was never offered is no such page.
    """
    given = request.args if args is None else args
    tab = parameters.choice("tab", Tab, given) or Tab.READY
    return Asked(
        tab,
        Filters(
            search=parameters.text("q", given),
            domain=parameters.text("domain", given),
            language=parameters.text("language", given),
            level_id=parameters.number("level", given),
            mark=parameters.choice("mark", Mark, given),
            hours=_hours(given.get("age", "")),
            claimed=_claimed(given),
            verdict=parameters.choice("verdict", Verdict, given),
        ),
    )


def asked_by(query: str) -> Asked:
    """The same, of a query string that a form or a row kept.

    Read whole: without its last filter it would mean more people than were shown.
    """
    return asked(MultiDict(parse_qsl(query)))


def kept(**changes: str | None) -> str:
    """The query string of the queue as this address has it, some of it changed.

    None and an empty value take a filter out.
    """
    return urlencode(kept_values(**changes))


def on(tab: Tab) -> str:
    """The query string of another list, with what narrows this one and means the same there.

    How long ago is of each list's own moment, and each has columns of its own; nobody looks
    at what is decided, and nothing else has a verdict.
    """
    lost = {"age": "", "cols": ""}
    lost |= {"claimed": ""} if tab is Tab.DECIDED else {"verdict": ""}
    return kept(tab=tab.value, **lost)


def kept_of(query: str) -> str:
    """What a query string that a form or a row kept says of the list, without the place in it."""
    return urlencode([pair for pair in parse_qsl(query) if pair[0] in KEPT])


def kept_values(**changes: str | None) -> dict[str, str]:
    """The same by name: of several values the first, which is the one that counts."""
    values = {name: request.args.get(name, "") for name in KEPT}
    values["cols"] = ",".join(request.args.getlist("cols"))
    values |= {name: value or "" for name, value in changes.items()}
    return {name: value for name, value in values.items() if value}


def _hours(given: str) -> int | None:
    if not (given.isascii() and given.isdigit()):
        return None
    return min(int(given[:9]), MOST_HOURS) or None


def _claimed(given: Mapping[str, str]) -> int | None:
    wanted = given.get("claimed", "")
    if wanted == "me":
        return int(me().id)
    return NOBODY if wanted == "nobody" else parameters.number("claimed", given)
