"""Migration: what is pending is done at the start, by one process, with a copy kept."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import flask_migrate
import pytest
from flask import Flask

from portal import revisions, settings
from portal.database import db
from portal.revisions import Standing
from portal.serving import migration
from portal.serving.problems import Problem
from portal.settings import Settings
from tests.serving.running import running
from wsgi import create_site


@pytest.fixture
def behind(app: Flask) -> Settings:
    """Settings with a database that lacks the newest migration."""
    flask_migrate.downgrade()
    db.session.remove()
    db.engine.dispose()
    return settings.of(app)


@pytest.mark.both_databases
@pytest.mark.own_site
def test_what_is_pending_is_migrated_and_then_nothing_is(behind: Settings) -> None:
    before = revisions.in_database(behind)

    done = migration.bring_up(behind)

    assert revisions.standing(before) is Standing.BEHIND
    assert done.startswith(f"migrated from {before} to {revisions.head()}")
    assert revisions.in_database(behind) == revisions.head()
    assert migration.bring_up(behind) == f"at revision {revisions.head()}"


def test_an_sqlite_file_is_copied_before(behind: Settings) -> None:
    before = revisions.in_database(behind)

    migration.bring_up(behind)

    (copy,) = (behind.instance / "backups").iterdir()
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (before,)


@pytest.mark.both_databases
@pytest.mark.own_site
def test_several_processes_that_start_at_once_migrate_once(behind: Settings) -> None:
    notes: list[str] = []
    threads = [
        threading.Thread(target=lambda: notes.append(migration.bring_up(behind))) for _ in range(3)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len([note for note in notes if note.startswith("migrated")]) == 1
    assert len(notes) == 3


def test_a_failed_migration_names_its_reason_and_the_copy(app: Flask) -> None:
    flask_migrate.downgrade(revision="0002")
    db.session.remove()
    db.engine.dispose()
    behind = settings.of(app)
    with closing(sqlite3.connect(revisions.sqlite_file(behind))) as connection:
        connection.execute("CREATE TABLE reviews (in_the_way)")
        connection.execute("CREATE TABLE decisions (in_the_way)")

    with pytest.raises(
        Problem, match=r"(?s)migration failed: .*already exists.*db restore --force"
    ):
        migration.bring_up(behind)


def test_a_start_brings_an_older_database_up(place: Path) -> None:
    ours = settings.load({"PORTAL_INSTANCE": str(place / "instance")})
    with create_site(ours).app_context():
        flask_migrate.downgrade()
        db.session.remove()
        db.engine.dispose()

    with running(place) as portal:
        portal.until_ready()

        assert f"to {revisions.head()}; copy kept as" in portal.output
