"""Real worker processes for tests: started, told to stop, killed; and waiting without pauses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from portal import jobs
from tests.conftest import SECRETS

ROOT = Path(__file__).resolve().parents[2]
RUN = "from portal.jobs import run_worker; raise SystemExit(run_worker())"


def until(condition: Callable[[], object], *, within: float = 60) -> None:
    """Wait for a condition; fail when it does not come true in time."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, f"still not so after {within} s"
        time.sleep(0.02)


def environment(instance: Path, database_url: str, **names: str) -> dict[str, str]:
    """What a process of the portal gets, so that it works on the data of a test."""
    instance.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(instance),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "default",
        **SECRETS,
        "PORTAL_INSTANCE": str(instance),
        "PORTAL_DATABASE_URL": database_url,
        **names,
    }


class Worker:
    """One worker process. What it printed is kept."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Start it; `ready()` waits until it works."""
        self.output = ""
        self._process = subprocess.Popen(
            [sys.executable, "-c", RUN],
            env=dict(environ),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Worker:
        """Wait until it is ready."""
        return self.ready()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave nothing behind."""
        self.kill()

    def ready(self) -> Worker:
        """Wait for its line."""
        try:
            until(lambda: jobs.READY in self.output or self._process.poll() is not None)
        except AssertionError:
            self.kill()
            raise
        assert jobs.READY in self.output, self.output
        return self

    def tell(self, signum: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(signum)

    def ended(self, *, within: float = 30) -> int:
        """Wait for its end, and give its exit code."""
        code = self._process.wait(within)
        self._reader.join(5)
        return code

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait(10)
        self._reader.join(5)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output += line
