"""The access log: a line a request, without the tokens of mailed links and without queries.

Gunicorn's other lines go the way of all lines as well, where tokens and control characters are
masked. Whoever serves the site with a gunicorn of their own names this class as `--logger-class`.
"""

from __future__ import annotations

from typing import Any

import structlog
from gunicorn.glogging import Logger

from portal.logs import safe_text
from portal.logs.request_ids import ENVIRON

masked = safe_text.path


class AccessLog(Logger):
    """Gunicorn's logger, careful about what a path gives away."""

    def setup(self, cfg: Any) -> None:
        """Let the lines go where all go, and not past it by handlers of gunicorn's own."""
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            for handler in list(log.handlers):
                log.removeHandler(handler)
            log.propagate = True

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Write the line of a request that was answered."""
        structlog.get_logger("portal.access").info(
            "request",
            # Inside, the proxies that are believed have put the client's address here.
            where=environ.get("REMOTE_ADDR"),
            method=environ.get("REQUEST_METHOD"),
            path=masked(environ.get("PATH_INFO") or "/"),
            status=_number(resp.status),
            bytes=resp.sent,
            ms=round(request_time.total_seconds() * 1000),
            request=environ.get(ENVIRON),
        )


def _number(status: Any) -> int | None:
    """The number of "200 OK", of b"200 OK", or of 200."""
    text = status.decode("latin-1") if isinstance(status, bytes) else str(status)
    number = text.partition(" ")[0]
    return int(number) if number.isdecimal() else None
