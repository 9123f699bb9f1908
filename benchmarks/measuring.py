"""Counting how often something can be done in a second, by one thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the table: a rate, and its share of what it is compared with."""

    name: str
    per_second: float
    compared_with: float
    yardstick: str

    def line(self) -> str:
        """The figure as people read it."""
        share = self.per_second / self.compared_with
        milliseconds = 1000 / self.per_second
        return (
            f"{self.name:<30}{self.per_second:>9.1f} a second {milliseconds:>8.2f} ms"
            f" {share:>7.3f} of {self.yardstick}"
        )


def rate(once: Callable[[], object], seconds: float) -> float:
    """How many times a second `once` can be called; the first call, which warms up, not counted."""
    once()
    done, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        once()
        done += 1
    return done / spent
