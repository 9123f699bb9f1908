"""From a record to a line: whoever writes it, it is shaped here, and goes to standard error."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, TextIO

import structlog
from flask import Flask
from structlog.stdlib import ProcessorFormatter

from portal import settings
from portal.logs import safe_text
from portal.logs.request_ids import RequestIds
from portal.settings import Settings

EventDict = dict[str, Any]

# Exceptions that led to one another; more of them are a ring, or somebody's joke.
MOST_CAUSES = 10


def init_app(app: Flask) -> None:
    """Shape the lines of this process, and give each request an id.

    Last of all: whatever answers a request, also a static file, does so inside.
    """
    ours = settings.of(app)
    use(ours)
    app.wsgi_app = RequestIds(  # type: ignore[method-assign]
        app.wsgi_app, ours.logs.request_id_header
    )


def use(ours: Settings) -> None:
    """Shape the lines of this process as the settings say; again with others, those count."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = _handler()
    handler.setFormatter(formatter(ours, colors=handler.is_terminal))
    logging.getLogger("portal").setLevel(logging.INFO)


@contextmanager
def unheard() -> Iterator[None]:
    """Write nothing of what happens inside unless it is an error: a past that is made up."""
    ours = logging.getLogger("portal")
    before = ours.level
    ours.setLevel(logging.ERROR)
    try:
        yield
    finally:
        ours.setLevel(before)


def formatter(ours: Settings, *, colors: bool = False) -> ProcessorFormatter:
    """What makes a line of a record: JSON, or words for a terminal."""
    how = ours.logs.format or ("text" if colors else "json")
    return ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
        ],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            Shaped(personal=ours.logs.personal_data, addresses=ours.logs.addresses),
            _for_terminals(colors=colors) if how == "text" else structlog.processors.JSONRenderer(),
        ],
    )


class Shaped:
    """A processor: what a line holds, in one order, safe and short."""

    FIRST = ("at", "level", "event")

    def __init__(self, *, personal: bool, addresses: str) -> None:
        self.personal, self.addresses = personal, addresses

    def __call__(self, _logger: Any, _method: str, line: MutableMapping[str, Any]) -> EventDict:
        raised = line.pop("exc_info", None)
        line.pop("stack_info", None)
        if "where" in line:
            line["where"] = safe_text.network(line["where"], kept=self.addresses)
        shaped: EventDict = {
            key: safe_text.value(line[key], personal=self.personal)
            for key in (*self.FIRST, *sorted(set(line) - set(self.FIRST)))
            if key in line and not key.startswith("_")
        }
        error = _error(raised)
        if error is not None:
            shaped["exception"] = trace(error, personal=self.personal)
        return shaped


def trace(error: BaseException, *, personal: bool) -> str:
    """Where it went wrong, and the first line of what the error says.

    The lines after it are where databases quote what people typed (ASVS 16.2.5).
    """
    parts = []
    for raised, link in _chain(error):
        told = str(raised)
        if not personal:
            told = told.partition("\n")[0]
        told = safe_text.text(told, personal=personal)
        name = f"{type(raised).__module__}.{type(raised).__qualname__}"
        frames = "".join(traceback.format_tb(raised.__traceback__))
        parts.append(f"{link}Traceback (most recent call last):\n{frames}{name}: {told}")
    whole = safe_text.seen("\n\n".join(reversed(parts)), lines=True)
    if len(whole) > safe_text.LONGEST_TRACE:
        half = safe_text.LONGEST_TRACE // 2
        whole = f"{whole[:half]}\n…\n{whole[-half:]}"
    return whole


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """The error and what led to it, the last first, each with the words that link it."""
    raised: BaseException | None = error
    for _ in range(MOST_CAUSES):
        if raised is None:
            return
        before = raised.__cause__ or (None if raised.__suppress_context__ else raised.__context__)
        yield raised, "" if before is None else "which led to:\n"
        raised = before


def _error(raised: Any) -> BaseException | None:
    if isinstance(raised, BaseException):
        return raised
    if raised is True:
        return sys.exc_info()[1]
    return raised[1] if isinstance(raised, tuple) and len(raised) == 3 else None


def _for_terminals(*, colors: bool) -> Any:
    """Words, one line each; of a trace each line is indented, so that none looks like a new one."""
    show = structlog.dev.ConsoleRenderer(
        colors=colors,
        pad_event_to=24,
        repr_native_str=True,  # a value with a blank in it could pass for two
        sort_keys=False,
        timestamp_key="at",
    )

    def shown(logger: Any, method: str, line: EventDict) -> str:
        trace_ = line.pop("exception", None)
        text = str(show(logger, method, line))
        if trace_:
            text += "".join(f"\n    | {each}" for each in str(trace_).splitlines())
        return text

    return shown


class ToStandardError(logging.Handler):
    """Writes to whatever standard error is at that moment."""

    @property
    def is_terminal(self) -> bool:
        """Whether somebody reads along."""
        stream: TextIO | None = sys.stderr
        return stream is not None and stream.isatty()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


def _handler() -> ToStandardError:
    """The one that is there already, or else a new one."""
    root = logging.getLogger()
    for handler in root.handlers:
        if isinstance(handler, ToStandardError):
            return handler
    handler = ToStandardError()
    root.addHandler(handler)
    return handler
