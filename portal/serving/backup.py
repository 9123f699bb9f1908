"""Backup: a copy of the database while it is in use. The secrets are not in it."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from portal import revisions
from portal.serving import postgres
from portal.serving.problems import Problem
from portal.settings import Settings

PAGES_AT_ONCE = 2048
Progress = Callable[[int, int], None]


def default_file(ours: Settings, label: str = "") -> Path:
    """Name a file that is not there yet in the instance's backups folder, by the time."""
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    name = "-".join(filter(None, ["portal", moment, label]))
    end = ".sqlite3" if ours.database_url.startswith("sqlite") else ".pgdump"
    folder = ours.instance / "backups"
    numbered = (folder / f"{name}-{number}{end}" for number in itertools.count(2))
    names = itertools.chain([folder / f"{name}{end}"], numbered)
    return next(file for file in names if not file.exists())


def make(ours: Settings, file: Path, progress: Progress | None = None) -> Path:
    """Copy the database into a file that only its owner can read; it appears whole, or not.

    Raises:
        Problem: the file is there already or cannot be written; the database cannot be read.
    """
    if file.exists():
        raise Problem(f"{file} exists already. Name another file.")
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial.touch(mode=0o600, exist_ok=False)
        if ours.database_url.startswith("sqlite"):
            copy_sqlite(revisions.sqlite_file(ours), partial, progress)
        else:
            postgres.dump(ours, partial)
        _sync(partial)
        os.link(partial, file)
    except FileExistsError:
        raise Problem(f"{file} exists already. Name another file.") from None
    except OSError as error:
        raise Problem(f"{file} cannot be written ({error.strerror}).") from None
    finally:
        partial.unlink(missing_ok=True)
    return file


def copy_sqlite(source: Path, target: Path, progress: Progress | None = None) -> None:
    """Copy an SQLite database page by page, as of one moment, and check the copy."""
    if not source.exists():
        raise Problem(f"There is no database at {source} yet.")

    def tell(_status: int, remaining: int, total: int) -> None:
        if progress:
            progress(total - remaining, total)

    try:
        with closing(_reading(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new, pages=PAGES_AT_ONCE, progress=tell, sleep=0.01)
            # A backup is one file: no write-ahead log beside it.
            new.execute("PRAGMA journal_mode=DELETE")
            verdict = new.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.Error as error:
        raise Problem(f"{source} cannot be copied: {error}.") from None
    if verdict != "ok":
        raise Problem(f"The copy of {source} is damaged: {verdict}.")


def _reading(file: Path) -> sqlite3.Connection:
    # One read transaction around all steps: otherwise the copy begins anew with every change
    # that somebody else makes meanwhile, and never ends on a busy portal.
    connection = sqlite3.connect(file, timeout=30, isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return connection


def _sync(file: Path) -> None:
    with open(file, "rb") as written:
        os.fsync(written.fileno())
