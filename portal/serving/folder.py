"""The instance folder: private, writable, and marked as in use while somebody uses it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from portal.serving.problems import Problem

LOCK = "portal.lock"


def prepare(folder: Path) -> None:
    """Make the instance folder if it is not there, and see that files can be written into it.

    Raises:
        Problem: it cannot be made or written to.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise Problem(
            f"The instance folder {folder} cannot be written to ({error.strerror}). Give it to "
            "the user who runs the portal, or name another one in PORTAL_INSTANCE."
        ) from None


def tighten(path: Path, mode: int) -> bool:
    """Take rights away from others, where the file is ours. Returns whether it was necessary."""
    now = stat.S_IMODE(path.stat().st_mode)
    if now & ~mode == 0:
        return False
    os.chmod(path, now & mode)
    return True


@contextlib.contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Mark the folder as used by a running portal; several may run on one folder.

    Raises:
        Problem: a restore is under way.
    """
    message = f"The data in {folder} is being restored just now. Start the portal afterwards."
    with _locked(folder, fcntl.LOCK_SH, message):
        yield


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep every portal away from the folder.

    Raises:
        Problem: one is running.
    """
    message = f"A portal is running on {folder}. Stop it first."
    with _locked(folder, fcntl.LOCK_EX, message):
        yield


@contextlib.contextmanager
def _locked(folder: Path, kind: int, message: str) -> Iterator[None]:
    # The system lets go of the lock when the process ends, however it ends.
    with open(folder / LOCK, "ab", opener=_private) as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem(message) from None
        yield


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
