"""Revisions: which one the code expects of the database, and which one it has."""

from __future__ import annotations

import ast
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from threading import Lock

from portal.settings import ROOT, Settings

VERSIONS = ROOT / "migrations" / "versions"

# Python 3.11 fails now and then where two threads make syntax trees at once ("AST constructor
# recursion depth mismatch"), as the first requests for /readyz may.
_parsing = Lock()


class Unreachable(Exception):
    """The database does not answer; the text says why, without its password."""


class Standing(StrEnum):
    """How a database stands to the code."""

    EMPTY = "empty"
    BEHIND = "behind"
    CURRENT = "current"
    UNKNOWN = "unknown"  # made by a newer portal


@dataclass(frozen=True)
class Revision:
    """One migration: its name, and the ones it follows."""

    name: str
    follows: frozenset[str]


def standing(found: str | None) -> Standing:
    """Say how a database at a revision (None: without any) stands to the code."""
    if found is None:
        return Standing.EMPTY
    if found == head():
        return Standing.CURRENT
    return Standing.BEHIND if found in _revisions() else Standing.UNKNOWN


@cache
def head() -> str:
    """Name the newest revision. Read from the files: importing Alembic takes half a second.

    Raises:
        RuntimeError: there is none, or more than one.
    """
    revisions = _revisions()
    followed = {name for revision in revisions.values() for name in revision.follows}
    heads = sorted(set(revisions) - followed)
    if len(heads) != 1:
        raise RuntimeError(f"expected one newest migration in {VERSIONS}, found {heads}")
    return heads[0]


def in_database(settings: Settings) -> str | None:
    """Read the revision of a database, without loading the application; None: it has none.

    Raises:
        Unreachable: the database does not answer.
    """
    url = settings.database_url
    if url.startswith("sqlite"):
        return _in_sqlite(sqlite_file(settings))
    return _in_postgresql(url)


def sqlite_file(settings: Settings) -> Path:
    """Say where the database is, when it is an SQLite file."""
    return Path(settings.database_url.removeprefix("sqlite:///").partition("?")[0])


def libpq_url(url: str) -> str:
    """Write a database URL as PostgreSQL's own tools read it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _in_sqlite(file: Path) -> str | None:
    if not file.exists() or not file.stat().st_size:
        return None
    try:
        # Not mode=ro: a database in write-ahead mode needs its -shm file written to be read.
        with closing(sqlite3.connect(file, timeout=5)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        if "no such table" in str(error):
            return None
        raise Unreachable(f"{file}: {error}") from None
    return str(row[0]) if row else None


def _in_postgresql(url: str) -> str | None:
    # Imported where it is needed: most instances are on SQLite, and this takes a while.
    import psycopg

    try:
        with psycopg.connect(libpq_url(url), connect_timeout=10) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    except psycopg.Error as error:
        raise Unreachable(without_password(str(error).strip(), url)) from None
    return str(row[0]) if row else None


def without_password(text: str, url: str) -> str:
    """Blank the passwords of a database URL wherever they stand in a text."""
    # To the last @: a password may hold one, or a slash, that nobody quoted.
    found = re.findall(r"^[A-Za-z0-9+]+://[^:/@]*:(.*)@", url)
    found += re.findall(r"[?&](?:ssl)?password=([^&]*)", url)
    for password in filter(None, found):
        text = text.replace(password, "***")
    return text


@cache
def _revisions() -> dict[str, Revision]:
    found = (_read(path) for path in sorted(VERSIONS.glob("*.py")))
    return {revision.name: revision for revision in found if revision}


def _read(path: Path) -> Revision | None:
    values: dict[str, object] = {}
    with _parsing:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            target = statement.targets[0]
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            target = statement.target
        else:
            continue
        if isinstance(target, ast.Name) and target.id in ("revision", "down_revision"):
            values[target.id] = ast.literal_eval(statement.value)  # type: ignore[arg-type]
    if "revision" not in values:
        return None
    before = values.get("down_revision") or ()
    follows = {before} if isinstance(before, str) else set(before)  # type: ignore[call-overload]
    return Revision(str(values["revision"]), frozenset(follows))
