"""The web server: gunicorn with threads, told everything here and nothing by files or variables."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import TConn, ThreadWorker

from portal import settings
from portal.serving import parent
from portal.serving.access_log import AccessLog
from portal.settings import Settings


class WebServer(BaseApplication):
    """Gunicorn around a site that is loaded already, and a socket that is open already."""

    def __init__(self, site: Flask, listener: int, ready: Callable[[], None]) -> None:
        """Serve a site; `ready` is called once a process answers."""
        self.site = site
        self.listener = listener
        self.ready = ready
        super().__init__()

    def load_config(self) -> None:
        """Set what differs from gunicorn's defaults."""
        for name, value in options(settings.of(self.site)).items():
            self.cfg.set(name, value)
        self.cfg.set("bind", f"fd://{self.listener}")
        self.cfg.set("post_worker_init", lambda _worker: self._is_at_work())

    def run(self) -> None:
        """Serve until SIGTERM."""
        Processes(self).run()

    def load(self) -> Flask:
        """Give the site to the processes that answer."""
        return self.site

    def _is_at_work(self) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        self.ready()


class Processes(Arbiter):
    """Gunicorn's master, whose processes hear a SIGTERM from their first moment.

    In the original, one that comes before they listen to signals is lost, and they end only
    when the time to stop is over.
    """

    def spawn_worker(self) -> int | None:
        """Start a process; it lets the signal in once it can handle it."""
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        try:
            pid: int | None = super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        return pid


class Threads(ThreadWorker):
    """Gunicorn's threads, which nobody can hold by sending a request slowly.

    The original waits for the rest of one for ever. All of this happens in its main loop.
    """

    def __init__(self, *about: Any) -> None:
        """Take what gunicorn gives."""
        super().__init__(*about)
        self.receive_within = settings.of(self.app.site).server.receive_within_seconds
        # In the order of their deadlines.
        self.arriving: dict[TConn, float] = {}

    def enqueue_req(self, conn: TConn) -> None:
        """Give a connection to a thread; from now on its request has to arrive."""
        self.arriving[conn] = time.monotonic() + self.receive_within
        super().enqueue_req(conn)

    def finish_request(self, conn: TConn, done: Future[Any]) -> None:
        """Take a connection back from its thread."""
        self.arriving.pop(conn, None)
        super().finish_request(conn, done)

    def murder_pending(self) -> None:
        """Close what waits for too long, and read no more of what arrives for too long.

        A request that has arrived is answered, however long that takes.
        """
        super().murder_pending()
        now = time.monotonic()
        for conn in [conn for conn, deadline in self.arriving.items() if deadline <= now]:
            del self.arriving[conn]
            with contextlib.suppress(OSError):  # gone by itself
                conn.sock.shutdown(socket.SHUT_RD)


def serve_for(supervisor: int, site: Flask, listener: int, ready: Callable[[], None]) -> None:
    """Serve as a child of the supervisor, and end with it."""
    parent.end_with(supervisor)
    WebServer(site, listener, ready).run()


def options(ours: Settings) -> dict[str, Any]:
    """Say how gunicorn serves: by the names of its own settings."""
    return {
        "worker_class": Threads,
        "workers": ours.server.workers,
        "threads": ours.server.threads,
        "preload_app": True,
        # Somewhat less than the supervisor waits, so that gunicorn ends by itself.
        "graceful_timeout": max(1, ours.server.stop_within_seconds - 1),
        "keepalive": 5,
        "logger_class": AccessLog,
        "accesslog": "-",
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


def _scratch(ours: Settings) -> str:
    # Gunicorn touches a file here every second: memory is better than a disk that may stall.
    for place in ("/dev/shm", tempfile.gettempdir()):  # noqa: S108  # nosec B108 # gunicorn opens an unnamed file
        if os.access(place, os.W_OK):
            return place
    return str(ours.instance)
