"""Connections: to servers of others by HTTP, broken off when their time is over."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import SplitResult


def verified_tls(ca_file: str = "") -> ssl.SSLContext:
    """What TLS to others asks for: certificates of the system's authorities, or of the file's.

    And TLS 1.2 or newer (ASVS 12.1.1), also where the system's Python leaves that to OpenSSL's
    settings, as Debian's does.
    """
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


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
            host, port, timeout=seconds, context=verified_tls()
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
