"""The cast: who lives in the demo and what they may open, read from people.toml and agents.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody invented. people.toml says what each field means."""

    name: str
    username: str
    email: str
    language: str
    zone: str
    part: str = ""
    reason: str = ""
    communication: str = "important"
    said: str = ""
    since: int | None = None
    wish: str = ""
    network: str = ""
    seconds: int | None = None
    asks: str = ""
    answers: str = ""
    notes: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)
    life: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Opening:
    """An agent or app, and the name of the access level that it requires."""

    name: str
    kind: str
    level: str
    description: str
    enabled: bool = True

    @property
    def url(self) -> str:
        """Where it leads: a page that answers anywhere, and names what was opened."""
        return f"https://example.org/?opened={self.name.lower().replace(' ', '-')}"


@dataclass(frozen=True)
class Cast:
    """Everybody and everything in the demo, in the order of the files."""

    staff: tuple[Person, ...]
    people: tuple[Person, ...]
    openings: tuple[Opening, ...]


def read() -> Cast:
    """The cast as the files tell it."""
    people = tomllib.loads((HERE / "people.toml").read_text("utf-8"))
    agents = tomllib.loads((HERE / "agents.toml").read_text("utf-8"))
    return Cast(
        staff=tuple(_person(row) for row in people["staff"]),
        people=tuple(_person(row) for row in people["people"]),
        openings=tuple(Opening(**row) for row in agents["agents"]),
    )


def _person(row: dict[str, Any]) -> Person:
    return Person(**{**row, "life": tuple(row.get("life", ()))})
