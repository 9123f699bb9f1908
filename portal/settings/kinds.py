"""Kinds of values: what a key may hold, said once beside its default."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import Field, field
from typing import Any

Check = Callable[[Any], bool]

_LIMIT = re.compile(r"\d+ per (\d+ )?(second|minute|hour|day|month|year)s?")
_ADDRESS = re.compile(r"[^@\s<>\"]+@[^@\s<>\"]+")
_HEADER_BREAK = re.compile(r"[\x00-\x1f\x7f]")


def whole(default: int, least: int, most: int) -> Any:
    """Hold a whole number between two bounds, both allowed."""
    expected = f"a whole number from {least} to {most}"
    return _kind(default, expected, lambda value: least <= value <= most)


def one_of(default: str, *others: str) -> Any:
    """Hold one of a few words; the first is the default."""
    words = (default, *others)
    expected = "one of " + ", ".join(f'"{word}"' for word in words)
    return _kind(default, expected, lambda value: value in words)


def limit(default: str) -> Any:
    """Hold a rate limit such as "5 per 5 minutes"; several are separated by semicolons."""
    return _kind(
        default,
        'a limit such as "10 per minute" or "5 per 5 minutes; 100 per day"',
        lambda value: all(_LIMIT.fullmatch(part.strip()) for part in value.split(";")),
    )


def address(default: str) -> Any:
    """Hold an e-mail address."""
    return _kind(
        default,
        "an e-mail address such as portal@example.org",
        lambda value: bool(_ADDRESS.fullmatch(value)),
    )


def address_or_nothing() -> Any:
    """Hold an e-mail address, or nothing."""
    return _kind(
        "",
        'an e-mail address such as help@example.org, or "" for none',
        lambda value: value == "" or bool(_ADDRESS.fullmatch(value)),
    )


def one_line(default: str, *, empty: bool = False) -> Any:
    """Hold text that fits into one line, as names and mail headers need."""
    return _kind(
        default,
        "one line of text" + (' (or "")' if empty else ""),
        lambda value: not _HEADER_BREAK.search(value) and (empty or bool(value.strip())),
    )


def expected_of(key: Field[Any]) -> str:
    """Say in words what a key may hold."""
    words: str = key.metadata.get("expected", "")
    return words


def accepts(key: Field[Any], value: Any) -> bool:
    """Tell whether a value of the right type is one that the key may hold."""
    check: Check | None = key.metadata.get("check")
    return check is None or check(value)


def _kind(default: Any, expected: str, check: Check) -> Any:
    return field(default=default, metadata={"expected": expected, "check": check})
