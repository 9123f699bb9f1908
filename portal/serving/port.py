"""The port: taken before anything else starts, so that it cannot be lost on the way."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from portal.serving.problems import Problem
from portal.settings import Settings

BACKLOG = 512


def listen(settings: Settings) -> socket.socket:
    """Open the socket that the web server answers on.

    Raises:
        Problem: somebody else has the port, or it is not ours to take.
    """
    host, port = settings.host, settings.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror:
        raise Problem(
            f"This machine does not know the host in bind, {host}. {_another(settings)}"
        ) from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Problem(_why(error, settings)) from None
    return listener


def _why(error: OSError, settings: Settings) -> str:
    bind, port = settings.bind, settings.port
    if error.errno == errno.EADDRINUSE:
        owner = _owner(port)
        by = f" by {owner}" if owner else " by another program"
        return f"Port {port} is in use{by}. Stop it, or choose another port. {_another(settings)}"
    if error.errno == errno.EACCES:
        return f"Only root may listen on port {port}. {_another(settings, 8000)}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{settings.host} is not an address of this machine. {_another(settings)}"
    return f"It is not possible to listen on {bind} ({error.strerror}). {_another(settings)}"


def _another(settings: Settings, first: int | None = None) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    if not settings.is_loopback:
        host = "127.0.0.1"
    return f"For example: PORTAL_BIND={host}:{_free_port(first or settings.port + 1)}"


def _free_port(first: int) -> int:
    for port in range(first, min(first + 100, 65536)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return 8000


def _owner(port: int) -> str:
    """Name the program that listens on a port, as far as Linux lets us see it; else ""."""
    inodes = _listening_inodes(port)
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = os.readlink(link)
            if target.removeprefix("socket:[").removesuffix("]") in inodes:
                process = link.parent.parent
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
                return f"{name} (process {process.name})"
        except OSError:
            continue  # it ended, or belongs to somebody else
    return ""


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        try:
            rows = table.read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            columns = row.split()
            is_listening = columns[3] == "0A"
            if is_listening and int(columns[1].rpartition(":")[2], 16) == port:
                found.add(columns[9])
    return found
