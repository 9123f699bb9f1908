"""Request ids: which request a line belongs to, in the web server and in the worker."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from structlog.contextvars import (
    bind_contextvars,
    bound_contextvars,
    clear_contextvars,
    get_contextvars,
)
from werkzeug.wsgi import ClosingIterator

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LENGTH = 64
ENVIRON = "portal.request_id"
HEADER = "X-Request-ID"

_ACCEPTED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_KEY = "request"
_NOTED = "_noted"


def new() -> str:
    """An id that nobody can guess and that no other request has."""
    return secrets.token_hex(8)


def current() -> str | None:
    """The id of what is under way in this thread; None where no request caused it."""
    found = get_contextvars().get(_KEY)
    return found if isinstance(found, str) else None


def accepted(claimed: str | None) -> str | None:
    """The id that a proxy gave, if it can be one: 8 to 64 letters, digits, dots, dashes."""
    return claimed if claimed and _ACCEPTED.fullmatch(claimed) else None


def noted_already(name: str) -> bool:
    """Whether this was asked with the same name before, since the request began."""
    noted = get_contextvars().get(_NOTED)
    if not isinstance(noted, set):
        return False
    if name in noted:
        return True
    noted.add(name)
    return False


@contextmanager
def piece_of_work(job: str) -> Iterator[None]:
    """Give what the worker does by itself an id of its own, for its lines and its mails."""
    with bound_contextvars(**{"job": job, _KEY: new()}):
        yield


@contextmanager
def caused_by(request_id: str | None) -> Iterator[None]:
    """Let lines belong to the request that caused this, where that is known."""
    if request_id is None:
        yield
        return
    with bound_contextvars(**{_KEY: request_id}):
        yield


class RequestIds:
    """Gives each request its id, and says it in the answer, so that people can quote it.

    The one that a proxy claims is taken where an operator trusts one to set it (`header`).
    """

    def __init__(self, application: WSGIApplication, header: str = "") -> None:
        self.application = application
        self.key = f"HTTP_{header.upper().replace('-', '_')}" if header else ""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request_id = accepted(environ.get(self.key)) if self.key else None
        request_id = request_id or new()
        environ[ENVIRON] = request_id
        clear_contextvars()
        bind_contextvars(**{_KEY: request_id, _NOTED: set()})

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, (HEADER, request_id)], *more)

        try:
            answer = self.application(environ, start)
        except BaseException:
            clear_contextvars()
            raise
        return ClosingIterator(answer, [clear_contextvars])
