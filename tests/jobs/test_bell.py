"""The bell: it wakes the worker, and never fails or slows whoever rings it."""

from __future__ import annotations

import json
import logging
import socket
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from portal import jobs, settings
from portal.accounts.user import User
from portal.database import db, transaction
from portal.desk import bulk_asking
from portal.desk.bulk import Deed
from portal.jobs import bell
from portal.mail.mail import Mail, MailState
from tests.conftest import Browser
from tests.people import People


@pytest.fixture
def queue_file(app: Flask) -> Path:
    """Where the queue of this portal is."""
    return Path(settings.of(app).instance) / jobs.QUEUE_FILE


@pytest.fixture
def silent_server() -> Iterator[int]:
    """The port of something that takes calls and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def tasks(queue_file: Path) -> list[list[object]]:
    """What lies in the queue."""
    with sqlite3.connect(queue_file) as queue:
        rows = queue.execute("SELECT data FROM task ORDER BY id").fetchall()
    queue.close()
    return [json.loads(data)[1:] for (data,) in rows]


def test_a_posted_mail_rings_with_its_number_and_nothing_else(
    app: Flask, queue_file: Path, post: Callable[..., Mail]
) -> None:
    mail = post()

    (task,) = tasks(queue_file)
    assert task[1] == [mail.id]
    assert b"ada@example.org" not in queue_file.read_bytes()


def test_a_bulk_that_is_asked_for_rings_too(
    app: Flask, queue_file: Path, people: People, reviewer: User
) -> None:
    with transaction():
        by = db.session.get_one(User, reviewer.id)
        bulk_asking.ask(Deed.REJECTION, [reviewer.id], by=by)

    assert tasks(queue_file)[-1] == ["portal.jobs.tasks.bulk", []]


def test_no_queue_is_opened_before_there_is_a_mail(app: Flask, queue_file: Path) -> None:
    assert not queue_file.exists()


def test_a_locked_queue_costs_a_moment_once_and_no_mail(
    app: Flask, queue_file: Path, post: Callable[..., Mail], caplog: pytest.LogCaptureFixture
) -> None:
    post()
    locked = sqlite3.connect(queue_file, isolation_level=None)
    locked.execute("BEGIN EXCLUSIVE")
    took = []
    for _ in range(5):
        began = time.monotonic()
        mail = post()
        took.append(time.monotonic() - began)
        assert mail.state is MailState.WAITING
    locked.rollback()
    locked.close()

    assert took[0] < 3
    assert statistics.median(took[1:]) < bell.PATIENCE
    assert [record.levelno for record in caplog.records if record.name == "portal.jobs.bell"] == [
        logging.WARNING
    ]


def test_a_queue_that_cannot_be_made_fails_nobody(
    app: Flask, queue_file: Path, post: Callable[..., Mail]
) -> None:
    queue_file.mkdir()

    assert post().state is MailState.WAITING


@pytest.mark.parametrize("fault", ["refuses", "says nothing"])
def test_a_redis_that_is_away_costs_a_moment_once_and_no_mail(
    app: Flask, post: Callable[..., Mail], silent_server: int, fault: str
) -> None:
    port = silent_server if fault == "says nothing" else 1
    of = settings.of(app)
    object.__setattr__(of.redis, "url", f"redis://127.0.0.1:{port}/0")
    took = []
    for _ in range(5):
        began = time.monotonic()
        assert post().state is MailState.WAITING
        took.append(time.monotonic() - began)

    assert took[0] < 3
    assert statistics.median(took[1:]) < bell.PATIENCE


def test_the_bell_rings_again_after_a_while(
    app: Flask, queue_file: Path, post: Callable[..., Mail], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "PAUSE", 0.0)
    queue_file.mkdir()
    post()
    queue_file.rmdir()

    mail = post()

    assert [task[1] for task in tasks(queue_file)] == [[mail.id]]


def test_a_registration_is_answered_while_the_queue_is_locked(
    app: Flask, queue_file: Path, post: Callable[..., Mail], browser: Browser
) -> None:
    post()
    locked = sqlite3.connect(queue_file, isolation_level=None)
    locked.execute("BEGIN EXCLUSIVE")
    answer = browser.submit("/reset", email="nobody@example.org")
    known = browser.submit("/confirm", email="somebody@example.org")
    locked.rollback()
    locked.close()

    assert answer.status_code < 400
    assert known.status_code < 400
