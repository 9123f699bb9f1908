"""The bell: rings in the worker whenever a transaction has posted mails."""

from __future__ import annotations

import logging
import os
import time

from flask import Flask, current_app

from portal import settings
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
            for mail_id in mail_ids[:RINGS]:
                self._opened().deliver(mail_id)
        except QUEUE_TROUBLE as trouble:
            # The mails are safe, the sweep finds them.
            self._silent_until = time.monotonic() + PAUSE
            self._tasks = None
            kind = type(trouble).__name__
            log.warning("the queue cannot be reached (%s); mail leaves later", kind)

    def _opened(self) -> Tasks:
        if self._tasks is None or self._process != os.getpid():  # a connection survives no fork
            self._tasks = Tasks(open_queue(self._settings, patience=PATIENCE))
            self._process = os.getpid()
        return self._tasks
