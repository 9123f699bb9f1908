"""Percentiles: what half of the waits, and nine of ten, were shorter than."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta


def wait_at(share: float, waited_seconds: Sequence[int]) -> timedelta | None:
    """The wait that this share of all waits did not exceed (nearest rank); None for no waits.

    `share` is above 0 and at most 1.
    """
    if not waited_seconds:
        return None
    rank = max(1, math.ceil(share * len(waited_seconds)))
    return timedelta(seconds=sorted(waited_seconds)[rank - 1])
