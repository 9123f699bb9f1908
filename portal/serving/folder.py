"""The instance folder: private, writable, and marked as in use while somebody uses it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from portal.serving.problems import Problem

LOCK = "portal.lock"
CLAIM = "portal.run.lock"


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


def claim(folder: Path) -> BinaryIO:
    """Keep the folder for one `portal run`, as long as the file that is returned stays open.

    Raises:
        Problem: another one is running; the sentence says which.
    """
    file = open(folder / CLAIM, "a+b", opener=_private)  # noqa: SIM115
    try:
        # Of this process alone: unlike flock's, it is not handed on to children, who outlive a
        # supervisor that was killed by a moment and would keep the next one from starting.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.seek(0)
        number = file.read(20).decode("ascii", "replace")
        file.close()
        raise Problem(
            f"A portal is running on {folder} already (process {number}). Stop it first, or name "
            "another folder in PORTAL_INSTANCE."
        ) from None
    file.truncate(0)
    file.write(b"%d" % os.getpid())
    file.flush()
    return file


@contextlib.contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Mark the folder as used by a running portal or worker; several may be.

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
