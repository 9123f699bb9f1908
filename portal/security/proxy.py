"""Proxies: address and scheme come from as many hops as are configured, the path from settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from portal import settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def init_app(app: Flask) -> None:
    """Believe `X-Forwarded-For` and `-Proto` from `server.proxy_hops` proxies; 0 believes none.

    Host and path are never taken from a header: links are made from the public URL.
    """
    path = app.config["APPLICATION_ROOT"]
    if path != "/":
        app.wsgi_app = UnderPath(app.wsgi_app, path)  # type: ignore[method-assign]
    hops = settings.of(app).server.proxy_hops
    if hops:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=0, x_port=0, x_prefix=0
        )


class UnderPath:
    """Serves the portal under the path of its public URL, whether a proxy takes it off or not."""

    def __init__(self, application: WSGIApplication, path: str) -> None:
        self.application, self.path = application, path

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        inside = environ.get("PATH_INFO", "")
        if inside == self.path or inside.startswith(f"{self.path}/"):
            environ["PATH_INFO"] = inside[len(self.path) :]
        environ["SCRIPT_NAME"] = self.path
        return self.application(environ, start_response)
