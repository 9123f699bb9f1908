"""Health: what a monitor is told, and what it is not."""

from __future__ import annotations

import shutil
from collections import namedtuple
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import event, text

from portal import clock, heartbeat
from portal.database import db, transaction
from portal.mail import events, outbox, pauses
from portal.mail.events import Event
from portal.mail.mail import Channel
from portal.mail.trouble import ServerDown, Trouble
from tests.mail.hook import SECRET

pytestmark = pytest.mark.both_databases(everyday="sqlite")


def test_alive_needs_no_database(app: Flask, browser: Any) -> None:
    asked: list[str] = []
    engine = db.engine
    db.session.remove()

    def note(_connection, _cursor, statement, *_rest) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    answer = browser.get("/healthz")
    event.remove(engine, "before_cursor_execute", note)

    assert (answer.status_code, answer.text) == (200, "ok\n")
    assert answer.headers["Cache-Control"] == "no-store"
    assert asked == []


def test_ready_says_so_when_all_is_well(browser: Any, app: Flask) -> None:
    heartbeat.beat()

    answer = browser.get("/readyz")

    assert answer.status_code == 200
    assert answer.json == {"ready": True, "wrong": {}, "oldest_due_mail_seconds": 0.0}
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_worker_that_is_silent_is_named(browser: Any, app: Flask) -> None:
    never = browser.get("/readyz")
    heartbeat.beat()
    with time_machine.travel(clock.now() + timedelta(minutes=5)):
        silent = browser.get("/readyz")

    for answer in (never, silent):
        assert answer.status_code == 503
        assert list(answer.json["wrong"]) == ["worker"]


@pytest.mark.own_site
def test_a_database_at_another_revision_or_without_any_is_named(browser: Any, app: Flask) -> None:
    heartbeat.beat()
    db.session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    db.session.commit()
    other = browser.get("/readyz")
    db.session.execute(text("DROP TABLE alembic_version"))
    db.session.commit()
    bare = browser.get("/readyz")

    assert other.json["wrong"] == {"database": "is at another revision"}
    assert bare.json["wrong"] == {"database": "is not set up"}
    assert {other.status_code, bare.status_code} == {503}


def test_mail_that_nobody_delivers_is_named_with_its_age(
    browser: Any, app: Flask, a_user: Any
) -> None:
    a_user()
    assert outbox.waiting()

    with time_machine.travel(clock.now() + timedelta(minutes=11)):
        heartbeat.beat()
        answer = browser.get("/readyz")

    assert answer.status_code == 503
    assert list(answer.json["wrong"]) == ["mail"]
    assert answer.json["oldest_due_mail_seconds"] == pytest.approx(660, abs=30)


def test_a_mail_server_that_is_away_does_not_take_the_portal_down(
    browser: Any, app: Flask, a_user: Any
) -> None:
    a_user()

    with time_machine.travel(clock.now() + timedelta(minutes=11)):
        heartbeat.beat()
        pauses.begin(ServerDown(Trouble.NO_ENCRYPTION))
        answer = browser.get("/readyz")

    assert answer.status_code == 200
    assert answer.json["oldest_due_mail_seconds"] > 600


@pytest.mark.settings(PORTAL_WEBHOOK_URL="http://localhost:9/", PORTAL_WEBHOOK_SECRET=SECRET)
def test_events_that_nobody_delivers_are_named_and_a_hook_that_is_away_is_not(
    browser: Any, app: Flask
) -> None:
    with transaction():
        events.post(Event.BULK_FINISHED)

    with time_machine.travel(clock.now() + timedelta(minutes=11)):
        heartbeat.beat()
        stuck = browser.get("/readyz")
        pauses.begin(ServerDown(Trouble.HOOK_UNREACHABLE), Channel.WEBHOOK)
        away = browser.get("/readyz")

    assert (stuck.status_code, list(stuck.json["wrong"])) == (503, ["webhook"])
    assert stuck.json["oldest_due_mail_seconds"] == 0
    assert away.status_code == 200


def test_a_full_disk_is_named(browser: Any, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    heartbeat.beat()
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(100, 99, 1))

    assert browser.get("/readyz").json["wrong"] == {"disk": "nearly full"}


@pytest.mark.settings(PORTAL_DATABASE_URL="postgresql://portal:hush@127.0.0.1:1/portal")
def test_a_database_that_is_away_is_named_without_its_address(app: Flask) -> None:
    answer = app.test_client().get("/readyz")

    assert answer.status_code == 503
    assert answer.json["wrong"] == {"database": "does not answer"}
    assert "hush" not in answer.text
    assert app.test_client().get("/healthz").status_code == 200
