"""Proxies: the client's address and scheme come from exactly as many hops as are configured."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from portal import settings


def init_app(app: Flask) -> None:
    """Believe `X-Forwarded-For` and `-Proto` from `server.proxy_hops` proxies; 0 believes none.

    The host is never taken from a header: links are made from the public URL.
    """
    hops = settings.of(app).server.proxy_hops
    if hops:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=0, x_port=0, x_prefix=0
        )
