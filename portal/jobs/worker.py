"""The worker: one process that answers the bell, does the rounds, and says that it lives."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.utils import import_string

from portal import heartbeat, settings
from portal.jobs import rounds
from portal.jobs.consumer import LOOK_EVERY, Consumer
from portal.jobs.queue import open_queue
from portal.jobs.stopping import stopping
from portal.jobs.tasks import Tasks
from portal.mail import pauses, webhook

log = logging.getLogger(__name__)

LOOK_FOR_EVENTS_EVERY = 2.0

READY = "The worker is ready."


def run_worker(app: Flask | None = None, *, ready: Callable[[], None] | None = None) -> int:
    """Work until SIGTERM or SIGINT, finish what is under way, and return 0.

    Calls `ready` when it works, or prints a line. Its heart has beaten once by then.
    """
    stopping.clear()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stopping.set())
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
    hooks = threading.Thread(target=_tell_programs, args=(app,), name="hooks", daemon=True)
    if of.webhook.url:
        hooks.start()
    consumer.run()
    heart.join(timeout=1)
    if of.webhook.url:
        hooks.join(timeout=of.server.stop_within_seconds)
    return 0


def _say_ready() -> None:
    print(READY, flush=True)


def _tell_programs(app: Flask) -> None:
    """Deliver events every few seconds, in a thread that no mail waits for."""
    while not stopping.wait(LOOK_FOR_EVENTS_EVERY):
        try:
            with app.app_context():
                webhook.deliver_due(within=rounds.SWEEP_WITHIN, stop=stopping.is_set)
        except Exception:
            log.exception("events could not be delivered; it comes round again")


def _beat(app: Flask) -> None:
    """Say every few seconds that this process lives, whatever its other threads wait for."""
    while not stopping.wait(heartbeat.EVERY.total_seconds()):
        try:
            with app.app_context():
                heartbeat.beat()
        except SQLAlchemyError as trouble:
            log.warning("the heartbeat could not be written (%s)", type(trouble).__name__)
