"""Reports: what browsers say the content security policy kept out, one line of the log a kind.

Anybody may send them, so they are believed in nothing: a report is broken down to a rule of the
policy, a host and a page of ours before it is told of, and none is stored.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, abort, current_app, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RoutingException

from portal import settings
from portal.logs import SecurityEvent, note
from portal.security import limits
from portal.security.headers import REPORTS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LARGEST = 16 * 1024
MOST_AT_ONCE = 20
MOST_KINDS = 100
DAY = 24 * 60 * 60

# Both forms, by their types: the one of `report-uri`, and the one of `report-to`.
ONE = "application/csp-report"
SEVERAL = "application/reports+json"

DIRECTIVES = frozenset(
    [
        "default-src",
        "script-src",
        "script-src-elem",
        "script-src-attr",
        "style-src",
        "style-src-elem",
        "style-src-attr",
        "img-src",
        "font-src",
        "connect-src",
        "media-src",
        "object-src",
        "frame-src",
        "child-src",
        "worker-src",
        "manifest-src",
        "base-uri",
        "form-action",
        "frame-ancestors",
        "sandbox",
        "require-trusted-types-for",
        "trusted-types",
        "upgrade-insecure-requests",
    ]
)
_WORD = re.compile(r"(?:trusted-types-)?(?:inline|eval|wasm-eval|self|data|blob|policy|sink)")
_SCHEME = re.compile(r"[a-z][a-z0-9+-]{0,30}")
_HOST = re.compile(r"[a-z0-9.-]{1,253}")


@dataclass(frozen=True)
class Kind:
    """What a report comes down to; each part is one of few words, or a host."""

    directive: str
    blocked: str
    page: str


class Kinds:
    """Which kinds were told of, so that each is one line a day, and how often each came since."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Kind, int] = {}
        self._since = time.monotonic()

    def is_new(self, kind: Kind) -> bool:
        """Count a report of this kind; whether it is the first one today.

        Past a hundred kinds nothing is new any more until tomorrow: so many are made up.
        """
        with self._lock:
            if time.monotonic() - self._since > DAY:
                self._counts.clear()
                self._since = time.monotonic()
            if kind not in self._counts and len(self._counts) >= MOST_KINDS:
                return False
            self._counts[kind] = self._counts.get(kind, 0) + 1
            return self._counts[kind] == 1

    def count(self, kind: Kind) -> int:
        """How often it came today."""
        with self._lock:
            return self._counts.get(kind, 0)


blueprint = Blueprint("reports", __name__)


def init_app(app: Flask, csrf: CSRFProtect) -> None:
    """Open the door for reports. Browsers have no CSRF token to send, and nothing is changed."""
    app.extensions["portal.reports"] = Kinds()
    csrf.exempt(blueprint)
    app.register_blueprint(blueprint)


def without_cookies(app: Flask) -> None:
    """Take the cookies off a report before anything sees them, and set none: it is nobody's."""
    app.wsgi_app = _WithoutCookies(app.wsgi_app)  # type: ignore[method-assign]


@blueprint.post(REPORTS)
@limits.by_address("report")
def collect() -> ResponseReturnValue:
    """Take reports in either form, and answer nothing that anybody would read."""
    request.max_content_length = LARGEST
    kinds: Kinds = current_app.extensions["portal.reports"]
    try:
        violations = _violations()
    except HTTPException as refused:
        return "", refused.code or 400
    for directive, blocked, page in violations:
        kind = Kind(_directive(directive), _blocked(blocked), _page(page))
        if kinds.is_new(kind):
            note(
                SecurityEvent.POLICY_BROKEN,
                directive=kind.directive,
                blocked=kind.blocked,
                page=kind.page,
            )
    return "", 204


def _violations() -> Iterable[tuple[Any, Any, Any]]:
    """Rule, blocked address and page of each violation in the body; 400 where it is no report."""
    if request.mimetype not in (ONE, SEVERAL):
        abort(415)
    try:
        body = json.loads(request.get_data(cache=False))
    except (ValueError, RecursionError):
        abort(400)
    if request.mimetype == ONE:
        report = body.get("csp-report") if isinstance(body, dict) else None
        if not isinstance(report, dict):
            abort(400)
        rule = report.get("effective-directive") or report.get("violated-directive")
        return [(rule, report.get("blocked-uri"), report.get("document-uri"))]
    if not isinstance(body, list):
        abort(400)
    bodies = [
        each["body"]
        for each in body[:MOST_AT_ONCE]
        if isinstance(each, dict)
        and each.get("type") == "csp-violation"
        and isinstance(each.get("body"), dict)
    ]
    return [
        (each.get("effectiveDirective"), each.get("blockedURL"), each.get("documentURL"))
        for each in bodies
    ]


def _directive(said: Any) -> str:
    # The older form may name the whole rule with its sources.
    name = said.split(" ", 1)[0] if isinstance(said, str) else ""
    return name if name in DIRECTIVES else "other"


def _blocked(said: Any) -> str:
    """A word such as "inline", or the host something would have come from; never a path."""
    if not isinstance(said, str):
        return "other"
    if _WORD.fullmatch(said):
        return said
    try:
        parts = urlsplit(said[:2000])
        host = parts.hostname or ""
    except ValueError:
        return "other"
    if parts.scheme in ("http", "https", "ws", "wss") and _HOST.fullmatch(host):
        return "self" if host == settings.current().public_host else host
    return parts.scheme if _SCHEME.fullmatch(parts.scheme) else "other"


def _page(said: Any) -> str:
    """The name of the page of ours that it happened on: its address may hold a token."""
    ours = settings.current()
    try:
        parts = urlsplit(said[:2000]) if isinstance(said, str) else urlsplit("")
        inside = parts.path.removeprefix(ours.public_path.rstrip("/"))
        endpoint, _ = current_app.url_map.bind("").match(inside)
    except (HTTPException, RoutingException, ValueError):
        return "other"
    return str(endpoint)


class _WithoutCookies:
    def __init__(self, application: WSGIApplication) -> None:
        self.application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != REPORTS:
            return self.application(environ, start_response)
        environ.pop("HTTP_COOKIE", None)

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            # A page that says what went wrong would begin a session, in place of the browser's.
            kept = [header for header in headers if header[0].lower() != "set-cookie"]
            return start_response(status, kept, *more)

        return self.application(environ, start)
