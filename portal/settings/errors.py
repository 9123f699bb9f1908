"""What is said when a setting cannot be used: which one, where it stood, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class SettingsError(Exception):
    """A sentence for the operator; it never repeats the value of a secret."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Name the nearest right name, or all of them when none is near."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f'did you mean "{near[0]}"?'
    return "the known ones are " + ", ".join(names) + "."
