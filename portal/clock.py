"""The one clock: every moment the portal writes down is aware and in UTC."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_moment: ContextVar[datetime | None] = ContextVar("portal.clock.moment", default=None)


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return _moment.get() or datetime.now(UTC)


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Let it be that moment for what is inside, in this thread only.

    The demo makes a month of history with it. Nothing that serves people may use it: what
    libraries date themselves, such as signed links and sessions, does not follow.

    Raises:
        ValueError: the moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone says nothing")
    before = _moment.set(moment.astimezone(UTC))
    try:
        yield
    finally:
        _moment.reset(before)
