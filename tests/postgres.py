"""A PostgreSQL server for one test process: started on a unix socket, thrown away after."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests import needs


@dataclass
class Cluster:
    """A running server. Nothing of it outlives the tests."""

    socket: Path

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Cluster]:
        """Start one in a temporary folder; as root it runs as the user `postgres`."""
        programs = needs.postgresql()
        folder = Path(tempfile.mkdtemp(prefix="portal-pg-"))
        data = folder / "data"
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        _run(
            folder,
            [
                programs / "initdb",
                "-D",
                data,
                "-A",
                "trust",
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
        )
        options = (
            f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
            " -c full_page_writes=off -c max_connections=120"
        )
        control = [programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
        _run(folder, [*control, "-o", options, "start"])
        try:
            yield cls(folder)
        finally:
            _run(folder, [*control, "-m", "immediate", "stop"])
            shutil.rmtree(folder, ignore_errors=True)

    def url(self, name: str) -> str:
        """The URL of one database of this server."""
        return f"postgresql+psycopg://postgres@/{name}?host={self.socket}"

    def create(self, name: str) -> bool:
        """Make an empty database. Returns whether it was not there yet."""
        with self._connected() as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if found.fetchone():
                return False
            connection.execute(f'CREATE DATABASE "{name}"')
        return True

    @contextmanager
    def copy_of(self, template: str) -> Iterator[str]:
        """A copy of a database, for one test."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        with self._connected() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield self.url(name)
        finally:
            with self._connected() as connection:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _connected(self) -> psycopg.Connection:
        return psycopg.connect(host=str(self.socket), user="postgres", autocommit=True)


def _run(folder: Path, command: list[object]) -> None:
    """Run a server program as the user who may run it, and fail with what it said."""
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:
        postgres = pwd.getpwnam("postgres")
        identity = {
            "user": postgres.pw_uid,
            "group": postgres.pw_gid,
            "extra_groups": [],
        }
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        stdout=subprocess.PIPE if "initdb" in str(command[0]) else subprocess.DEVNULL,
        stderr=subprocess.STDOUT if "initdb" in str(command[0]) else subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        check=False,
        **identity,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {(done.stdout or b'').decode()[-2000:]}")
