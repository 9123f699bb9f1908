"""The webhook: events leave as signed requests, after the Standard Webhooks specification.

A hook that is away has a pause of its own, so that it holds up no mail, and no mail it. What an
answer says is not read, and nobody is followed elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from urllib.parse import urlsplit

from portal import clock, settings
from portal.connections import connection_to
from portal.mail import lease, pauses
from portal.mail.attempt import attempt
from portal.mail.lease import Lease
from portal.mail.mail import Channel
from portal.mail.sealing import Unreadable, unseal
from portal.mail.trouble import DeliveryProblem, Never, NotNow, ServerDown, Trouble

PREFIX = "whsec_"  # what a secret in text form begins with
# Of an answer nothing is of use but its number; so much is taken to be polite.
MOST_READ = 64 * 1024

_one_at_a_time = threading.Lock()


def deliver_due(*, within: timedelta, stop: Callable[[], bool] = lambda: False) -> int:
    """Deliver every event that is due, one after the other.

    Begins none after `within`, nor when `stop` says so. Returns how many it tried.
    """
    tried, end = 0, time.monotonic() + within.total_seconds()
    while time.monotonic() < end:
        with _one_at_a_time:
            if stop() or pauses.is_on(Channel.WEBHOOK):
                break
            event = lease.take_next(Channel.WEBHOOK)
            if event is None:
                break
            attempt(event, _hand_over, channel=Channel.WEBHOOK, give_back=_give_back)
        tried += 1
    return tried


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """What proves that an event comes from whoever knows the secret, and when it was sent."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _give_back(event: Lease, problem: DeliveryProblem) -> None:
    """It may be this one alone that the hook stumbles over: the next time another goes first."""
    if problem.code is None:
        lease.give_back(event, problem, behind=True)
    else:
        lease.put_off(event, problem)


def _hand_over(event: Lease) -> None:
    """Send the event.

    Raises:
        DeliveryProblem: nobody took it.
    """
    try:
        body = unseal(event.body).text.encode()
    except Unreadable:
        raise Never(Trouble.UNREADABLE) from None
    try:
        number = _answer(event.message_id, body)
    except ssl.SSLCertVerificationError:
        raise ServerDown(Trouble.HOOK_UNTRUSTED) from None
    except (OSError, http.client.HTTPException):
        raise ServerDown(Trouble.HOOK_UNREACHABLE) from None
    if number in (408, 425, 429) or number >= 500:
        raise ServerDown(Trouble.HOOK_BUSY, number)
    if not 200 <= number < 300:
        raise NotNow(Trouble.HOOK_REFUSED, number)


def _answer(message_id: str, body: bytes) -> int:
    """The number of the answer. The whole exchange takes no longer than the settings allow."""
    ours = settings.current()
    now = int(clock.now().timestamp())
    url = urlsplit(ours.webhook.url)
    path = url.path or "/"
    with connection_to(url, seconds=ours.webhook.timeout_seconds) as connection:
        connection.request(
            "POST",
            f"{path}?{url.query}" if url.query else path,
            body=body,
            headers={
                "Content-Type": "application/json",
                "User-Agent": "portal-webhook/1",
                "webhook-id": message_id,
                "webhook-timestamp": str(now),
                "webhook-signature": signature(ours.secrets.webhook_secret, message_id, now, body),
            },
        )
        with connection.getresponse() as answer:
            with suppress(OSError, http.client.HTTPException):
                answer.read(MOST_READ)
            return answer.status
