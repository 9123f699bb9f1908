"""Ending with the parent: a child of `portal run` never outlives it, whatever ends it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from portal.serving import linux


def end_with(parent: int, *, within: float | None = None) -> None:
    """Ask this process to end, by SIGTERM, as soon as its parent has ended.

    With `within`, it is ended for good that many seconds later. That takes a thread, which
    a process that forks should do without.
    """
    told = linux.signal_when_parent_ends(signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("The process that started this one has ended.")
    if within is not None or not told:
        threading.Thread(target=_watch, args=(parent, within, told), daemon=True).start()


def _watch(parent: int, within: float | None, told: bool) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    if not told:
        os.kill(os.getpid(), signal.SIGTERM)
    if within is not None:
        time.sleep(within)
        os._exit(1)
