"""Export: a list as CSV, read page by page while it is sent, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from flask import Response, stream_with_context

from portal import clock
from portal.paging import Page

PER_PAGE = 500
# Spreadsheets take what begins like this for a formula (ASVS 1.2.10).
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
# Where lists are separated by semicolons, as in German, a spreadsheet reads our quotes as text
# and begins a cell within ours: after a semicolon, a tab, and the end of a line.
_BEGINS_ONE_WITHIN = re.compile(r"([;\t\r\n][\s\"']*)(?=[=+\-@＝＋－＠])")


class Column(NamedTuple):
    """One column: the words over it, and what it says of a row."""

    label: Any
    value: Callable[[Any], Any]


Fetch = Callable[[str, int], Page[Any]]
"""A page of the list: from a cursor ("" for the beginning), so many rows long."""


def csv_of(name: str, columns: Sequence[Column], fetch: Fetch) -> Response:
    """Send the whole list that `fetch` pages through.

    RFC 4180, UTF-8 with the mark by which spreadsheets know it, moments in ISO 8601 and UTC.
    However long the list is, one page of it is held at a time.
    """
    response = Response(
        stream_with_context(_lines(columns, fetch)), content_type="text/csv; charset=utf-8"
    )
    day = clock.now().date().isoformat()
    response.headers["Content-Disposition"] = f'attachment; filename="{name}-{day}.csv"'
    return response


def one_page(rows: Sequence[Any]) -> Fetch:
    """A list that is read at once because it is short."""
    return lambda _cursor, _per_page: Page(rows=rows)


def _lines(columns: Sequence[Column], fetch: Fetch) -> Iterator[str]:
    yield "\ufeff" + _line([str(column.label) for column in columns])
    cursor: str | None = ""
    while cursor is not None:
        page = fetch(cursor, PER_PAGE)
        yield "".join(_line([column.value(row) for column in columns]) for row in page.rows)
        cursor = page.after


def _line(values: Sequence[Any]) -> str:
    sheet = io.StringIO()
    csv.writer(sheet, lineterminator="\r\n").writerow([_cell(value) for value in values])
    return sheet.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)
    text = str(value).replace("\0", "")
    if isinstance(value, int | float):
        return text
    # A quote in front: the spreadsheet shows the text as it is, and counts nothing out.
    text = _BEGINS_ONE_WITHIN.sub(r"\1'", text)
    return f"'{text}" if text.startswith(_BEGINS_A_FORMULA) else text
