"""Speaking to the terminal: lines, and numbered steps with the time each took."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import click


class Step:
    """One step under way; what it found out goes into its note."""

    def __init__(self) -> None:
        """Begin without a note."""
        self.note = ""


class Steps:
    """Numbered steps, each printed with its outcome and its time once it is done."""

    def __init__(self, total: int) -> None:
        """Expect so many steps; the clock starts now."""
        self.total = total
        self.began = time.monotonic()
        self._number = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the first step began."""
        return time.monotonic() - self.began

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Time one step and print it; one that fails is marked, and its error goes on."""
        self._number += 1
        step = Step()
        began = time.monotonic()
        try:
            yield step
        except BaseException:
            say(self._line(title, "failed", began), color="red")
            raise
        say(self._line(title, step.note, began))

    def _line(self, title: str, note: str, began: float) -> str:
        count = f"{self._number}/{self.total}"
        return f"{count:>6}  {title:<22}{time.monotonic() - began:6.2f} s  {note}".rstrip()


def say(text: str = "", *, color: str | None = None, error: bool = False) -> None:
    """Print a line, also when nobody can read it any more.

    A closed terminal or pipe must not keep the portal from stopping in order.
    """
    with contextlib.suppress(OSError):
        click.secho(text, fg=color, err=error)
