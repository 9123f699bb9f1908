"""The access log: one line a request, without the tokens of mailed links and without queries."""

from __future__ import annotations

import re
from typing import Any

from gunicorn.glogging import Logger

FORMAT = '%(t)s %(h)s "%(m)s %(U)s" %(s)s %(B)s bytes %(M)s ms'

# What follows these is a token: whoever reads the log could use the link.
_TOKEN = re.compile(
    r"(/(?:confirm|reset|change-email|setup|status)/)"
    r"(?!(?:address|answer|code|done|sent|withdrawal)/?$)[^/]+"
)
# A line break or an escape sequence in a path would forge a line or colour the terminal.
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")


class AccessLog(Logger):
    """Gunicorn's logger, careful about what a path gives away."""

    def atoms(self, resp: Any, req: Any, environ: Any, request_time: Any) -> dict[str, Any]:
        """Give what a line may be made of, with the path masked."""
        atoms: dict[str, Any] = super().atoms(resp, req, environ, request_time)
        path = masked(environ.get("PATH_INFO") or "/")
        request = f"{environ.get('REQUEST_METHOD')} {path} {environ.get('SERVER_PROTOCOL')}"
        return atoms | {"U": path, "r": request, "q": "", "f": "-"}


def masked(path: str) -> str:
    """Blank the token in the path of a mailed link, and what is not printable."""
    printable = _UNPRINTABLE.sub(lambda found: f"%{ord(found[0]):02X}", path)
    return _TOKEN.sub(r"\1***", printable)
