"""The access matrix, read from the page that people read: docs/access-matrix.md.

Nothing in a test says a second time who may do what; what the page says is what is walked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "access-matrix.md"

# What somebody finds at an address, as the first table of the page says.
OPENS, SIGN_IN, OWN_STATUS, REFUSED = "opens", "sign-in", "own status", "refused"

# Fields that many forms have besides their own; the page says what they are worth.
EVERYWHERE = frozenset({"csrf_token", "submit", "next", "back"})


@dataclass(frozen=True)
class Line:
    """What the matrix says about one endpoint."""

    endpoint: str
    address: str
    methods: frozenset[str]
    who: str
    besides: frozenset[str]
    fields: frozenset[str]


@cache
def lines() -> dict[str, Line]:
    """Every endpoint by its name.

    Raises:
        ValueError: an endpoint stands there twice.
    """
    found: dict[str, Line] = {}
    for row in _rows("Endpoint"):
        line = Line(
            endpoint=_plain(row["Endpoint"]),
            address=_plain(row["Address"]),
            methods=frozenset(row["How"].split(", ")),
            who=row["Who"],
            besides=frozenset(row["Besides"].split(", ")) - {""},
            fields=frozenset(re.findall(r"`([^`]+)`", row["Fields"])),
        )
        if line.endpoint in found:
            raise ValueError(f"{line.endpoint} stands in {PAGE.name} twice")
        found[line.endpoint] = line
    return found


@cache
def audiences() -> dict[str, dict[str, str]]:
    """For each audience, what each kind of visitor finds."""
    return {row.pop("Who"): row for row in _rows("Who")}


@cache
def files() -> dict[str, list[str]]:
    """The columns of each file that leaves the portal, in their order."""
    return {_plain(row["File"]): row["Columns"].split(", ") for row in _rows("File")}


def finds(who: str, endpoint: str) -> str:
    """What a kind of visitor finds there."""
    return audiences()[lines()[endpoint].who][who]


def opens(who: str, endpoint: str) -> bool:
    """Whether it is for them."""
    return finds(who, endpoint) == OPENS


def visitors() -> list[str]:
    """Who comes, from strangers up."""
    return list(next(iter(audiences().values())))


def weakest(endpoint: str) -> str:
    """The first on the ladder to whom it opens."""
    return next(who for who in visitors() if opens(who, endpoint))


def _rows(first: str) -> list[dict[str, str]]:
    """The rows of every table whose first column is called so."""
    rows, head = [], None
    for text in PAGE.read_text("utf-8").splitlines():
        if not text.startswith("|"):
            head = None
            continue
        cells = [cell.strip() for cell in text.strip("|").split("|")]
        if head is None:
            head = cells
        elif head[0] == first and not set(text) <= set("|-: "):
            rows.append(dict(zip(head, cells, strict=True)))
    return rows


def _plain(cell: str) -> str:
    return cell.strip("`")
