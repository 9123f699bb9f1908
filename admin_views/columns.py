"""Columns: what a row of the queue shows beside who it is about; the address chooses."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from flask import request
from flask_babel import lazy_gettext as _l

from portal.desk.queue import Tab


class Shown(StrEnum):
    """One thing that a row can show."""

    MARKS = "marks"
    CLAIM = "claim"
    REASON = "reason"
    MAIL = "mail"
    LANGUAGE = "language"
    LEVEL = "level"
    USERNAME = "username"
    REGISTERED = "registered"

    @property
    def label(self) -> Any:
        """The words over the column, and to choose it by."""
        return _LABELS[self]


_LABELS = {
    Shown.MARKS: _l("Marks"),
    Shown.CLAIM: _l("Who looks at it"),
    Shown.REASON: _l("Why they ask"),
    Shown.MAIL: _l("Last mail"),
    Shown.LANGUAGE: _l("Language"),
    Shown.LEVEL: _l("Level wished"),
    Shown.USERNAME: _l("Username"),
    Shown.REGISTERED: _l("Registered"),
}

_RARE = {Shown.USERNAME, Shown.REGISTERED}
_RARE_LATER = {*_RARE, Shown.LANGUAGE, Shown.LEVEL}
# These help to decide; what is decided has no use for them.
_BEFORE = {Shown.MARKS, Shown.CLAIM}


def offered(tab: Tab) -> list[Shown]:
    """What the rows of this list can show, in the order of the columns."""
    left_out: set[Shown] = set()
    if tab is Tab.DECIDED:
        left_out = _BEFORE
    if tab is Tab.UNCONFIRMED:
        left_out = {Shown.REGISTERED}  # the list is sorted by it, and shows it anyway
    return [each for each in Shown if each not in left_out]


def chosen(tab: Tab) -> list[Shown]:
    """What the address chooses of it; the usual ones where it says nothing that is known."""
    wanted = ",".join(request.args.getlist("cols")).split(",")
    found = [each for each in offered(tab) if each.value in wanted]
    rare = _RARE_LATER if tab is Tab.DECIDED else _RARE
    return found or [each for each in offered(tab) if each not in rare]
