"""A finding: one line of the doctor's, with what to do where something is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was seen, and the remedy."""

    level: Level
    about: str
    text: str
    remedy: str = ""


def ok(about: str, text: str) -> Finding:
    """Say that something is as it should be."""
    return Finding(Level.OK, about, text)


def warn(about: str, text: str, remedy: str = "") -> Finding:
    """Say that something works, but is probably not meant."""
    return Finding(Level.WARN, about, text, remedy)


def fail(about: str, text: str, remedy: str = "") -> Finding:
    """Say that something keeps the portal from working."""
    return Finding(Level.FAIL, about, text, remedy)
