"""The rounds: what the worker does by the clock. They look at the tables, and commit."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from portal.accounts import code, erasure
from portal.database import transaction
from portal.desk import bulk_asking, bulk_round, notice, unanswered
from portal.jobs.stopping import stopping
from portal.mail import delivery, mailbox, upkeep

SWEEP_EVERY = timedelta(seconds=15)
SWEEP_WITHIN = timedelta(seconds=20)
ERASED_AT_ONCE = 100
ATTENDED_AT_ONCE = 100


def sweep() -> None:
    """Deliver whatever is due: what nobody rang for, what was put off, what a dead worker held."""
    delivery.deliver_due(within=SWEEP_WITHIN, stop=stopping.is_set)


def carry_on() -> None:
    """Go on with the steps on many people: what nobody rang for, or a dead worker left."""
    end = time.monotonic() + SWEEP_WITHIN.total_seconds()
    while time.monotonic() < end and bulk_round.work(stop=stopping.is_set):
        pass


def tell() -> None:
    """Mail staff what waits, as each of them likes to be told."""
    for user_id in notice.due():
        if stopping.is_set():
            return
        with transaction():
            notice.tell(user_id)


def remind() -> None:
    """Bring questions to mind that nobody answered, and close those that nobody will."""
    for user_id in unanswered.due(most=ATTENDED_AT_ONCE):
        if stopping.is_set():
            return
        with transaction():
            unanswered.attend(user_id)


def purge() -> None:
    """Throw away what nobody needs any more."""
    upkeep.purge()
    mailbox.purge()
    with transaction():
        code.purge()
        bulk_asking.purge()
    erased = ERASED_AT_ONCE
    while erased == ERASED_AT_ONCE and not stopping.is_set():
        with transaction():
            erased = erasure.erase_unconfirmed(limit=ERASED_AT_ONCE)


# What is done, and how often; all of it once when the worker starts. One after another: a round
# that takes long does so in pieces, each in its own transaction, and looks at `stopping` between.
ROUNDS: list[tuple[Callable[[], None], timedelta]] = [
    (sweep, SWEEP_EVERY),
    (carry_on, SWEEP_EVERY),
    (tell, timedelta(minutes=1)),
    (remind, timedelta(minutes=5)),
    (purge, timedelta(hours=1)),
]
