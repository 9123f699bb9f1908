"""A child: one process that the supervisor looks after, and all that it starts itself."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable

from portal.serving import linux


class Child:
    """A process in a group of its own, which a Ctrl-C in the terminal does not reach."""

    def __init__(self, name: str, pid: int) -> None:
        """Look after a process that runs already."""
        self.name = name
        self.pid = pid
        self._status: int | None = None

    @classmethod
    def forked(cls, name: str, work: Callable[[], object]) -> Child:
        """Copy this process, and let the copy do its work and end."""
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            linux.name_process(f"portal {name}")
            _do(work)
        with contextlib.suppress(OSError):  # the child may have been quicker
            os.setpgid(pid, pid)
        return cls(name, pid)

    @property
    def has_ended(self) -> bool:
        """Whether it is gone."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status is not None

    @property
    def is_gone(self) -> bool:
        """Whether it has ended, and with it all that it started."""
        if not self.has_ended:
            return False
        try:
            while os.waitpid(-self.pid, os.WNOHANG)[0]:
                pass  # an orphan that ended
        except ChildProcessError:
            return True
        return False

    @property
    def how(self) -> str:
        """In which way it ended."""
        if self._status is not None and self._status < 0:
            return f"killed by {signal.Signals(-self._status).name}"
        return f"exit code {self._status}"

    def ask_to_end(self) -> None:
        """Ask it to finish and end; where it has ended already, ask what it left behind."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self.has_ended:
                os.killpg(self.pid, signal.SIGTERM)
            else:
                os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, and all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _do(work: Callable[[], object]) -> None:
    """Work and end, without ever returning into what the parent was about to do next."""
    code = 1
    try:
        os.setpgid(0, 0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        done = work()
        code = done if isinstance(done, int) else 0
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else int(bool(exit_.code))
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
