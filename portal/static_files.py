"""Static files: compressed beforehand, marked by content, kept by browsers for a year."""

from __future__ import annotations

from typing import Any

from flask import Flask
from whitenoise import WhiteNoise

from portal import settings
from portal.security import headers

YEAR = 365 * 24 * 60 * 60


def init_app(app: Flask) -> None:
    """Serve portal/static in front of the application, without its cost a request."""
    ours = headers.of_files(settings.of(app))

    def add_headers(found: Any, _path: str, _url: str) -> None:
        for name, value in ours.items():
            found[name] = value

    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = YEAR
    app.wsgi_app = WhiteNoise(  # type: ignore[method-assign]
        app.wsgi_app,
        root=app.static_folder,
        prefix="static/",
        max_age=YEAR,
        # Nobody else's pages need them, so none may read them.
        allow_all_origins=False,
        add_headers_function=add_headers,
        # In development files change while the server runs.
        autorefresh=app.debug,
    )
