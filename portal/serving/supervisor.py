"""The supervisor: keeps web server and worker together, and ends both in order."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

from portal.serving import parent
from portal.serving.speaking import say

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True)
class Child:
    """One process that is looked after."""

    name: str
    process: subprocess.Popen[bytes]

    @property
    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self.process.poll() is not None

    @property
    def how(self) -> str:
        """In which way it ended."""
        code = self.process.returncode
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"

    @property
    def is_gone(self) -> bool:
        """Whether it has ended, and with it all that it started."""
        if not self.has_ended:
            return False
        try:
            while os.waitpid(-self.process.pid, os.WNOHANG)[0]:
                pass  # an orphan that ended
        except ChildProcessError:
            return True
        return False

    def ask_to_end(self) -> None:
        """Ask it to finish and end; where it has ended already, ask what it left behind."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self.has_ended:
                os.killpg(self.process.pid, signal.SIGTERM)
            else:
                self.process.terminate()

    def kill(self) -> None:
        """End it at once, and all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Supervisor:
    """Starts children, waits until one ends or a signal comes, and then ends them all."""

    def __init__(self, *, stop_within: float) -> None:
        """Listen to signals from now on; children get so many seconds to end."""
        self.stop_within = stop_within
        self.children: list[Child] = []
        self.told_to_stop = 0
        parent.adopt_orphans()
        self._selector = selectors.DefaultSelector()
        # A signal wakes the loop by a byte: nothing happens inside of handlers.
        self._bell, far_end = socket.socketpair()
        self._far_end = far_end
        for end in (self._bell, far_end):
            end.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ)
        signal.set_wakeup_fd(far_end.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for number in STOPPING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, self._note_stop)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        environ: Mapping[str, str],
        pass_fds: Sequence[int] = (),
    ) -> Child:
        """Start a child in a process group of its own, which a Ctrl-C here does not reach."""
        process = subprocess.Popen(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            pass_fds=pass_fds,
            process_group=0,
        )
        child = Child(name, process)
        self.children.append(child)
        return child

    def wait(self, *, reading: int | None = None, seconds: float | None = None) -> bytes:
        """Wait for a child to end, a signal, or something to read; return what was read.

        Returns nothing when one of the others happened, or the seconds are over.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        if reading is not None:
            self._selector.register(reading, selectors.EVENT_READ)
        try:
            while not self.told_to_stop and not self.fallen:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return b""
                # Woken now and then as well, in case a bell was missed.
                events = self._selector.select(5 if left is None else min(left, 5))
                if any(key.fd == reading for key, _ in events):
                    return os.read(reading, 65536)  # type: ignore[arg-type]
                self._quiet_bell()
            return b""
        finally:
            if reading is not None:
                self._selector.unregister(reading)

    @property
    def fallen(self) -> list[Child]:
        """Children that have ended."""
        return [child for child in self.children if child.has_ended]

    def stop(self) -> bool:
        """Ask all children to end, and end those for good that do not. True: all did by themselves.

        A second signal from outside ends them at once.
        """
        asked = self.told_to_stop
        deadline = time.monotonic() + self.stop_within
        for child in self.children:
            child.ask_to_end()
        while self._alive and time.monotonic() < deadline and self.told_to_stop <= max(asked, 1):
            self._selector.select(min(0.2, max(0.0, deadline - time.monotonic())))
            self._quiet_bell()
        stubborn = self._alive
        for child in stubborn:
            child.kill()
            say(f"The {child.name} did not end in time and was killed.", color="red", error=True)
        return not stubborn

    @property
    def _alive(self) -> list[Child]:
        return [child for child in self.children if not child.is_gone]

    def _note_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.told_to_stop += 1

    def _quiet_bell(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._bell.recv(4096):
                pass
