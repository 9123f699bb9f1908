"""Static files: compressed beforehand, marked by content, kept by browsers for a year."""

from __future__ import annotations

from flask import Flask
from whitenoise import WhiteNoise

YEAR = 365 * 24 * 60 * 60


def init_app(app: Flask) -> None:
    """Serve portal/static in front of the application, without its cost a request."""
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = YEAR
    app.wsgi_app = WhiteNoise(  # type: ignore[method-assign]
        app.wsgi_app,
        root=app.static_folder,
        prefix="static/",
        max_age=YEAR,
        add_headers_function=_add_headers,
        # In development files change while the server runs.
        autorefresh=app.debug,
    )


def _add_headers(headers: dict[str, str], _path: str, _url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
