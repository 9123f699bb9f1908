"""Delays: some tries are free, and each one more waits twice as long as the one before (M15).

Not a lock: whoever is slowed down can go on later, and nobody is kept out for good (ASVS 6.1.1,
6.3.1). A try is counted before it is made, so that many at the same moment are no way around.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from limits.storage.base import Storage

DAY = 24 * 60 * 60


@dataclass(frozen=True, kw_only=True)
class Delay:
    """How many tries are free, and how long it takes until the next ones, in seconds."""

    name: str
    free: int
    first: int
    longest: int
    remembered: int = DAY

    def take(self, key: str, storage: Storage) -> int:
        """Take a try; returns 0 when it may be made, else the seconds until the next may be.

        At most one try is let through when a wait is over, however many ask at that moment.
        """
        tries, pause = self._keys(key)
        if storage.get(pause):
            return self._left(pause, storage)
        made = storage.incr(tries, self.remembered)
        if made < self.free:
            return 0
        wait = min(self.first * 2 ** min(made - self.free, 30), self.longest)
        is_first_to_ask = storage.incr(pause, wait) == 1
        return 0 if is_first_to_ask or made == self.free else self._left(pause, storage)

    def give_back(self, key: str, storage: Storage) -> None:
        """Take a try for not made: it was no wrong guess. A wait that has begun goes on."""
        storage.incr(self._keys(key)[0], self.remembered, -1)

    def forget(self, key: str, storage: Storage) -> None:
        """Begin anew, after a right guess."""
        for each in self._keys(key):
            storage.clear(each)

    def _keys(self, key: str) -> tuple[str, str]:
        return f"DELAY/{self.name}/{key}/tries", f"DELAY/{self.name}/{key}/pause"

    @staticmethod
    def _left(pause: str, storage: Storage) -> int:
        return max(1, math.ceil(storage.get_expiry(pause) - time.time()))
