"""Jobs: the worker that delivers mail and does the rounds, and the bell that wakes it.

The queue is only a bell. What has to be done stands in the database: a task that is lost, or a
queue that is away, costs seconds and no mail, because the worker's rounds look at the tables.

a mail is posted  -> bell.ring()          -> queue -> tasks.deliver()
a bulk is asked   -> bell.ring_for_bulk() -> queue -> tasks.bulk(), batch by batch
                                               ^
worker: consumer, clock, heart -> rounds.ROUNDS (sweep, carry_on, tell, purge)
"""

from portal.jobs.bell import init_app
from portal.jobs.queue import QUEUE_FILE
from portal.jobs.worker import READY, run_worker

__all__ = ["QUEUE_FILE", "READY", "init_app", "run_worker"]
