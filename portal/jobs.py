"""Jobs: the worker that delivers mail and does the rounds, and the bell that wakes it.

The queue is only a bell. What has to be done stands in the database: a task that is lost, or a
queue that is away, costs seconds and no mail, because the worker's rounds look at the tables.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import huey.consumer
from flask import Flask, current_app
from huey import Huey, RedisHuey, SqliteHuey
from huey.registry import Message as QueuedTask
from huey.serializer import Serializer
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.utils import import_string

from portal import heartbeat, settings
from portal.accounts import erasure, review_notice
from portal.database import transaction
from portal.mail import delivery, mailbox, pauses, upkeep
from portal.mail.outbox import mail_posted
from portal.settings import Settings

log = logging.getLogger(__name__)

QUEUE_TROUBLE = (sqlite3.Error, RedisError, OSError)
QUEUE_FILE = "queue.sqlite3"
READY = "The worker is ready."

# A request waits this long for the bell, and after a failure not at all for a while.
BELL_PATIENCE = 0.25
BELL_PAUSE = 15.0
BELL_RINGS = 20  # of one transaction; the sweep finds the rest

LOOK_EVERY = 0.5
SWEEP_EVERY = timedelta(seconds=15)
SWEEP_WITHIN = timedelta(seconds=20)
TELL_EVERY = timedelta(minutes=1)
PURGE_EVERY = timedelta(hours=1)


def init_app(app: Flask) -> None:
    """Give this app a bell that rings whenever it has posted mails."""
    app.extensions["portal.bell"] = Bell(settings.of(app))


@mail_posted.connect
def _ring(_sender: object, ids: list[int]) -> None:
    bell = current_app.extensions.get("portal.bell")
    if bell is not None:
        bell.ring(ids)


class Bell:
    """Wakes the worker. Never fails and never keeps a request waiting for long."""

    def __init__(self, of: Settings) -> None:
        """Open nothing yet: a command that posts no mail needs no queue."""
        self._settings = of
        self._silent_until = 0.0
        self._tasks: Tasks | None = None
        self._process = 0

    def ring(self, mail_ids: list[int]) -> None:
        """Ask the worker to deliver these mails now."""
        if time.monotonic() < self._silent_until:
            return
        try:
            for mail_id in mail_ids[:BELL_RINGS]:
                self._opened().deliver(mail_id)
        except QUEUE_TROUBLE as trouble:
            # The mails are safe, the sweep finds them.
            self._silent_until = time.monotonic() + BELL_PAUSE
            self._tasks = None
            log.warning("the queue cannot be reached (%s); mail leaves later", _name(trouble))

    def _opened(self) -> Tasks:
        if self._tasks is None or self._process != os.getpid():  # a connection survives no fork
            self._tasks = Tasks(open_queue(self._settings, patience=BELL_PATIENCE))
            self._process = os.getpid()
        return self._tasks


class Json(Serializer):
    """Tasks as JSON: who can write to the queue can name a mail, and run nothing of theirs."""

    def _serialize(self, data: QueuedTask) -> bytes:
        return json.dumps([data.id, data.name, list(data.args)]).encode()

    def _deserialize(self, data: bytes) -> QueuedTask:
        task_id, name, args = json.loads(bytes(data))
        return QueuedTask(id=task_id, name=name, retries=0, retry_delay=0, args=args, kwargs={})


def open_queue(of: Settings, *, patience: float) -> Huey:
    """Open the queue: a file of its own, or Redis. Waits up to `patience` seconds for it."""
    common = {"serializer": Json(), "results": False}
    if of.redis.url:
        pool = ConnectionPool.from_url(
            of.redis.url,
            socket_connect_timeout=patience,
            socket_timeout=patience,
            retry=Retry(NoBackoff(), 0),
        )
        return RedisHuey("portal", connection_pool=pool, **common)
    path = Path(of.instance) / QUEUE_FILE
    return SqliteHuey("portal", filename=str(path), timeout=patience, fsync=False, **common)


class Tasks:
    """The names of what can be asked of the worker, bound to a queue."""

    def __init__(self, queue: Huey, app: Flask | None = None) -> None:
        """Without an app the tasks can be asked for; with one they can be done."""

        def in_app(job: Callable[..., None]) -> Callable[..., None]:
            def done_in_app(*args: Any) -> None:
                assert app is not None
                with app.app_context():
                    job(*args)

            done_in_app.__name__ = job.__name__
            return done_in_app

        self.queue = queue
        self.deliver = queue.task(name="deliver")(in_app(deliver))
        if app is not None:
            for job, every in ((sweep, SWEEP_EVERY), (tell, TELL_EVERY), (purge, PURGE_EVERY)):
                queue.periodic_task(_every(every))(in_app(job))


def deliver(mail_id: int) -> None:
    """Deliver one mail: the bell rang for it."""
    delivery.deliver(mail_id, stop=_stopping.is_set)


def sweep() -> None:
    """Deliver whatever is due: what nobody rang for, what was put off, what a dead worker held."""
    delivery.deliver_due(within=SWEEP_WITHIN, stop=_stopping.is_set)


def tell() -> None:
    """Mail reviewers that registrations wait."""
    with transaction():
        review_notice.tell_reviewers()


def purge() -> None:
    """Throw away what nobody needs any more."""
    upkeep.purge()
    mailbox.purge()
    batch = 100
    erased = batch
    while erased == batch and not _stopping.is_set():
        with transaction():
            erased = erasure.erase_unconfirmed(limit=batch)


_stopping = threading.Event()


def run_worker(app: Flask | None = None, *, ready: Callable[[], None] | None = None) -> int:
    """Work until SIGTERM or SIGINT, finish what is under way, and return 0.

    Calls `ready` when it works, or prints a line. Its heart has beaten once by then.
    """
    _stopping.clear()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: _stopping.set())
    logging.getLogger("huey").setLevel(logging.WARNING)

    app = app or import_string("wsgi:create_site")()
    of = settings.of(app)
    with app.app_context():
        pauses.end()  # whoever starts a worker may just have mended the settings
        heartbeat.beat()
    queue = open_queue(of, patience=5)
    Tasks(queue, app)
    consumer = Consumer(
        queue,
        max_delay=LOOK_EVERY,
        shutdown_timeout=of.server.stop_within_seconds,
    )
    consumer.ready = ready or _say_ready
    heart = threading.Thread(target=_beat, args=(app,), name="heart", daemon=True)
    heart.start()
    consumer.run()
    heart.join(timeout=1)
    return 0


def _say_ready() -> None:
    print(READY, flush=True)


def _beat(app: Flask) -> None:
    """Say every few seconds that this process lives, whatever its other threads wait for."""
    while not _stopping.wait(heartbeat.EVERY.total_seconds()):
        try:
            with app.app_context():
                heartbeat.beat()
        except SQLAlchemyError as trouble:
            log.warning("the heartbeat could not be written (%s)", _name(trouble))


class Threads(huey.consumer.Worker):
    """What waits for the bell. A queue that is away is said in one line, and asked again."""

    def loop(self, now: datetime | None = None) -> None:
        """Do one task, or wait for one."""
        try:
            task = self.huey.dequeue()
        except QUEUE_TROUBLE as trouble:
            log.warning("the queue cannot be read (%s)", _name(trouble))
            self.stop_flag.wait(BELL_PAUSE)
            return
        except Exception:
            log.exception("the queue held what is no task; it was thrown away")
            return
        if task is None:
            if not self.huey.storage.blocking:
                self.stop_flag.wait(LOOK_EVERY)
            return
        try:
            task.execute()
        except Exception:
            log.exception("a task failed; the sweep will come back to it")


class Rounds(huey.consumer.Scheduler):
    """What comes round by the clock, done here and not through the queue.

    So it goes on when the queue is away, and two of the same never overlap.
    """

    def loop(self, now: datetime | None = None) -> None:
        """Do what is due, and wait a moment."""
        for task in self.huey.read_periodic(now):
            if self.stop_flag.is_set():
                return
            try:
                task.execute()
            except Exception:
                log.exception("%s failed; it comes round again", task.name)
        self.stop_flag.wait(1)


class Consumer(huey.consumer.Consumer):
    """Huey's consumer, stopped gently by either signal and however often it comes."""

    worker_class = Threads
    scheduler_class = Rounds

    ready: Callable[[], None]

    def start(self) -> None:
        """Start the threads and say so."""
        super().start()
        self.ready()

    def loop(self, health_check_ts: float | None = None) -> float | None:
        """Look after the threads until it is time to stop, then let them finish."""
        if _stopping.is_set():
            self.stop(graceful=True)
            raise huey.consumer.ConsumerStopped
        checked: float | None = super().loop(health_check_ts)
        return checked

    def _set_signal_handlers(self) -> None:
        """Keep ours: Huey aborts a running task on SIGTERM, and on a second SIGINT."""


def _every(pause: timedelta) -> Callable[[datetime], bool]:
    """A clock for Huey's periodic tasks, which knows seconds; the first time is now."""
    due = 0.0

    def is_due(_now: datetime) -> bool:
        nonlocal due
        if time.monotonic() < due:
            return False
        due = time.monotonic() + pause.total_seconds()
        return True

    return is_due


def _name(trouble: Exception) -> str:
    return type(trouble).__name__
