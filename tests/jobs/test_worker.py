"""The worker: a real process that delivers mail, does its rounds, and stops when it is told."""

from __future__ import annotations

import signal
import sqlite3
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import update

from portal import clock, heartbeat, jobs, settings
from portal.accounts.user import User
from portal.database import db, transaction
from portal.jobs import rounds
from portal.mail import events, outbox, pauses
from portal.mail.events import Event
from portal.mail.mail import Mail, MailState
from tests.jobs.process import Worker, until
from tests.mail.conftest import letter
from tests.mail.hook import SECRET, Hook, listen
from tests.mail.server import MailServer

Environ = Callable[..., dict[str, str]]
Post = Callable[..., Mail]


def state(mail: Mail) -> MailState:
    """Where the mail stands now, as other processes see it."""
    db.session.rollback()
    db.session.expire_all()
    return mail.state


@pytest.mark.both_databases(everyday="postgresql")
def test_a_mail_leaves_moments_after_its_cause(
    app: Flask, database_kind: str, environ: Environ, mail_server: MailServer, post: Post
) -> None:
    with Worker(environ(mail_server)):
        until(lambda: heartbeat.is_alive())
        mail = post()
        began = time.monotonic()
        until(lambda: state(mail) is MailState.DELIVERED)
        took = time.monotonic() - began

    assert took < rounds.SWEEP_EVERY.total_seconds()  # so it was the bell
    assert [letter.message_id for letter in mail_server.letters] == [mail.message_id]


@pytest.mark.long
def test_the_sweep_finds_what_nobody_rang_for(
    app: Flask, environ: Environ, mail_server: MailServer, post: Post
) -> None:
    mail = post()
    (Path(settings.of(app).instance) / jobs.QUEUE_FILE).unlink()

    with Worker(environ(mail_server)):
        until(lambda: state(mail) is MailState.DELIVERED)


@pytest.mark.long
def test_mail_leaves_although_redis_is_away(
    app: Flask, environ: Environ, mail_server: MailServer, post: Post
) -> None:
    mail = post()

    with Worker(environ(mail_server, PORTAL_REDIS_URL="redis://127.0.0.1:1/0")) as worker:
        until(lambda: state(mail) is MailState.DELIVERED)
        until(lambda: "the queue cannot be read" in worker.output)
        worker.tell(signal.SIGTERM)
        assert worker.ended() == 0

    assert "Traceback" not in worker.output


@pytest.mark.long
def test_events_leave_and_a_hook_that_hangs_holds_up_no_mail(
    app: Flask, environ: Environ, mail_server: MailServer, post: Post
) -> None:
    with Hook(drip=1) as hook:
        listen(app, hook.url)
        names = {"WEBHOOK_URL": hook.url, "WEBHOOK_SECRET": SECRET, "WEBHOOK_TIMEOUT_SECONDS": "2"}
        names["SERVER_STOP_WITHIN_SECONDS"] = "1"
        with transaction():
            events.post(Event.BULK_FINISHED)
        with Worker(environ(mail_server, **{f"PORTAL_{key}": of for key, of in names.items()})):
            until(lambda: hook.told)
            mail = post()
            until(lambda: state(mail) is MailState.DELIVERED)
            assert outbox.waiting()[0].is_event


@pytest.mark.long
def test_what_lies_in_the_queue_and_is_no_task_is_thrown_away(
    app: Flask, environ: Environ, mail_server: MailServer, post: Post
) -> None:
    mail = post()
    with sqlite3.connect(Path(settings.of(app).instance) / jobs.QUEUE_FILE) as queue:
        for data in (b"\x80\x04pickle", b'["id", "portal.jobs.unknown", []]', b"[]"):
            queue.execute(
                "INSERT INTO task (queue, data, priority) VALUES ('portal', ?, 99)", [data]
            )
    queue.close()

    with Worker(environ(mail_server)) as worker:
        until(lambda: state(mail) is MailState.DELIVERED)
        worker.tell(signal.SIGTERM)
        assert worker.ended() == 0


@pytest.mark.long
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_either_signal_lets_a_delivery_finish_however_often_it_comes(
    app: Flask, environ: Environ, mail_server: MailServer, post: Post, signum: signal.Signals
) -> None:
    mail_server.manners.data_after = 1.5
    with Worker(environ(mail_server)) as worker:
        mail = post()
        until(lambda: state(mail) is MailState.DELIVERING)
        until(lambda: mail_server.connections == 1)
        for _ in range(3):
            worker.tell(signum)
        worker.tell(signal.SIGINT)

        assert worker.ended() == 0

    assert state(mail) is MailState.DELIVERED
    assert len(mail_server.letters) == 1
    assert "Traceback" not in worker.output


