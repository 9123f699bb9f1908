"""The supervisor: keeps web server and worker together, and ends both in order."""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType

from portal.serving import linux
from portal.serving.child import Child
from portal.serving.speaking import say

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
SAME_SIGNAL_WITHIN = 1.0


class Supervisor:
    """Starts children, waits until one ends or a signal comes, and then ends them all."""

    def __init__(self, *, stop_within: float) -> None:
        """Listen to signals from now on; children get so many seconds to end."""
        self.stop_within = stop_within
        self.children: list[Child] = []
        self.told_to_stop = 0
        self._told_at = -SAME_SIGNAL_WITHIN
        linux.adopt_orphans()
        # A signal wakes the loop by a byte: nothing happens inside of handlers.
        self._bell, self._clapper = socket.socketpair()
        for end in (self._bell, self._clapper):
            end.setblocking(False)
        signal.set_wakeup_fd(self._clapper.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for number in STOPPING:
            # Under nohup a closed terminal is none of our business. But a script that starts us
            # in the background ignores SIGINT for us, and may well send one later.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._note_stop)

    def start(self, name: str, work: Callable[[], object]) -> Child:
        """Start a child: a copy of this process, with everything loaded, that does its work."""
        if not self.children:
            # What is loaded is shared between the processes as long as nobody writes to it.
            gc.collect()
            gc.freeze()
        # A signal in the moment of forking must not end in a handler that is of no use there.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            child = Child.forked(name, self._as_child(work))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        self.children.append(child)
        return child

    def wait(self, *, reading: int | None = None, seconds: float | None = None) -> bytes:
        """Wait for a child to end, a signal, or something to read; return what was read.

        Returns nothing when one of the others happened, or the seconds are over.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            if reading is not None:
                selector.register(reading, selectors.EVENT_READ)
            while not self.told_to_stop and not self.fallen:
                left = 5.0 if deadline is None else deadline - time.monotonic()
                if left <= 0:
                    break
                # Woken now and then as well, in case a bell was missed.
                events = selector.select(min(left, 5.0))
                if reading is not None and any(key.fd == reading for key, _ in events):
                    return os.read(reading, 65536)
                self._quiet_bell()
        return b""

    @property
    def fallen(self) -> list[Child]:
        """Children that have ended."""
        return [child for child in self.children if child.has_ended]

    def stop(self) -> bool:
        """Ask all children to end, and end those for good that do not. True: all did by themselves.

        Another signal from outside ends them at once.
        """
        asked = max(self.told_to_stop, 1)
        deadline = time.monotonic() + self.stop_within
        for child in self.children:
            child.ask_to_end()
        with selectors.DefaultSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            while self._alive and self.told_to_stop <= asked and time.monotonic() < deadline:
                selector.select(0.2)
                self._quiet_bell()
        stubborn = self._alive
        for child in stubborn:
            child.kill()
            say(f"The {child.name} did not end in time and was killed.", color="red", error=True)
        return not stubborn

    @property
    def _alive(self) -> list[Child]:
        return [child for child in self.children if not child.is_gone]

    def _as_child(self, work: Callable[[], object]) -> Callable[[], object]:
        def begin() -> object:
            signal.set_wakeup_fd(-1)
            for number in (*STOPPING, signal.SIGCHLD):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
            self._bell.close()
            self._clapper.close()
            return work()

        return begin

    def _note_stop(self, _number: int, _frame: FrameType | None) -> None:
        # `timeout` and service managers send one signal twice: that is not impatience.
        now = time.monotonic()
        if now - self._told_at >= SAME_SIGNAL_WITHIN:
            self._told_at = now
            self.told_to_stop += 1

    def _quiet_bell(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._bell.recv(4096):
                pass
