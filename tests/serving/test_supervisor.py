"""The supervisor on its own: children that do not listen, and signals that come twice."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from portal.settings import ROOT
from tests.serving.running import alive, until

_SCRIPT = """
import os, signal, sys, time
from portal.serving.supervisor import Supervisor

def deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("deaf", os.getpid(), flush=True)
    time.sleep(600)

def orphans():
    if os.fork() == 0:
        print("orphan", os.getpid(), flush=True)
        time.sleep(600)
    sys.exit(3)

def broken():
    raise ValueError("this child cannot work")

supervisor = Supervisor(stop_within=float(sys.argv[1]))
for name in sys.argv[2:]:
    supervisor.start(name, globals()[name])
supervisor.wait()
for child in supervisor.fallen:
    print(child.name, child.how, flush=True)
print("in order:", supervisor.stop(), flush=True)
"""


@contextmanager
def supervised(folder: Path, stop_within: float, *names: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that supervises children with these behaviours."""
    with open(folder / "out", "wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", _SCRIPT, str(stop_within), *names],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pid in pids(folder):
            with suppress(ProcessLookupError):  # its parent's end ends it too
                if alive(pid):
                    os.kill(pid, signal.SIGKILL)


def pids(folder: Path) -> list[int]:
    """What the children said of themselves."""
    return [int(pid) for pid in re.findall(r"(?:deaf|orphan) (\d+)", said(folder))]


def said(folder: Path) -> str:
    """What was printed so far."""
    return (folder / "out").read_text()


def test_a_child_that_does_not_listen_is_killed_when_its_time_is_over(tmp_path: Path) -> None:
    with supervised(tmp_path, 0.5, "deaf") as process:
        until(lambda: pids(tmp_path))

        process.terminate()

        assert process.wait(30) == 0
        assert "The deaf did not end in time and was killed." in said(tmp_path)
        assert "in order: False" in said(tmp_path)
        assert not alive(pids(tmp_path)[0])


def test_a_second_signal_ends_everything_at_once(tmp_path: Path) -> None:
    with supervised(tmp_path, 600, "deaf") as process:
        until(lambda: pids(tmp_path))

        def interrupt() -> bool:
            process.send_signal(signal.SIGINT)
            return "in order: False" in said(tmp_path)

        until(interrupt)

        assert not alive(pids(tmp_path)[0])


def test_one_signal_that_comes_twice_is_one(tmp_path: Path) -> None:
    with supervised(tmp_path, 2, "deaf") as process:
        until(lambda: pids(tmp_path))
        began = time.monotonic()

        process.terminate()
        process.send_signal(signal.SIGINT)

        assert process.wait(30) == 0
        assert time.monotonic() - began >= 2


def test_what_a_child_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    with supervised(tmp_path, 10, "orphans") as process:
        assert process.wait(30) == 0

        assert "orphans exit code 3" in said(tmp_path)
        assert "in order: True" in said(tmp_path)
        assert not [pid for pid in pids(tmp_path) if alive(pid)]


def test_a_child_that_fails_shows_why_and_never_goes_on_as_its_parent(tmp_path: Path) -> None:
    with supervised(tmp_path, 10, "broken") as process:
        assert process.wait(30) == 0

        assert "ValueError: this child cannot work" in said(tmp_path)
        assert said(tmp_path).count("in order:") == 1
