"""A portal that runs as real processes, as an operator starts it."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from portal.cli import main
from portal.settings import ROOT

PATIENCE = 60.0


class Portal:
    """One `portal run` and what it started."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, port: int) -> None:
        self.process = process
        self.log = log
        self.port = port

    @property
    def output(self) -> str:
        """Everything it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def until_ready(self) -> Portal:
        """Wait for the banner; fail with the output when there is none."""
        until(lambda: "Ctrl-C" in self.output or self.process.poll() is not None)
        assert "The portal is ready" in self.output, self.output
        return self

    def get(self, path: str) -> tuple[int, str]:
        """Ask for a page; give status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def child(self, name: str) -> int:
        """The process that has a name among the children."""
        (found,) = [pid for pid in children(self.process.pid) if comm(pid) == f"portal {name}"[:15]]
        return found

    def family(self) -> set[int]:
        """All processes that it has started, and theirs."""
        found: set[int] = set()
        fresh = {self.process.pid}
        while fresh:
            fresh = {child for pid in fresh for child in children(pid)} - found
            found |= fresh
        return found

    def ended(self) -> int:
        """Wait for the end; give the exit code."""
        return self.process.wait(PATIENCE)


@contextmanager
def running(folder: Path, *command: str, **options: Any) -> Iterator[Portal]:
    """Start a portal in a folder; whatever is left of it in the end is killed."""
    port = options.pop("port", 0) or free_port()
    environ = environment(folder, port, **options.pop("environ", {}))
    log = folder / "output.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [
                *options.pop("prefix", []),
                *python(options.pop("root", ROOT)),
                *(command or ("run",)),
            ],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **{"cwd": folder, **options},
        )
    portal = Portal(process, log, port)
    try:
        yield portal
    finally:
        for pid in (*portal.family(), process.pid):
            # One that is killed takes others with it, between a look and the next kill.
            with suppress(ProcessLookupError):
                if process.poll() is None or alive(pid):
                    os.kill(pid, signal.SIGKILL)
        process.wait()


def command(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run one command of the portal to its end."""
    return subprocess.run(
        [*python(ROOT), *arguments],
        env=environment(folder, free_port(), **environ),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def within(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run one command as `command` does, but in the test's own process: it spares a start."""
    mask = os.umask(0o077)
    try:
        done = CliRunner().invoke(
            main, arguments, env=environment(folder, free_port(), **environ), catch_exceptions=False
        )
    finally:
        os.umask(mask)
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def environment(folder: Path, port: int, **more: str) -> dict[str, str]:
    """An environment with nothing in it that the portal was not given here."""
    (folder / "home").mkdir(exist_ok=True)
    return {
        "HOME": str(folder / "home"),
        "PATH": os.environ["PATH"],
        "PORTAL_INSTANCE": str(folder / "instance"),
        "PORTAL_BIND": f"127.0.0.1:{port}",
        **more,
    }


def python(root: Path) -> list[str]:
    """The start of a command that runs the portal of one checkout, wherever it is run."""
    program = f"import sys; sys.path.insert(0, {str(root)!r}); from portal.cli import main; main()"
    return [sys.executable, "-P", "-c", program]


def until(condition: Callable[[], object], *, seconds: float = PATIENCE) -> None:
    """Wait for something to become true, and fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def set_up_link(portal: Portal) -> str:
    """The link in the banner."""
    found = re.search(r"Set up +(\S+)", portal.output)
    assert found, portal.output
    return found[1]


def alive(pid: int) -> bool:
    """Whether a process does anything still."""
    return state(pid) not in ("", "Z", "X")


def state(pid: int) -> str:
    """One letter, as in proc(5); nothing for a process that is gone."""
    return (_status(pid).split() or [""])[0]


def cpu_seconds(pid: int) -> float:
    """How long a process has been computing, in all its threads, since it was started."""
    user, system = _status(pid).split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def comm(pid: int) -> str:
    """The name of a process."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def children(parent: int) -> list[int]:
    """The processes that a process has started."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if _status(pid).split()[1:2] == [str(parent)]]


def _status(pid: int) -> str:
    """State, parent and so on: what follows the name in /proc/<pid>/stat."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    except OSError:
        return ""
