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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests import needs

# The rows that the migrations made are kept in a schema of their own, and so is the way back to
# them: what has rows is emptied, the kept rows are put back, and every number begins again.
KEEP = """
CREATE SCHEMA kept;
CREATE TABLE kept.numbers (name text, value bigint, is_called boolean);
CREATE TABLE kept.tables (name text);
DO $$
DECLARE
  this record;
  found boolean;
BEGIN
  FOR this IN SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', this.name) INTO found;
    IF found THEN
      INSERT INTO kept.tables VALUES (this.name);
      EXECUTE format('CREATE TABLE kept.%1$I AS TABLE public.%1$I', this.name);
    END IF;
  END LOOP;
  FOR this IN SELECT sequencename AS name FROM pg_sequences WHERE schemaname = 'public' LOOP
    EXECUTE format(
      'INSERT INTO kept.numbers SELECT %1$L, last_value, is_called FROM public.%1$I', this.name);
  END LOOP;
END $$;

CREATE FUNCTION kept.restore() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  this record;
  found boolean;
BEGIN
  SET LOCAL session_replication_role = replica;  -- in whatever order
  FOR this IN SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', this.name) INTO found;
    IF found THEN
      EXECUTE format('DELETE FROM public.%I', this.name);
    END IF;
  END LOOP;
  FOR this IN SELECT * FROM kept.tables LOOP
    EXECUTE format('INSERT INTO public.%1$I SELECT * FROM kept.%1$I', this.name);
  END LOOP;
  FOR this IN SELECT * FROM kept.numbers LOOP
    PERFORM setval(format('public.%I', this.name), this.value, this.is_called);
  END LOOP;
END $$;
"""


@dataclass
class Cluster:
    """A running server. Nothing of it outlives the tests."""

    socket: Path
    _made: set[str] = field(default_factory=set)
    _keepers: dict[str, psycopg.Connection] = field(default_factory=dict)

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
        cluster = cls(folder)
        try:
            yield cluster
        finally:
            for keeper in cluster._keepers.values():
                keeper.close()
            _run(folder, [*control, "-m", "immediate", "stop"])
            shutil.rmtree(folder, ignore_errors=True)

    def url(self, name: str) -> str:
        """The URL of one database of this server."""
        return f"postgresql+psycopg://postgres@/{name}?host={self.socket}"

    def create(self, name: str, template: str = "template1") -> bool:
        """Make a database, empty unless told otherwise. Returns whether it was not there yet."""
        if name in self._made:
            return False
        with self._connected() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        self._made.add(name)
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
            self._drop(name)

    @contextmanager
    def lent(self, template: str) -> Iterator[str]:
        """A copy of a database that one test after another has, each as good as new.

        What each has of its own costs four times as much: a new database's catalogue is read anew
        by every connection. Its tables must stay as they are; `copy_of` is for who changes them.
        """
        name = f"lent_{template}"
        if self.create(name, template):
            with self._connected(name) as connection:
                connection.execute(KEEP)
        try:
            yield self.url(name)
        finally:
            try:
                self._restore(name)
            except psycopg.errors.LockNotAvailable:  # somebody is still in the middle of a step
                self._send_away(name)
                self._restore(name)
            except psycopg.Error:  # the test changes tables: it has to be marked `own_site`
                self._drop(name)
                raise

    def _restore(self, name: str) -> None:
        self._keeper(name).execute("SELECT kept.restore()")

    def _send_away(self, name: str) -> None:
        self._keeper(name).execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    def _keeper(self, name: str) -> psycopg.Connection:
        """The connection that puts a database back: to make it costs more than what it does."""
        if name not in self._keepers:
            self._keepers[name] = self._connected(name)
            self._keepers[name].execute("SET lock_timeout = '2s'")
        return self._keepers[name]

    def _drop(self, name: str) -> None:
        self._made.discard(name)
        if name in self._keepers:
            self._keepers.pop(name).close()
        with self._connected() as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _connected(self, name: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(host=str(self.socket), user="postgres", dbname=name, autocommit=True)


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
