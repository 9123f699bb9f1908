"""The rounds: what the worker does by the clock. They look at the tables, and commit."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import timedelta

from sqlalchemy.exc import OperationalError

from portal.accounts import alarm, code, erasure, intake, session, sign_ins
from portal.accounts.factors import challenge
from portal.database import transaction
from portal.desk import bulk_asking, bulk_round, notice, traces, unanswered
from portal.jobs.stopping import stopping
from portal.mail import budget, delivery, mailbox, upkeep

log = logging.getLogger(__name__)

SWEEP_EVERY = timedelta(seconds=15)
SWEEP_WITHIN = timedelta(seconds=20)
ERASED_AT_ONCE = 100
ATTENDED_AT_ONCE = 100
TRACED_AT_ONCE = 100


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
    _for_each(notice.due(), notice.tell)


def look_at_intake() -> None:
    """Note that registration closed, or that it is open again."""
    with transaction():
        intake.look()


def trace() -> None:
    """Let registrations leave their traces that nobody confirmed yet."""
    _for_each(traces.due(most=TRACED_AT_ONCE), traces.leave_late)


def remind() -> None:
    """Bring questions to mind that nobody answered, and close those that nobody will."""
    _for_each(unanswered.due(most=ATTENDED_AT_ONCE), unanswered.attend)


def purge() -> None:
    """Throw away what nobody needs any more."""
    upkeep.purge()
    mailbox.purge()
    session.purge()
    sign_ins.purge()
    with transaction():
        code.purge()
        alarm.purge()
        budget.purge()
        intake.purge()
        challenge.purge()
        bulk_asking.purge()
    erased = ERASED_AT_ONCE
    while erased == ERASED_AT_ONCE and not stopping.is_set():
        with transaction():
            erased = erasure.erase_unconfirmed(limit=ERASED_AT_ONCE)


def _for_each(ids: Iterable[int], step: Callable[[int], object]) -> None:
    """Take a step for each account in a transaction of its own; one that fails stops no other."""
    for user_id in ids:
        if stopping.is_set():
            return
        try:
            with transaction():
                step(user_id)
        except OperationalError:
            raise  # the database is away, which is nobody's fault: the next round comes back
        except Exception:
            log.exception("a round failed at account %s", user_id)


# What is done, and how often; all of it once when the worker starts. One after another: a round
# that takes long does so in pieces, each in its own transaction, and looks at `stopping` between.
ROUNDS: list[tuple[Callable[[], None], timedelta]] = [
    (sweep, SWEEP_EVERY),
    (carry_on, SWEEP_EVERY),
    (trace, SWEEP_EVERY),
    (tell, timedelta(minutes=1)),
    (look_at_intake, timedelta(minutes=1)),
    (remind, timedelta(minutes=5)),
    (purge, timedelta(hours=1)),
]
