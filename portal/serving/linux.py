"""Linux: what it can be asked about a process that Python has no word for."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36


def signal_when_parent_ends(number: signal.Signals) -> bool:
    """Ask for a signal at the moment the parent has ended. False: this system cannot."""
    return _ask(_PR_SET_PDEATHSIG, int(number))


def adopt_orphans() -> bool:
    """Become the parent of what a child leaves behind, so that it can be waited for."""
    return _ask(_PR_SET_CHILD_SUBREAPER, 1)


def name_process(name: str) -> bool:
    """Show a name in `top` and `ps -o comm`, fifteen letters of it."""
    return _ask(_PR_SET_NAME, name.encode()[:15])


def _ask(option: int, value: int | bytes) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)
