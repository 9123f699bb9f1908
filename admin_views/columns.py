"""Columns: what a row of the queue shows beside who it is about.

The address chooses. Where it says nothing, the list has the columns that whoever looks at it
chose last: they stand in a cookie, as they are a matter of how wide a screen is. Only the form
sets it, so that no link that somebody follows changes what they see from then on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import current_app, request
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response

from portal import settings
from portal.desk.queue import Tab
from portal.pages.doors import me

KEPT = timedelta(days=365)


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
    """What the address chooses of it, or what was chosen last; the usual ones otherwise."""
    said = ",".join(request.args.getlist("cols")).split(",")
    return _known(tab, said) or _known(tab, _kept().get(tab.value, "").split(".")) or usual(tab)


def usual(tab: Tab) -> list[Shown]:
    """What a list shows to whoever chose nothing."""
    rare = _RARE_LATER if tab is Tab.DECIDED else _RARE
    return [each for each in offered(tab) if each not in rare]


def wanted(tab: Tab) -> list[Shown]:
    """What the form asks for; empty for the usual ones."""
    found = _known(tab, request.form.getlist("cols"))
    return [] if found == usual(tab) else found


def keep(response: Response, tab: Tab, columns: Iterable[Shown]) -> Response:
    """Let a list have these columns from now on; without any, the usual ones."""
    kept = _kept() | {tab.value: ".".join(columns)}
    response.set_cookie(
        _cookie(),
        urlencode({name: value for name, value in kept.items() if value}),
        max_age=KEPT,
        path=current_app.config["APPLICATION_ROOT"] or "/",
        secure=settings.current().is_https,
        httponly=True,
        samesite="Lax",
    )
    return response


def _known(tab: Tab, names: Iterable[str]) -> list[Shown]:
    named = set(names)
    return [each for each in offered(tab) if each.value in named]


def _kept() -> dict[str, str]:
    """By list, whatever else somebody may have put into the cookie left out."""
    said = dict(parse_qsl(request.cookies.get(_cookie(), "")))
    return {tab.value: ".".join(_known(tab, said.get(tab.value, "").split("."))) for tab in Tab}


def _cookie() -> str:
    """Each their own: colleagues may share a browser."""
    return f"columns-{me().id}"
