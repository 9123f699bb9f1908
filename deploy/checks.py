"""What `make test` runs, part by part, each timed. Every part runs, also after one that failed.

python -m deploy.checks test | test-long | lint | format
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
GIB = 2**30

Part = tuple[str, list[str]]

CODE = ["portal", "admin_views", "deploy", "migrations", "tests", "benchmarks", "wsgi.py"]
TYPED = [part for part in CODE if part != "migrations"]
# What reaches other machines.
SHIPPED = ["portal", "admin_views", "deploy", "migrations", "wsgi.py"]

LINT: list[Part] = [
    ("format", ["ruff", "format", "--check", "--quiet", *CODE]),
    ("lint", ["ruff", "check", "--quiet", *CODE]),
    ("security", ["bandit", "--quiet", "--recursive", "-c", "pyproject.toml", *SHIPPED]),
    ("types", ["mypy", *TYPED]),
    ("imports", ["lint-imports", "--no-logo"]),
    ("templates", ["djlint", "--lint", "--quiet", "templates"]),
    ("icons", ["python", "-m", "deploy.assets", "check"]),
    ("catalogues", ["python", "-m", "deploy.catalogues", "check"]),
]
FORMAT: list[Part] = [
    ("order and repair", ["ruff", "check", "--fix-only", "--quiet", *CODE]),
    ("format", ["ruff", "format", "--quiet", *CODE]),
]


def tests(which: str, extra: list[str]) -> list[str]:
    """The pytest command for the everyday tests, or for the long ones."""
    # Not one more than there are cores: what each makes for itself costs more than it waits.
    workers = str(min(os.cpu_count() or 1, 8))
    slowest = ["--durations=8", "--durations-min=3"]
    marks = "not long"
    if which == "test-long":
        # Properties are shown by few examples every day, and by many here.
        marks = "long or hypothesis"
        extra = ["--hypothesis-profile", "long", *extra]
    return ["pytest", "-n", workers, "--dist", "loadscope", *slowest, "-m", marks, *extra]


def environment() -> dict[str, str]:
    """The environment of tests: their databases in memory, where the machine has room for it.

    Every commit waits for the disk, and tests commit thousands of times. And whoever wants no
    compiled Python beside the sources would have it compiled anew by every process that tests
    start, which is half of what collecting them costs.
    """
    ours = {**os.environ}
    ours.pop("PYTHONDONTWRITEBYTECODE", None)
    if memory := roomy_memory():
        ours.setdefault("TMPDIR", str(memory))
    return ours


def roomy_memory() -> Path | None:
    """The machine's shared memory, where there is enough of it for databases and a browser."""
    memory = Path("/dev/shm")  # noqa: S108  # nosec B108 # whoever uses it makes folders of its own
    usable = memory.is_dir() and os.access(memory, os.W_OK)
    return memory if usable and shutil.disk_usage(memory).free > GIB else None


def run(name: str, command: list[str], *, live: bool = False, yielding: bool = False) -> bool:
    """Run one part and print how it went; its output where it failed, or as it comes.

    A yielding part gets what time of the machine the others leave.
    """
    program, *arguments = command
    present = [part for part in arguments if part not in CODE or (ROOT / part).exists()]
    began = time.monotonic()
    done = subprocess.run(
        [*(["nice", "-n", "19"] if yielding else []), str(BIN / program), *present],
        cwd=ROOT,
        env=environment(),
        stdout=None if live else subprocess.PIPE,
        stderr=None if live else subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    seconds = time.monotonic() - began
    if done.returncode and not live:
        print(done.stdout.rstrip())
    verdict = "FAILED" if done.returncode else "ok"
    print(f"{name:<18}{seconds:7.1f} s  {verdict}", flush=True)
    return done.returncode == 0


def main(arguments: list[str]) -> int:
    which, extra = (arguments or [""])[0], arguments[1:]
    parts = {"test": LINT, "lint": LINT, "format": FORMAT, "test-long": []}.get(which)
    if parts is None:
        print(__doc__)
        return 2
    with_tests = which.startswith("test")
    began = time.monotonic()
    with ThreadPoolExecutor(max_workers=1) as beside:
        # Beside the tests, which leave a core idle now and then while they wait for something.
        checks = beside.submit(
            lambda: [name for name, command in parts if not run(name, command, yielding=with_tests)]
        )
        passed = not with_tests or run("tests", tests(which, extra), live=True)
        failed = [*checks.result(), *([] if passed else ["tests"])]
    summary = f"failed: {', '.join(failed)}" if failed else "all passed"
    print(f"{'in all':<18}{time.monotonic() - began:7.1f} s  {summary}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
