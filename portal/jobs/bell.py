"""The bell: rings in the worker when a transaction has posted mails or asked for a bulk."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable

from flask import Flask, current_app

from portal import settings
from portal.desk.bulk_asking import bulk_asked
from portal.jobs.queue import QUEUE_TROUBLE, open_queue
from portal.jobs.tasks import Tasks
from portal.mail.outbox import mail_posted
from portal.settings import Settings

log = logging.getLogger(__name__)

# A request waits this long for the bell, and after a failure not at all for a while.
PATIENCE = 0.25
PAUSE = 15.0
RINGS = 20  # of one transaction; the sweep finds the rest


def init_app(app: Flask) -> None:
    """Give this app a bell that rings whenever there is something for the worker."""
    app.extensions["portal.bell"] = Bell(settings.of(app))


@mail_posted.connect
def _ring(_sender: object, ids: list[int]) -> None:
    bell = current_app.extensions.get("portal.bell")
    if bell is not None:
        bell.ring(ids)


@bulk_asked.connect
def _ring_for_bulk(_sender: object) -> None:
    bell = current_app.extensions.get("portal.bell")
    if bell is not None:
        bell.ring_for_bulk()


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
        self._ask(lambda tasks: [tasks.deliver(mail_id) for mail_id in mail_ids[:RINGS]])

    def ring_for_bulk(self) -> None:
        """Ask the worker to go on with a step on many people."""
        self._ask(lambda tasks: tasks.bulk())

    def _ask(self, task: Callable[[Tasks], object]) -> None:
        if time.monotonic() < self._silent_until:
            return
        try:
            task(self._opened())
        except QUEUE_TROUBLE as trouble:
            # What there is to do is safe, the rounds find it.
            self._silent_until = time.monotonic() + PAUSE
            self._tasks = None
            kind = type(trouble).__name__
            log.warning("the queue cannot be reached (%s); what waits is done later", kind)

    def _opened(self) -> Tasks:
        if self._tasks is None or self._process != os.getpid():  # a connection survives no fork
            self._tasks = Tasks(open_queue(self._settings, patience=PATIENCE))
            self._process = os.getpid()
        return self._tasks
