"""Backup and restore: what is brought back is what was there, and nothing old acts again."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal import links, revisions, settings
from portal.accounts import session
from portal.accounts.session import UserSession
from portal.accounts.user import User
from portal.database import db, transaction
from portal.mail import outbox
from portal.mail.mail import Mail
from portal.serving import backup, folder, restore
from portal.serving.problems import Problem
from portal.settings import Settings
from tests.serving.running import command, within

both = pytest.mark.both_databases(everyday="sqlite")
pytestmark = pytest.mark.own_site  # a restore takes the tables away


@pytest.fixture
def ours(app: Flask) -> Settings:
    """The settings of the running site."""
    return settings.of(app)


@pytest.fixture
def closed(app: Flask) -> Iterator[Callable[[], None]]:
    """Lets go of the database, as a portal that is stopped does."""

    def close() -> None:
        db.session.remove()
        db.engine.dispose()

    yield close
    close()


@pytest.mark.both_databases
def test_a_restored_database_holds_what_it_held_and_mails_nobody_again(
    ours: Settings, a_user: Callable[..., Any], closed: Callable[[], None], tmp_path: Path
) -> None:
    ada = a_user(full_name="Ada Łovelace", email="ada@example.org", username="ada")
    identity = ada.fs_uniquifier
    with transaction():
        session.begin(ada)
    waited = len(outbox.waiting())
    assert waited
    file = backup.make(ours, tmp_path / "copies" / "portal.copy")
    a_user(username="later")
    closed()

    done = restore.restore(ours, file, force=True, tell=lambda _text: None)

    again = db.session.scalars(db.select(User)).one()
    assert (again.full_name, again.email, again.username) == (
        "Ada Łovelace",
        "ada@example.org",
        "ada",
    )
    assert db.session.scalars(db.select(UserSession)).all() == [], "somebody stays signed in"
    assert again.fs_uniquifier != identity, "a mailed link still works"
    assert len(again.fs_uniquifier) == len(identity)
    assert done.mails_dropped == waited
    assert outbox.waiting() == []
    assert (
        db.session.scalars(db.select(Mail.body).where(Mail.dropped_at.is_not(None))).all()[0]
        is None
    )
    assert done.kept
    assert done.kept.exists()


@both
def test_what_was_replaced_can_be_brought_back(
    ours: Settings, a_user: Callable[..., Any], closed: Callable[[], None], tmp_path: Path
) -> None:
    a_user(username="early")
    file = backup.make(ours, tmp_path / "portal.copy")
    a_user(username="later")
    closed()
    kept = restore.restore(ours, file, force=True, tell=lambda _text: None).kept
    assert kept
    closed()

    restore.restore(ours, kept, force=True, tell=lambda _text: None)

    assert set(db.session.scalars(db.select(User.username))) == {"early", "later"}


@both
def test_accounts_are_not_overwritten_without_force(
    ours: Settings, a_user: Callable[..., Any], closed: Callable[[], None], tmp_path: Path
) -> None:
    a_user(username="ada")
    file = backup.make(ours, tmp_path / "portal.copy")
    closed()

    with pytest.raises(Problem, match=r"holds 1 accounts. --force"):
        restore.restore(ours, file, force=False, tell=lambda _text: None)

    assert db.session.scalar(db.select(User.username)) == "ada"


@both
def test_what_is_no_backup_is_refused_and_changes_nothing(
    ours: Settings, a_user: Callable[..., Any], closed: Callable[[], None], tmp_path: Path
) -> None:
    a_user(username="ada")
    file = tmp_path / "letter.txt"
    file.write_text("Dear portal, " * 1000, encoding="utf-8")
    closed()

    with pytest.raises(Problem, match=r"letter\.txt"):
        restore.restore(ours, file, force=True, tell=lambda _text: None)

    assert db.session.scalar(db.select(User.username)) == "ada"


def test_a_database_of_something_else_is_refused(ours: Settings, tmp_path: Path) -> None:
    file = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE songs (title)")

    with pytest.raises(Problem, match="is not a backup of the portal"):
        restore.restore(ours, file, force=True, tell=lambda _text: None)


def test_nothing_is_restored_under_a_portal_that_runs(ours: Settings, tmp_path: Path) -> None:
    file = backup.make(ours, tmp_path / "portal.copy")

    with folder.in_use(ours.instance), pytest.raises(Problem, match="Stop it first"):
        restore.restore(ours, file, force=True, tell=lambda _text: None)


def test_a_backup_is_for_its_owner_only_and_replaces_no_file(
    ours: Settings, tmp_path: Path
) -> None:
    file = backup.make(ours, tmp_path / "portal.copy")

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(Problem, match="exists already"):
        backup.make(ours, file)
    assert [entry.name for entry in tmp_path.glob("*.partial")] == []


def test_a_backup_ends_while_others_write(ours: Settings, tmp_path: Path) -> None:
    source = tmp_path / "busy.sqlite3"
    busy = replace(ours, database=settings.Database(url=f"sqlite:///{source}"))
    stopped = threading.Event()
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE notes (text)")
        connection.executemany("INSERT INTO notes VALUES (?)", [("x" * 4000,)] * 5000)
        connection.commit()

    def write() -> None:
        with closing(sqlite3.connect(source, timeout=30)) as connection:
            while not stopped.is_set():
                connection.execute("INSERT INTO notes VALUES ('more')")
                connection.commit()

    writer = threading.Thread(target=write)
    writer.start()
    steps: list[tuple[int, int]] = []
    try:
        file = backup.make(
            busy, tmp_path / "copy.sqlite3", lambda done, of: steps.append((done, of))
        )
    finally:
        stopped.set()
        writer.join()

    assert len(steps) > 1
    assert steps == sorted(steps), "it began anew"
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM notes").fetchone()[0] >= 5000


@pytest.mark.long
def test_the_commands_copy_and_bring_back_and_say_that_the_secrets_are_not_in_it(
    place: Path,
) -> None:
    made = within(place, "db", "backup")
    file = made.stdout.split(" ", 1)[0]

    done = command(place, "db", "restore", file)

    assert made.returncode == 0, made.stderr
    assert "Not in it: the secrets" in made.stderr
    assert Path(file).parent == place / "instance" / "backups"
    assert done.returncode == 0, done.stderr
    assert "0 mails were dropped" in done.stdout


@both
def test_a_link_mailed_before_works_no_more(
    ours: Settings, a_user: Callable[..., Any], closed: Callable[[], None], tmp_path: Path
) -> None:
    ada = a_user(username="ada", confirmed=True)
    token = links.password_reset(ada).rpartition("/")[2]
    assert links.read_password_reset(token).state is links.LinkState.READY
    file = backup.make(ours, tmp_path / "portal.copy")
    closed()

    restore.restore(ours, file, force=True, tell=lambda _text: None)

    assert links.read_password_reset(token).user is None


@both
def test_a_backup_of_a_newer_portal_is_refused_before_anything_is_changed(
    ours: Settings, a_user: Callable[..., Any], closed: Callable[[], None], tmp_path: Path
) -> None:
    db.session.execute(db.text("UPDATE alembic_version SET version_num = '9999'"))
    db.session.commit()
    file = backup.make(ours, tmp_path / "portal.copy")
    db.session.execute(
        db.text("UPDATE alembic_version SET version_num = :head"), {"head": revisions.head()}
    )
    db.session.commit()
    a_user(username="ada")
    closed()

    with pytest.raises(Problem, match="revision 9999"):
        restore.restore(ours, file, force=True, tell=lambda _text: None)

    assert db.session.scalar(db.select(User.username)) == "ada"
