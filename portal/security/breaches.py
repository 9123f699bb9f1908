"""Breaches: whether a password is known from one, asked of a server that does not learn which.

The server is told the first five hexadecimal digits of a SHA-1 hash, and names all the hashes it
knows that begin so: a thousand or more (k-anonymity). The form is that of the range requests of
Have I Been Pwned, which several programs serve; which one is asked, the operator decides, and
nobody is asked by default. Where no answer comes in time, the password counts as unknown: it has
passed the rules that need no network (ASVS 6.2.12).
"""

from __future__ import annotations

import http.client
import logging
import threading
import time
from hashlib import sha1
from urllib.parse import SplitResult, urlsplit

from flask import Flask, current_app
from flask_babel import lazy_gettext as _l

from portal import settings
from portal.accounts.spelling import normalize
from portal.connections import connection_to
from portal.database import let_go

SENTENCE = _l("Not known from a data breach elsewhere.")

# Seconds for which a server that did not answer is not asked again, so that one that is away
# holds nobody up but the first.
PAUSE = 60

# Names of a thousand hashes take 40 KiB; more than this is not what was asked for.
MOST_READ = 512 * 1024

_PREFIX = 5  # of the forty digits, as the form of the request has it
_NAME = "portal.breaches"

log = logging.getLogger(__name__)


class NoAnswer(Exception):
    """The server was not reached in time, or said something else than what was asked."""


class _Pause:
    """Until when a server that did not answer is left alone, in this process."""

    def __init__(self) -> None:
        self._until = 0.0

    def is_on(self) -> bool:
        return time.monotonic() < self._until

    def begin(self) -> None:
        self._until = time.monotonic() + PAUSE


def init_app(app: Flask) -> None:
    """Remember in each process whether the server answers."""
    app.extensions[_NAME] = _Pause()


def are_asked_about() -> bool:
    """Whether the operator has named a server to ask."""
    return bool(settings.current().passwords.breach_check_url)


def know(password: str) -> bool:
    """Whether a breach is known in which this password was found.

    Waits for `breach_check_seconds` at most, with no connection to the database in hand. False
    where nobody answers, and where nobody is to be asked.

    Raises:
        RuntimeError: something was changed that is not committed.
    """
    pause: _Pause = current_app.extensions[_NAME]
    if not are_asked_about() or pause.is_on():
        return False
    ours = settings.current().passwords
    digits = sha1(normalize(password).encode("utf-8", "replace"), usedforsecurity=False)
    prefix, rest = digits.hexdigest().upper()[:_PREFIX], digits.hexdigest().upper()[_PREFIX:]
    let_go()
    try:
        answer = _ask(urlsplit(ours.breach_check_url + prefix), ours.breach_check_seconds)
    except NoAnswer as why:
        pause.begin()
        log.warning("nobody says which passwords are known from breaches: %s", why)
        return False
    return _names(answer, rest)


def _ask(url: SplitResult, seconds: int) -> str:
    """What the server says. Asked beside, because finding its name can take long."""
    said: list[str | Exception] = []

    def ask() -> None:
        try:
            said.append(_answer(url, seconds))
        except (OSError, http.client.HTTPException, NoAnswer) as error:
            said.append(error)

    thread = threading.Thread(target=ask, name="breaches", daemon=True)
    thread.start()
    thread.join(seconds)
    answer = said[0] if said else TimeoutError("no answer in time")
    if isinstance(answer, str):
        return answer
    raise NoAnswer(f"{type(answer).__name__}: {answer}") from answer


def _answer(url: SplitResult, seconds: int) -> str:
    headers = {
        "Accept": "text/plain",
        # Names that stand for nothing beside the others, so that the length says nothing either.
        "Add-Padding": "true",
        "User-Agent": "portal",
    }
    with connection_to(url, seconds=seconds) as connection:
        connection.request("GET", url.path, headers=headers)
        with connection.getresponse() as answer:
            if answer.status != http.client.OK:
                raise NoAnswer(f"it answered {answer.status}")
            body = answer.read(MOST_READ + 1)
    if len(body) > MOST_READ:
        raise NoAnswer("it said too much")
    return body.decode("ascii", "replace")


def _names(answer: str, rest: str) -> bool:
    """Whether a hash is among those named, and not as padding, which was seen no time."""
    for line in answer.splitlines():
        name, _, count = line.partition(":")
        if name.strip().upper() == rest:
            return count.strip() not in ("", "0")
    return False
