"""Tasks: what can be asked of the worker through the queue, and what it does by the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, current_app
from huey import Huey

from portal.desk import bulk_round
from portal.jobs.rounds import ROUNDS
from portal.jobs.stopping import stopping
from portal.logs import piece_of_work
from portal.mail import delivery


class Tasks:
    """The names of what can be asked of the worker, bound to a queue."""

    def __init__(self, queue: Huey, app: Flask | None = None) -> None:
        """Without an app the tasks can be asked for; with one they can be done."""

        def in_app(job: Callable[..., None]) -> Callable[..., None]:
            def done_in_app(*args: Any) -> None:
                assert app is not None
                with app.app_context(), piece_of_work(job.__name__):
                    job(*args)

            done_in_app.__name__ = job.__name__
            return done_in_app

        self.queue = queue
        self.deliver = queue.task(name="deliver")(in_app(deliver))
        self.bulk = queue.task(name="bulk")(in_app(bulk))
        if app is not None:
            for job, every in ROUNDS:
                queue.periodic_task(_every(every))(in_app(job))


def deliver(mail_id: int) -> None:
    """Deliver one mail: the bell rang for it."""
    delivery.deliver(mail_id, stop=stopping.is_set)


def bulk() -> None:
    """Take a step on some of many people, and ask for the next ones behind what else waits."""
    if bulk_round.work(stop=stopping.is_set):
        current_app.extensions["portal.bell"].ring_for_bulk()


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
