"""Static files: compressed beforehand, marked by content, kept by browsers for a year."""

from __future__ import annotations

import gzip
import logging
import zlib
from os import stat_result
from pathlib import Path
from typing import Any

from flask import Flask
from whitenoise import WhiteNoise
from whitenoise.responders import Redirect, StaticFile

from portal import settings
from portal.security import headers

log = logging.getLogger(__name__)

YEAR = 365 * 24 * 60 * 60


def init_app(app: Flask) -> None:
    """Serve portal/static in front of the application, without its cost a request."""
    ours = headers.of_files(settings.of(app))

    def add_headers(found: Any, _path: str, _url: str) -> None:
        for name, value in ours.items():
            found[name] = value

    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = YEAR
    app.wsgi_app = StaticFiles(  # type: ignore[method-assign]
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


class StaticFiles(WhiteNoise):
    """WhiteNoise, that serves no compressed file which says something else than its source.

    Whoever changes a file and starts without the set-up leaves an old neighbour beside it, and
    browsers, which all ask for the compressed one, would keep that for a year.
    """

    def get_static_file(
        self, path: str, url: str, stat_cache: dict[str, stat_result] | None = None
    ) -> StaticFile | Redirect:
        """What is served at an address. In development, the file alone: it changes meanwhile."""
        if stat_cache is None:
            found = Path(path)
            alone = {path: found.stat()} if found.exists() else None
            return super().get_static_file(path, url, alone)
        neighbour = f"{path}.gz"
        if neighbour in stat_cache and not _is_of(Path(neighbour), Path(path)):
            log.warning("%s is out of date, so %s is sent uncompressed", neighbour, path)
            stat_cache = {name: found for name, found in stat_cache.items() if name != neighbour}
        return super().get_static_file(path, url, stat_cache)


def _is_of(neighbour: Path, source: Path) -> bool:
    """Whether the one is the other, compressed. By what they hold: copying changes times."""
    try:
        return gzip.decompress(neighbour.read_bytes()) == source.read_bytes()
    except (OSError, EOFError, zlib.error):
        return False
