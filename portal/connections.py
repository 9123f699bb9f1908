"""Connections: to servers of others by HTTP, broken off when their time is over."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import SplitResult


@contextmanager
def connection_to(url: SplitResult, *, seconds: float) -> Iterator[http.client.HTTPConnection]:
    """A connection that ends after so many seconds, however slow the other side is.

    Certificates are always verified. Only how long a name takes to be found is not bounded.

    Raises:
        OSError: nobody is there, or its certificate is not to be trusted.
    """
    host, port = url.hostname or "", url.port
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        connection = http.client.HTTPSConnection(
            host, port, timeout=seconds, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=seconds)
    connection.connect()
    # The line itself: the connection lets go of it where the answer is to end with it.
    over = threading.Timer(seconds, _break_off, [connection.sock])
    over.daemon = True
    try:
        over.start()
        yield connection
    finally:
        over.cancel()
        connection.close()


def _break_off(line: socket.socket) -> None:
    with suppress(OSError):  # over already
        line.shutdown(socket.SHUT_RDWR)
