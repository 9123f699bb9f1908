"""What the doctor sees in the instance folder and in the database."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

from portal import revisions
from portal.revisions import Standing, Unreachable
from portal.serving import folder as instance
from portal.serving import migration
from portal.serving.doctor.finding import Finding, fail, ok, warn
from portal.serving.problems import Problem
from portal.settings import Settings

_MIB = 1024 * 1024


def folder(ours: Settings) -> Iterator[Finding]:
    """Look whether the instance folder can be written to, and has room."""
    if not ours.instance.is_dir():
        yield warn("folder", f"{ours.instance} is not there yet.", "`portal run` makes it.")
        return
    try:
        instance.prepare(ours.instance)
    except Problem as problem:
        yield fail("folder", str(problem))
        return
    yield ok("folder", str(ours.instance))
    free = shutil.disk_usage(ours.instance).free // _MIB
    if free < 64:
        yield fail("disk", f"{free} MiB free.", "Make room: the database cannot grow.")
    elif free < 1024:
        yield warn("disk", f"{free} MiB free.", "Make room soon.")
    else:
        yield ok("disk", f"{free // 1024} GiB free")


def database(ours: Settings) -> Iterator[Finding]:
    """Look whether the database answers, is of this version, whole, and has a worker."""
    name = migration.describe(ours)
    try:
        found = revisions.in_database(ours)
    except Unreachable as error:
        yield fail("database", str(error), "Start it, or correct url in [database].")
        return
    match revisions.standing(found):
        case Standing.EMPTY:
            yield warn("database", f"{name} is empty.", "`portal run` or `portal db upgrade`.")
            return
        case Standing.BEHIND:
            remedy = "`portal db upgrade`; `portal run` does it too."
            yield fail("database", f"{name} is at revision {found}.", remedy)
            return
        case Standing.UNKNOWN:
            remedy = "Update the portal, or restore an older backup."
            yield fail("database", f"{name} is newer than the portal: {found}.", remedy)
            return
    yield ok("database", f"{name}, at revision {found}")
    yield from _wholeness(ours)
    yield from _worker(ours)


def _wholeness(ours: Settings) -> Iterator[Finding]:
    if not ours.database_url.startswith("sqlite"):
        return
    with closing(sqlite3.connect(revisions.sqlite_file(ours), timeout=30)) as connection:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict == "ok":
        yield ok("database file", "whole")
    else:
        remedy = "`portal db restore FILE --force` with the newest backup."
        yield fail("database file", f"damaged: {verdict}", remedy)


def _worker(ours: Settings) -> Iterator[Finding]:
    # Read without the application, which takes a second to load and may be what is broken.
    query = "SELECT at FROM heartbeats WHERE name = 'worker'"
    beat = _one_moment(ours, query)
    remedy = "`portal run` starts one; beside another web server, run `portal worker`."
    if beat is None:
        yield warn("worker", "has never run.", remedy)
        return
    seconds = (datetime.now(UTC) - beat).total_seconds()
    if seconds > 60:
        yield warn("worker", f"not seen since {beat:%Y-%m-%d %H:%M:%S} UTC.", remedy)
    else:
        yield ok("worker", f"alive {seconds:.0f} s ago")


def _one_moment(ours: Settings, query: str) -> datetime | None:
    if ours.database_url.startswith("sqlite"):
        with closing(sqlite3.connect(revisions.sqlite_file(ours))) as connection:
            row = connection.execute(query).fetchone()
        return datetime.fromisoformat(row[0]).replace(tzinfo=UTC) if row else None
    import psycopg

    with psycopg.connect(revisions.libpq_url(ours.database_url)) as postgres:
        found = postgres.execute(query).fetchone()
    return found[0] if found else None
