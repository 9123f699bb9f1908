"""A real program that listens on this machine, for tests: it takes events, or behaves badly."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from flask import Flask

from portal import settings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def listen(app: Flask, url: str, **more: Any) -> None:
    """Let the portal tell this address."""
    ours = settings.of(app)
    app.extensions["portal.settings"] = replace(
        ours,
        webhook=replace(ours.webhook, url=url, timeout_seconds=2, **more),
        secrets=replace(ours.secrets, webhook_secret=SECRET),
    )


@dataclass(frozen=True)
class Told:
    """One event as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """What it says."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Hook:
    """Listens on a free port of this machine while the block runs.

    It answers with `number`; `drip` lets it answer one byte at a time, as slowly as that says.
    It hangs up at the event whose id it `stumbles_over`, or answers 500 where `says_so`.
    """

    number: int = 204
    stumbles_over: str = ""
    says_so: bool = True
    location: str = ""
    drip: float = 0
    length: int = 0
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Find a port."""
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                hook.told.append(Told(self.path, headers, body))
                with suppress(OSError):  # whoever asked may have hung up
                    hook.answer(self)

            def do_GET(self) -> None:
                hook.told.append(Told(self.path, {}, b""))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_values: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks/portal?room=1"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer as told."""
        stumbles = self.stumbles_over and handler.headers["webhook-id"] == self.stumbles_over
        if stumbles and not self.says_so:
            return
        if self.drip:
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 4000:
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
                time.sleep(self.drip)
            return
        handler.send_response(500 if stumbles else self.number)
        if self.location:
            handler.send_header("Location", self.location)
        handler.send_header("Content-Length", str(self.length))
        handler.end_headers()
        for _ in range(self.length // 65536):
            handler.wfile.write(b"x" * 65536)

    def __enter__(self) -> Hook:
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.server.shutdown()
        self.server.server_close()
