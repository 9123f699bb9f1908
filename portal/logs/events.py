"""What of security can happen, by name, and the one way to write it down (ASVS 16.2.1, 16.3).

What is done to accounts is not named here: every entry of the audit trail is a line of the log
as well, under its action (`portal.audit`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import structlog
from flask import g, has_request_context, request
from sqlalchemy import inspect
from sqlalchemy.exc import NoInspectionAvailable

from portal.logs.request_ids import noted_already

LOGGER = "portal.security_events"


class Outcome(StrEnum):
    """How it ended."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class SecurityEvent(StrEnum):
    """What happened. docs/logs.md says of each when it is written and what it carries."""

    SIGNED_IN = "sign_in.done"
    SIGN_IN_FAILED = "sign_in.failed"
    SIGN_IN_CLOSED = "sign_in.closed"
    SECOND_STEP_FAILED = "sign_in.second_step_failed"
    SIGNED_OUT = "sign_out.done"
    PROVED_AGAIN = "proof.done"
    PROOF_FAILED = "proof.failed"
    RESET_ASKED = "reset.asked"
    LINK_REFUSED = "link.refused"
    CODE_REFUSED = "code.refused"
    DENIED = "request.denied"
    FROM_ANOTHER_SITE = "request.from_another_site"
    CSRF_FAILED = "request.csrf_failed"
    LIMITED = "request.limited"
    TOO_BUSY = "request.too_busy"
    MALFORMED = "request.malformed"
    WRONG_HOST = "request.wrong_host"
    POLICY_BROKEN = "browser.policy_broken"
    MAIL_FAILED = "mail.failed"
    MAIL_WAITS = "mail.waits"
    ERROR = "portal.error"
    DATABASE_AWAY = "portal.database_away"
    STARTED = "portal.started"
    STOPPED = "portal.stopped"

    @property
    def outcome(self) -> Outcome:
        """How it ended: the same for each of a name."""
        if self in _DONE:
            return Outcome.DONE
        return Outcome.REFUSED if self in _REFUSED else Outcome.FAILED

    @property
    def level(self) -> str:
        """How loud it is: what somebody should look at is a warning, what is broken an error."""
        if self in _BROKEN:
            return "error"
        return "info" if self.outcome is Outcome.DONE else "warning"


_DONE = frozenset(
    {
        SecurityEvent.SIGNED_IN,
        SecurityEvent.SIGNED_OUT,
        SecurityEvent.PROVED_AGAIN,
        SecurityEvent.RESET_ASKED,
        SecurityEvent.STARTED,
        SecurityEvent.STOPPED,
    }
)
_REFUSED = frozenset(
    {
        SecurityEvent.SIGN_IN_CLOSED,
        SecurityEvent.LINK_REFUSED,
        SecurityEvent.CODE_REFUSED,
        SecurityEvent.DENIED,
        SecurityEvent.FROM_ANOTHER_SITE,
        SecurityEvent.CSRF_FAILED,
        SecurityEvent.LIMITED,
        SecurityEvent.TOO_BUSY,
        SecurityEvent.MALFORMED,
        SecurityEvent.WRONG_HOST,
    }
)
_BROKEN = frozenset({SecurityEvent.ERROR, SecurityEvent.DATABASE_AWAY})


def note(event: SecurityEvent, *, about: Any = None, **details: Any) -> None:
    """Write down that something happened: who did it, to whom, from where, how it ended.

    `about` is the account it is about, or its number, where that is not the one who asks.
    `details` are names and numbers of ours: never what somebody typed.
    """
    write(event.value, event.level, outcome=event.outcome.value, about=about, **details)


def note_once(event: SecurityEvent, *, about: Any = None, **details: Any) -> None:
    """The same, once in a request, however many places find out."""
    if not noted_already(event.value):
        note(event, about=about, **details)


def write(
    name: str, level: str, *, outcome: str, about: Any = None, by: Any = None, **details: Any
) -> None:
    """Write the line of an event. `by` is who did it; None: whoever asks, as far as is known."""
    line: dict[str, Any] = {"outcome": outcome, "who": _number(by) or _asking()}
    if about is not None:
        line["about"] = _number(about)
    if has_request_context():
        line |= {"where": request.remote_addr, "method": request.method}
        line["endpoint"] = request.endpoint
    line |= {key: value for key, value in details.items() if value is not None}
    getattr(structlog.get_logger(LOGGER), level)(name, **line)


def _asking() -> int | None:
    """Who is signed in, if that was looked up: writing a line asks the database nothing."""
    return _number(g.get("_login_user")) if has_request_context() else None


def _number(account: Any) -> int | None:
    """The number of an account, also of one whose row is no longer loaded."""
    if account is None or isinstance(account, int):
        return account
    try:
        identity = inspect(account).identity
    except NoInspectionAvailable:
        return None  # nobody: a visitor
    return int(identity[0]) if identity else None
