"""Migration: the database is brought to the revision of the code, with a copy made before."""

from __future__ import annotations

import contextlib
import fcntl
import logging
from collections.abc import Iterator
from pathlib import Path

from werkzeug.utils import import_string

from portal import revisions
from portal.revisions import Standing, Unreachable
from portal.serving import backup
from portal.serving.problems import Problem
from portal.settings import Settings


def bring_up(ours: Settings) -> str:
    """Migrate if something is pending, and say what was done.

    Raises:
        Problem: the database does not answer, is newer than the code, or refuses to be migrated.
    """
    found = _found(ours)
    match revisions.standing(found):
        case Standing.CURRENT:
            return f"at revision {found}"
        case Standing.UNKNOWN:
            raise Problem(_newer(ours, found))
    with _alone_migrating(ours):
        found = _found(ours)  # another process may have been quicker
        if found == revisions.head():
            return f"at revision {found}"
        copy = _copy_before(ours, found)
        _upgrade(ours, copy)
    if found is None:
        return f"made, at revision {revisions.head()}"
    kept = f"; copy kept as {copy}" if copy else ""
    return f"migrated from {found} to {revisions.head()}{kept}"


def describe(ours: Settings) -> str:
    """Name the database for a person: never with its password."""
    if ours.database_url.startswith("sqlite"):
        return str(revisions.sqlite_file(ours))
    return revisions.without_password(ours.database_url, ours.database_url)


def upgrade(ours: Settings) -> None:
    """Run the migrations that are pending.

    Raises:
        Problem: one of them failed; its reason is in the text.
    """
    from alembic import command

    site = import_string("wsgi:create_site")(ours)
    # Alembic announces every step as INFO, also to a log that nobody has set up.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with site.app_context():
        from portal.database import db

        try:
            command.upgrade(site.extensions["migrate"].migrate.get_config(), "head")
        except Exception as error:
            reason = str(error).strip() or type(error).__name__
            reason = revisions.without_password(reason, ours.database_url)
            raise Problem(f"The migration failed: {reason}") from error
        finally:
            db.session.remove()
            db.engine.dispose()


def _found(ours: Settings) -> str | None:
    try:
        return revisions.in_database(ours)
    except Unreachable as error:
        raise Problem(
            f"The database does not answer: {error}. Correct url in [database] "
            "(PORTAL_DATABASE_URL), or start the database."
        ) from None


def _newer(ours: Settings, found: str | None) -> str:
    return (
        f"The database ({describe(ours)}) is at revision {found}, which this version of the "
        "portal does not know: a newer one has used it. Update the portal, or restore a backup "
        "that was made before."
    )


def _copy_before(ours: Settings, found: str | None) -> Path | None:
    if found is None or not ours.database_url.startswith("sqlite"):
        return None
    return backup.make(ours, backup.default_file(ours, f"before-{revisions.head()}"))


def _upgrade(ours: Settings, copy: Path | None) -> None:
    try:
        upgrade(ours)
    except Problem as problem:
        if copy is None:
            raise
        remedy = f"`portal db restore --force {copy}` brings the data from before back."
        raise Problem(f"{problem}\n{remedy}") from problem


@contextlib.contextmanager
def _alone_migrating(ours: Settings) -> Iterator[None]:
    """Let one process migrate at a time: on this machine by a file, on PostgreSQL by its lock."""
    with contextlib.ExitStack() as held:
        file = held.enter_context(open(ours.instance / "migration.lock", "ab"))
        fcntl.flock(file, fcntl.LOCK_EX)
        if not ours.database_url.startswith("sqlite"):
            import psycopg

            url = revisions.libpq_url(ours.database_url)
            connection = held.enter_context(psycopg.connect(url, autocommit=True))
            connection.execute("SELECT pg_advisory_lock(hashtext('portal.migration'))")
        yield
