"""Isolation: what a browser says another site asked for is refused, but for opening a page.

The second wall behind the CSRF token, cookies with `SameSite`, and `frame-ancestors`: browsers
say with each request over TLS who caused it (Fetch Metadata; ASVS 3.5.3, 3.5.8). What says
nothing is no such browser, or came without TLS, and meets the other walls alone.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, request
from werkzeug.exceptions import Forbidden

LOOKING = ("GET", "HEAD", "OPTIONS")
# Browsers send reports by themselves, also for frames that belong to nobody.
ASKED_BY_BROWSERS = frozenset({"reports.collect"})


class FromAnotherSite(Forbidden):
    """Another site made this browser ask."""


def init_app(app: Flask) -> None:
    """Look where a request comes from before anything else looks at it."""
    app.before_request(_check)


def _check() -> None:
    """Let pass what came from here or was typed, and links to pages from anywhere.

    Raises:
        FromAnotherSite: another site, of the same organisation or not, asked for anything else:
            a form, a frame, an image, a script.
    """
    if request.endpoint is None or request.endpoint in ASKED_BY_BROWSERS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is None:
        if request.method not in LOOKING and _has_foreign_origin():
            raise FromAnotherSite
        return
    if site in ("same-origin", "none") or _is_a_link_to_a_page():
        return
    raise FromAnotherSite


def _is_a_link_to_a_page() -> bool:
    headers = request.headers
    return (
        request.method in ("GET", "HEAD")
        and headers.get("Sec-Fetch-Mode") == "navigate"
        and headers.get("Sec-Fetch-Dest", "document") == "document"
    )


def _has_foreign_origin() -> bool:
    """Whether an older browser names another host; "null" is said by pages without a referrer.

    Ports and schemes are the proxy's business: only the host is compared.
    """
    origin = request.headers.get("Origin", "null")
    if origin == "null":
        return False
    try:
        return urlsplit(origin).hostname != urlsplit(f"//{request.host}").hostname
    except ValueError:
        return True
