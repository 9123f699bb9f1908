"""Ending with the parent: a child of `portal run` never outlives it, whatever ends it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def end_with(parent: int, *, within: float | None = None) -> None:
    """Ask this process to end, by SIGTERM, as soon as its parent has ended.

    With `within`, it is ended for good that many seconds later. That takes a thread, which
    a process that forks should do without.
    """
    told_by_system = _ask_linux(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("The process that started this one has ended.")
    if within is not None or not told_by_system:
        watch = threading.Thread(target=_watch, args=(parent, within, told_by_system), daemon=True)
        watch.start()


def adopt_orphans() -> None:
    """Become the parent of what a child leaves behind, so that it can be waited for."""
    _ask_linux(_PR_SET_CHILD_SUBREAPER, 1)


def _ask_linux(option: int, value: int) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(option, value, 0, 0, 0) == 0)


def _watch(parent: int, within: float | None, told_by_system: bool) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    if not told_by_system:
        os.kill(os.getpid(), signal.SIGTERM)
    if within is not None:
        time.sleep(within)
        os._exit(1)
