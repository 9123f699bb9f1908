"""Hashing: each takes a core and its memory for a moment, so only so many go on at once.

Without a bound, sixty who sign in together would hold sixty times the memory, and all would wait
for the last of them (ASVS 2.4.1, 15.2.2).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from flask import Flask, current_app
from werkzeug.exceptions import ServiceUnavailable

from portal import settings

_NAME = "portal.hashing"


class TooBusy(ServiceUnavailable):
    """So many passwords are being hashed that there was no turn in time. Nothing was done."""


def init_app(app: Flask) -> None:
    """Give this process its share of what may be hashed at once."""
    app.extensions[_NAME] = BoundedSemaphore(at_once(settings.of(app)))


def at_once(ours: settings.Settings) -> int:
    """How many may be hashed at once in one process: what is set, or its share of the cores."""
    cores = len(os.sched_getaffinity(0))
    return ours.passwords.hashes_at_once or max(1, cores // ours.server.workers)


@contextmanager
def turn() -> Iterator[None]:
    """Wait for a turn to hash; keep it to what hashes, and never take it inside another.

    Raises:
        TooBusy: there was none within `hash_wait_seconds`.
    """
    turns: BoundedSemaphore = current_app.extensions[_NAME]
    if not turns.acquire(timeout=settings.current().passwords.hash_wait_seconds):
        raise TooBusy
    try:
        yield
    finally:
        turns.release()
