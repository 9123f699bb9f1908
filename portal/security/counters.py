"""Counters: where limits count; in this process, or in a Redis that several of them share.

A Redis that is away fails no request and lifts no limit: each process counts by itself meanwhile.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from typing import Any

from limits.storage import RedisStorage
from limits.storage.base import Storage
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

log = logging.getLogger(__name__)

HERE = "portal-memory"
SHARED = "portal-shared"

# Seconds that Redis has to answer, and for which it is left alone when it has not.
ANSWERS_WITHIN = 1.0
LEFT_ALONE_FOR = 5.0

# Some 35 MB of counters, if strangers fill them. Filling them takes as many attempts, each of
# which costs its own network a part of what it may try.
MOST = 100_000


class BoundedMemory(Storage):
    """Counts that are forgotten in time, and the soonest due first when there are too many.

    The library's own memory has no end, and looks through all it holds after every request: a
    stranger who makes up names could fill the one and slow down the other.
    """

    STORAGE_SCHEME = [HERE]  # noqa: RUF012 (the library reads a list)

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **_: Any) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}
        self._due: list[tuple[float, str]] = []

    @property
    def base_exceptions(self) -> type[Exception]:
        """What may go wrong here: nothing of its own."""
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count on, and say how far; from nothing, for `expiry` seconds from now."""
        now = time.time()
        with self._lock:
            self._forget(now)
            count, until = self._counts.get(key, (0, 0.0))
            if until <= now:
                count, until = 0, now + expiry
                heapq.heappush(self._due, (until, key))
            self._counts[key] = max(0, count + amount), until
            return self._counts[key][0]

    def get(self, key: str) -> int:
        """How far it was counted; 0 where that is forgotten."""
        count, until = self._counts.get(key, (0, 0.0))
        return count if until > time.time() else 0

    def get_expiry(self, key: str) -> float:
        """When a count is forgotten, in seconds since the epoch; now, where there is none."""
        return self._counts.get(key, (0, time.time()))[1]

    def check(self) -> bool:
        """Whether it can be reached: always."""
        return True

    def clear(self, key: str) -> None:
        """Forget one count at once."""
        with self._lock:
            self._counts.pop(key, None)

    def reset(self) -> int:
        """Forget all of them, and say how many there were."""
        with self._lock:
            many = len(self._counts)
            self._counts.clear()
            self._due.clear()
            return many

    def _forget(self, now: float) -> None:
        """Drop what is due, and what there is no room for: a step or two for each that is added."""
        while self._due and (self._due[0][0] <= now or len(self._due) >= MOST):
            until, key = heapq.heappop(self._due)
            if self._counts.get(key, (0, 0.0))[1] == until:
                del self._counts[key]


class Shared(Storage):
    """Counts in Redis, or in this process while that cannot be reached."""

    STORAGE_SCHEME = [SHARED]  # noqa: RUF012 (the library reads a list)

    def __init__(
        self, uri: str | None = None, wrap_exceptions: bool = False, *, url: str, **_: Any
    ) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        options: dict[str, Any] = {
            "socket_connect_timeout": ANSWERS_WITHIN,
            "socket_timeout": ANSWERS_WITHIN,
            "retry": Retry(NoBackoff(), 0),
        }
        self._there: Storage = RedisStorage(url, **options)
        self._here = BoundedMemory()
        self._away_until = 0.0

    @property
    def base_exceptions(self) -> type[Exception]:
        """What may go wrong: what does is dealt with here."""
        return RedisError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count on, and say how far; from nothing, for `expiry` seconds from now."""
        return int(self._ask("incr", key, int(expiry), amount))

    def get(self, key: str) -> int:
        """How far it was counted."""
        return int(self._ask("get", key))

    def get_expiry(self, key: str) -> float:
        """When a count is forgotten, in seconds since the epoch."""
        return float(self._ask("get_expiry", key))

    def check(self) -> bool:
        """Whether limits can be counted: always, somewhere."""
        return True

    def clear(self, key: str) -> None:
        """Forget one count at once."""
        self._ask("clear", key)

    def reset(self) -> int | None:
        """Forget all of them."""
        forgotten: int | None = self._ask("reset")
        return forgotten

    def _ask(self, what: str, *about: Any) -> Any:
        if time.monotonic() >= self._away_until:
            try:
                return getattr(self._there, what)(*about)
            except RedisError as error:
                self._away_until = time.monotonic() + LEFT_ALONE_FOR
                # Its words may hold the address of the server, and a password with it.
                log.warning(
                    "Redis is away: limits count in this process (%s)", type(error).__name__
                )
        return getattr(self._here, what)(*about)
