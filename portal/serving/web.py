"""The web server: gunicorn with threads, told everything here and nothing by files or variables.

Started by `portal run` with a socket that is open already.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from werkzeug.utils import import_string

from portal import settings
from portal.serving import folder, parent
from portal.serving.access_log import FORMAT, AccessLog
from portal.serving.first_run import set_up_link
from portal.serving.report import tell
from portal.settings import Settings


class WebServer(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn around a site that is loaded before its processes are forked."""

    def __init__(self, site: Flask, *, listener: int, report: int) -> None:
        """Serve a site on an open socket, and report once the first process answers."""
        self.site = site
        self.listener = listener
        self.report = report
        super().__init__()

    def load_config(self) -> None:
        """Set what differs from gunicorn's defaults."""
        for name, value in options(settings.of(self.site)).items():
            self.cfg.set(name, value)
        self.cfg.set("bind", f"fd://{self.listener}")
        self.cfg.set("post_worker_init", self._ready)

    def load(self) -> Any:
        """Give the site to the processes that answer."""
        return self.site

    def _ready(self, _worker: Any) -> None:
        tell(self.report, web=True)


def options(ours: Settings) -> dict[str, Any]:
    """Say how gunicorn serves: by name of its own settings."""
    return {
        "worker_class": "gthread",
        "workers": ours.server.workers,
        "threads": ours.server.threads,
        "preload_app": True,
        # Somewhat less than the supervisor waits, so that gunicorn ends by itself.
        "graceful_timeout": max(1, ours.server.stop_within_seconds - 1),
        "keepalive": 5,
        "logger_class": AccessLog,
        "accesslog": "-",
        "access_log_format": FORMAT,
        "errorlog": "-",
        "loglevel": "warning",
        # Whose forwarding headers count is decided by server.proxy_hops, inside the site.
        "forwarded_allow_ips": "",
        "secure_scheme_headers": {},
        "forwarder_headers": "",
        "limit_request_line": 4094,
        "limit_request_fields": 64,
        "limit_request_field_size": 8190,
        "worker_tmp_dir": _scratch(ours),
        # It would write a socket into the home folder.
        "control_socket_disable": True,
    }


def main() -> None:
    """Serve until told to stop."""
    arguments = _arguments()
    ours = settings.load()
    parent.end_with(arguments.parent)
    with folder.in_use(ours.instance):
        site: Flask = import_string("wsgi:create_site")(ours)
        tell(arguments.report, set_up=set_up_link(site))
        WebServer(site, listener=arguments.listener, report=arguments.report).run()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="portal.serving.web", description=__doc__)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--listener", type=int, required=True)
    parser.add_argument("--report", type=int, required=True)
    return parser.parse_args()


def _scratch(ours: Settings) -> str:
    # Gunicorn touches a file here every second: memory is better than a disk that may stall.
    for place in ("/dev/shm", tempfile.gettempdir()):  # noqa: S108
        if os.access(place, os.W_OK):
            return place
    return str(ours.instance)


if __name__ == "__main__":
    main()
