"""The attempt: one mail or event is handed over, and what came of it is written down."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

from portal.logs import SecurityEvent, caused_by, note
from portal.mail import lease, pauses
from portal.mail.lease import Lease
from portal.mail.mail import Channel
from portal.mail.trouble import (
    DeliveryProblem,
    Never,
    NotNow,
    ServerDown,
    ServerRefuses,
    Trouble,
)

log = logging.getLogger(__name__)

GiveBack = Callable[[Lease, DeliveryProblem], None]


def attempt(
    held: Lease,
    hand_over: Callable[[Lease], object],
    *,
    channel: Channel = Channel.MAIL,
    give_back: GiveBack = lease.give_back,
) -> None:
    """Hand over what we hold, and mark it delivered, failed, or put off. Commits.

    A server that is away or refuses us makes all wait that leaves this way; `give_back` says
    what becomes of the one that found out, whose own fault it is not.
    """
    with caused_by(held.request_id):
        _attempt(held, hand_over, channel, give_back)


def _attempt(
    held: Lease, hand_over: Callable[[Lease], object], channel: Channel, give_back: GiveBack
) -> None:
    try:
        _hand_over(held, hand_over)
    except (ServerDown, ServerRefuses) as problem:
        note(SecurityEvent.MAIL_WAITS, channel=channel.value, why=str(problem))
        pauses.begin(problem, channel)
        give_back(held, problem)
    except Never as problem:
        lease.mark_failed(held, problem)
    except NotNow as problem:
        log.info("mail %s put off: %s", held.mail_id, problem)
        lease.put_off(held, problem)
    else:
        lease.mark_delivered(held)
        pauses.end(channel)


def _hand_over(held: Lease, hand_over: Callable[[Lease], object]) -> None:
    try:
        hand_over(held)
    except DeliveryProblem:
        raise
    except Exception as bug:
        # One that trips over our own code must not hold up the others behind it. Where it
        # tripped goes to the log, never what it says or to whom, as the error's text might.
        place = "".join(traceback.format_tb(bug.__traceback__))
        log.error("mail %s met a %s:\n%s", held.mail_id, type(bug).__name__, place)
        raise NotNow(Trouble.UNEXPECTED) from None
