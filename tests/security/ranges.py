"""A real program on this machine that answers range requests, or behaves badly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Ranges:
    """Knows some passwords while the block runs, and keeps what it was asked.

    `number` is what it answers with; `meanwhile` is called before it does; where it
    `hangs`, it says nothing until the block ends.
    """

    def __init__(self, *known: str) -> None:
        """Find a port."""
        self.hashes = [sha1(word.encode()).hexdigest().upper() for word in known]
        self.number, self.count, self.location = 200, 7, ""
        self.hangs = False
        self.text: str | None = None
        self.meanwhile: Callable[[], object] = lambda: None
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._over = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append((self.path, dict(self.headers.items())))
                server.meanwhile()
                if server.hangs:
                    server._over.wait(30)
                    return
                with suppress(OSError):  # whoever asked may have hung up
                    self.send_response(server.number)
                    if server.location:
                        self.send_header("Location", server.location)
                    self.end_headers()
                    self.wfile.write(server._answer(self.path[-5:]).encode())

            def log_message(self, *_values: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/range/"

    def _answer(self, prefix: str) -> str:
        if self.text is not None:
            return self.text
        named = [each[5:] for each in self.hashes if each.startswith(prefix)]
        lines = [f"{name}:{self.count}" for name in named]
        return "\r\n".join([f"{0:035X}:3", *lines, f"{1:035X}:0"])

    def __enter__(self) -> Ranges:
        """Listen."""
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_why: object) -> None:
        """Let go of who still waits."""
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
