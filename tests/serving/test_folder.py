"""The instance folder: it belongs to one portal at a time, and to nobody who is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from portal.serving import folder
from portal.serving.problems import Problem
from portal.settings import ROOT
from tests.serving.running import alive

# A supervisor with a child, which lives for as long as somebody holds its standard input.
_SCRIPT = """
import os, signal, sys
from pathlib import Path
from portal.serving import folder

claim = folder.claim(Path(sys.argv[1]))
child = os.fork()
if not child:
    sys.stdin.read()
    os._exit(0)
print(child, flush=True)
signal.pause()
"""


@contextmanager
def somebody_on(place: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that has claimed a folder, and the child that it started."""
    with subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(place)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        child = int(process.stdout.readline())
        try:
            yield process, child
        finally:
            process.kill()


def test_a_folder_that_a_portal_runs_on_is_refused_with_who_has_it(tmp_path: Path) -> None:
    with somebody_on(tmp_path) as (process, _), pytest.raises(Problem) as refused:
        folder.claim(tmp_path)

    assert f"A portal is running on {tmp_path} already (process {process.pid})." in str(
        refused.value
    )


def test_a_folder_is_free_as_soon_as_its_portal_was_killed_whoever_it_leaves(
    tmp_path: Path,
) -> None:
    with somebody_on(tmp_path) as (process, child):
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

        with folder.claim(tmp_path):
            assert alive(child)
            assert (tmp_path / folder.CLAIM).read_text() == str(os.getpid())
