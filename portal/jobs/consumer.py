"""Huey's consumer as the worker runs it: it outlives a queue that is away, and stops gently."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

import huey.consumer

from portal.jobs.queue import QUEUE_TROUBLE
from portal.jobs.stopping import stopping

log = logging.getLogger(__name__)

LOOK_EVERY = 0.5
AWAY_PAUSE = 15.0


class Threads(huey.consumer.Worker):
    """What waits for the bell. A queue that is away is said in one line, and asked again."""

    def loop(self, now: datetime | None = None) -> None:
        """Do one task, or wait for one."""
        try:
            task = self.huey.dequeue()
        except QUEUE_TROUBLE as trouble:
            log.warning("the queue cannot be read (%s)", type(trouble).__name__)
            self.stop_flag.wait(AWAY_PAUSE)
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
        if stopping.is_set():
            self.stop(graceful=True)
            raise huey.consumer.ConsumerStopped
        checked: float | None = super().loop(health_check_ts)
        return checked

    def _set_signal_handlers(self) -> None:
        """Keep ours: Huey aborts a running task on SIGTERM, and on a second SIGINT."""
