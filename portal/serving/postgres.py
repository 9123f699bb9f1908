"""PostgreSQL's own tools: run without a password on their command line, and explained."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from portal import revisions
from portal.serving.problems import Problem
from portal.settings import Settings


def dump(ours: Settings, file: Path) -> None:
    """Copy the database into a file, as of one moment."""
    _on_database(ours, "pg_dump", "--format=custom", f"--file={file}")


def load(ours: Settings, file: Path) -> None:
    """Bring what is in a file into a database without tables: all of it, or nothing."""
    plain = ("--no-owner", "--no-privileges", "--no-comments")
    _on_database(ours, "pg_restore", *plain, "--single-transaction", str(file))


def drop_tables(ours: Settings) -> None:
    """Empty the database: what a newer portal has added would be in the way of an older copy.

    With the tables go the functions that their triggers call.
    """
    import psycopg

    with psycopg.connect(revisions.libpq_url(ours.database_url)) as connection:
        rows = connection.execute(
            "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema()"
        ).fetchall()
        for (name,) in rows:
            connection.execute(f"DROP TABLE {name} CASCADE")
        triggers = connection.execute(
            "SELECT oid::regprocedure::text FROM pg_proc"
            " WHERE pronamespace = current_schema()::regnamespace"
            " AND prorettype = 'trigger'::regtype"
        ).fetchall()
        for (name,) in triggers:
            connection.execute(f"DROP FUNCTION {name}")


def revision_in(file: Path) -> str | None:
    """Read the revision out of a file that `dump` has written; None: it is not the portal's.

    Raises:
        Problem: the file is not one of these, or damaged.
    """
    with open(file, "rb") as opened:
        if opened.read(5) != b"PGDMP":
            raise Problem(f"{file} is not a backup made by `portal db backup` from PostgreSQL.")
    only = ("--data-only", "--table=alembic_version", "--file=-", str(file))
    data = _run(["pg_restore", *only], dict(os.environ))
    found = re.search(r"^COPY .*alembic_version .*;\n(.+)$", data, re.MULTILINE)
    return found[1] if found else None


def _on_database(ours: Settings, tool: str, *arguments: str) -> None:
    parts = urlsplit(revisions.libpq_url(ours.database_url))
    environ = dict(os.environ)
    if parts.password:
        environ["PGPASSWORD"] = unquote(parts.password)
        user, _, host = parts.netloc.rpartition("@")
        parts = parts._replace(netloc=f"{user.partition(':')[0]}@{host}")
    _run([tool, *arguments[:-1], f"--dbname={urlunsplit(parts)}", arguments[-1]], environ)


def _run(command: list[str], environ: dict[str, str]) -> str:
    try:
        done = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise Problem(
            f"{command[0]} is not installed. On Debian: apt-get install postgresql-client"
        ) from None
    except subprocess.CalledProcessError as error:
        raise Problem(f"{command[0]} failed: {error.stderr.strip()}") from None
    return done.stdout
