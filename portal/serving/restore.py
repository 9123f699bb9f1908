"""Restore: a backup becomes the database again, and nothing old is mailed or signed in by it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from portal import revisions
from portal.revisions import Standing
from portal.serving import backup, folder, migration, postgres
from portal.serving.problems import Problem
from portal.settings import Database, Settings


@dataclass(frozen=True)
class Restored:
    """What a restore did beside copying."""

    revision: str
    mails_dropped: int
    kept: Path | None


def restore(ours: Settings, file: Path, *, force: bool, tell: Callable[[str], None]) -> Restored:
    """Replace the database by a backup, migrated to this version of the portal.

    Mails that waited when the backup was made are dropped: people got them long ago. Everybody
    is signed out, and mailed links stop working: they could undo what happened since. With
    `force` a database that holds accounts is replaced; a copy of it is kept.

    Raises:
        Problem: a portal is running; accounts would be lost; the file is not a backup.
    """
    if not file.is_file():
        raise Problem(f"There is no file {file}.")
    folder.prepare(ours.instance)
    with folder.alone(ours.instance):
        kept = _keep_present(ours, force=force, tell=tell)
        into = _into_sqlite if ours.database_url.startswith("sqlite") else _into_postgresql
        dropped = into(ours, file, tell)
    return Restored(revisions.head(), dropped, kept)


def _keep_present(ours: Settings, *, force: bool, tell: Callable[[str], None]) -> Path | None:
    accounts = _count_accounts(ours)
    if accounts is None:
        return None
    if accounts and not force:
        raise Problem(
            f"The database ({migration.describe(ours)}) holds {accounts} accounts. "
            "--force replaces it; a copy is kept."
        )
    kept = backup.default_file(ours, "before-restore")
    tell(f"Keeping the present database as {kept}")
    return backup.make(ours, kept)


def _count_accounts(ours: Settings) -> int | None:
    """Count without the application: the present database may be of another version."""
    query = "SELECT count(*) FROM users"
    if ours.database_url.startswith("sqlite"):
        file = revisions.sqlite_file(ours)
        if not file.exists() or not file.stat().st_size:
            return None
        try:
            with closing(sqlite3.connect(file)) as connection:
                return int(connection.execute(query).fetchone()[0])
        except sqlite3.Error:
            return 0
    import psycopg

    try:
        with psycopg.connect(revisions.libpq_url(ours.database_url)) as postgres:
            row = postgres.execute(query).fetchone()
            return int(row[0]) if row else 0
    except psycopg.errors.UndefinedTable:
        return None
    except psycopg.Error as error:
        text = revisions.without_password(str(error).strip(), ours.database_url)
        raise Problem(f"The database does not answer: {text}") from None


def _into_sqlite(ours: Settings, file: Path, tell: Callable[[str], None]) -> int:
    # Made ready beside the database and moved into its place at the end: it is either
    # the old one or the new one, also when the power fails.
    target = revisions.sqlite_file(ours)
    fresh = target.with_name(f".{target.name}.restoring")
    _remove_sqlite(fresh)
    try:
        tell(f"Copying {file}")
        fresh.touch(mode=0o600)
        backup.copy_sqlite(file, fresh)
        dropped = _make_ready(replace(ours, database=_sqlite_at(ours, fresh)), file, tell)
        with closing(sqlite3.connect(fresh)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        _remove_sqlite(target, but_main_file=True)
        os.replace(fresh, target)
    finally:
        _remove_sqlite(fresh)
    return dropped


def _into_postgresql(ours: Settings, file: Path, tell: Callable[[str], None]) -> int:
    _must_be_known(postgres.revision_in(file), file)
    tell(f"Reading {file} into the database")
    postgres.drop_tables(ours)
    postgres.load(ours, file)
    return _make_ready(ours, file, tell)


def _make_ready(ours: Settings, file: Path, tell: Callable[[str], None]) -> int:
    found = revisions.in_database(ours)
    _must_be_known(found, file)
    if revisions.standing(found) is Standing.BEHIND:
        tell(f"Migrating from {found} to {revisions.head()}")
        migration.upgrade(ours)
    tell("Dropping mails that waited, and signing everybody out")
    return _forget_what_is_past(ours)


def _must_be_known(found: str | None, file: Path) -> None:
    match revisions.standing(found):
        case Standing.EMPTY:
            raise Problem(f"{file} is not a backup of the portal.")
        case Standing.UNKNOWN:
            raise Problem(
                f"{file} is at revision {found}, which this version of the portal does not "
                "know. Update the portal first."
            )


def _forget_what_is_past(ours: Settings) -> int:
    from sqlalchemy import delete, func, update
    from werkzeug.utils import import_string

    site = import_string("wsgi:create_site")(ours)
    with site.app_context():
        from portal.accounts.session import UserSession
        from portal.accounts.user import User
        from portal.database import db, transaction
        from portal.mail import outbox

        on_sqlite = db.engine.dialect.name == "sqlite"
        random = (
            func.lower(func.hex(func.randomblob(16)))
            if on_sqlite
            else func.replace(func.cast(func.gen_random_uuid(), db.Text), "-", "")
        )
        try:
            with transaction():
                dropped = outbox.drop()
                db.session.execute(delete(UserSession))
                db.session.execute(
                    update(User)
                    .values(fs_uniquifier=random)
                    .execution_options(synchronize_session=False)
                )
        finally:
            db.session.remove()
            db.engine.dispose()
    return dropped


def _sqlite_at(ours: Settings, file: Path) -> Database:
    return replace(ours.database, url=f"sqlite:///{file}")


def _remove_sqlite(file: Path, *, but_main_file: bool = False) -> None:
    endings = ["-wal", "-shm", "-journal"] + ([] if but_main_file else [""])
    for ending in endings:
        file.with_name(file.name + ending).unlink(missing_ok=True)