@pytest.mark.long
def test_a_worker_with_nothing_to_do_stops_at_once(
    app: Flask, environ: Environ, mail_server: MailServer
) -> None:
    with Worker(environ(mail_server)) as worker:
        began = time.monotonic()
        worker.tell(signal.SIGTERM)
        assert worker.ended() == 0

    assert time.monotonic() - began < 8


@pytest.mark.long
def test_a_worker_stops_also_while_it_starts(app: Flask, environ: Environ) -> None:
    worker = Worker(environ())
    try:
        # Anywhere in its start: the handler stands before the site is loaded.
        until(lambda: _catches(worker._process.pid, signal.SIGTERM))
        worker.tell(signal.SIGTERM)
        assert worker.ended() == 0, worker.output
    finally:
        worker.kill()


@pytest.mark.long
def test_a_delivery_that_does_not_come_to_an_end_is_left_to_its_lease(
    app: Flask, environ: Environ, mail_server: MailServer, post: Post
) -> None:
    mail_server.manners.data_after = 60
    with Worker(environ(mail_server, PORTAL_SERVER_STOP_WITHIN_SECONDS="1")) as worker:
        mail = post()
        until(lambda: state(mail) is MailState.DELIVERING)
        until(lambda: mail_server.connections == 1)
        began = time.monotonic()
        worker.tell(signal.SIGTERM)
        assert worker.ended() == 0

    assert time.monotonic() - began < 20
    assert state(mail) is MailState.DELIVERING  # and offered again when the lease ends


@pytest.mark.long
def test_a_slow_mail_server_keeps_no_lock_and_no_heart_waiting(
    app: Flask, environ: Environ, mail_server: MailServer, post: Post
) -> None:
    mail_server.manners.data_after = 1.5
    with Worker(environ(mail_server)):
        mails = [post(f"person{number}@example.org") for number in range(2)]
        until(lambda: state(mails[0]) is MailState.DELIVERING)
        took = []
        while state(mails[0]) is MailState.DELIVERING:
            began = time.monotonic()
            with transaction():
                db.session.execute(
                    update(heartbeat.Heartbeat)
                    .where(heartbeat.Heartbeat.name == "somebody else")
                    .values(at=clock.now())
                )
            took.append(time.monotonic() - began)
        until(lambda: state(mails[-1]) is MailState.DELIVERED)

    # The write lock is ours at once, again and again: nobody holds it while the server thinks.
    assert len(took) > 5
    assert statistics.median(took) < 0.05
    assert max(took) < mail_server.manners.data_after


@pytest.mark.long
@pytest.mark.both_databases
@pytest.mark.timeout(900)
def test_a_thousand_that_waited_leave_within_five_minutes_of_the_servers_return(
    app: Flask, database_kind: str, environ: Environ, mail_server: MailServer
) -> None:
    mail_server.close()
    with Worker(environ(mail_server)):
        with transaction():
            mails = [outbox.post(letter(f"person{number}@example.org")) for number in range(1000)]
        until(_is_paused)
        mail_server.open()  # just after the worker asked in vain: it will ask again by itself
        began = time.monotonic()
        until(lambda: len(mail_server.letters) == len(mails), within=300)
        took = time.monotonic() - began

    print(f"1000 mails on {database_kind}: {took:.0f} s")
    assert len(set(mail_server.message_ids())) == len(mails)


def test_the_rounds_erase_who_never_confirmed_and_tell_reviewers_that_somebody_waits(
    app: Flask, environ: Environ, reviewer: User, a_user: Callable[..., User]
) -> None:
    user = a_user()
    a_user(confirmed=True)
    with transaction():
        long_ago = clock.now() - timedelta(hours=73)
        db.session.execute(
            update(User)
            .where(User.id == user.id)
            .values(registered_at=long_ago, confirmation_mailed_at=long_ago)
        )

    with Worker(environ()):
        until(lambda: _erased(user))
        until(lambda: "registrations_waiting" in _kinds())


def _catches(pid: int, signum: signal.Signals) -> bool:
    """Whether a process has a handler for a signal, as Linux tells it."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signum - 1) & 1)


def _is_paused() -> bool:
    db.session.rollback()
    return pauses.is_on()


def _erased(user: User) -> bool:
    db.session.rollback()
    db.session.expire_all()
    return user.erased_at is not None


def _kinds() -> set[str]:
    db.session.rollback()
    return set(db.session.scalars(db.select(Mail.kind)))
