"""What tests need besides Python packages: found, or else a reason to skip; under CI=true, to fail.

    programs = needs.postgresql()     # the folder of initdb and pg_ctl
    executable = needs.chromium()     # for Playwright's `executable_path`
    script = needs.axe()              # the source of axe-core

The set-up asks too, to install what is missing, so this module imports pytest late.
"""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

AXE = Path(__file__).parent / "vendor" / "axe.min.js"


@dataclass(frozen=True)
class Need:
    """A program that some tests need, and the Debian package that brings it."""

    package: str
    found: Callable[[], Path | None]

    @property
    def reason(self) -> str:
        """Why tests are skipped without it, with the remedy."""
        return f"needs {self.package}: apt-get install {self.package}"


def find_chromium() -> Path | None:
    """The browser: TEST_CHROMIUM, or else what is on the PATH."""
    names = [os.environ.get("TEST_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"]
    for name in names:
        if name and (found := shutil.which(name)):
            return Path(found)
    return None


def find_postgresql() -> Path | None:
    """The server's programs: TEST_POSTGRESQL, Debian's newest, or what is on the PATH.

    Root cannot run a server, so there must be a user `postgres` as well.
    """
    if os.geteuid() == 0 and not _user_exists("postgres"):
        return None
    debian = sorted(Path("/usr/lib/postgresql").glob("[0-9]*/bin"), key=_major, reverse=True)
    on_path = [
        Path(found).resolve().parent for name in ("initdb",) if (found := shutil.which(name))
    ]
    named = [Path(os.environ["TEST_POSTGRESQL"])] if os.environ.get("TEST_POSTGRESQL") else []
    programs = ("initdb", "pg_ctl", "postgres")
    for folder in [*named, *debian, *on_path]:
        if all((folder / program).exists() for program in programs):
            return folder
    return None


CHROMIUM = Need("chromium", find_chromium)
POSTGRESQL = Need("postgresql", find_postgresql)
ALL = (CHROMIUM, POSTGRESQL)


def missing() -> list[Need]:
    """What this machine lacks."""
    return [need for need in ALL if need.found() is None]


def chromium() -> str:
    """The browser's path, or the test is skipped."""
    return str(_or_skip(CHROMIUM))


def postgresql() -> Path:
    """The folder of PostgreSQL's programs, or the test is skipped."""
    return _or_skip(POSTGRESQL)


def axe() -> str:
    """The script that judges a page's accessibility."""
    if not AXE.exists():
        _skip("needs tests/vendor/axe.min.js: `make test` brings it")
    return AXE.read_text("utf-8")


def _or_skip(need: Need) -> Path:
    return need.found() or _skip(need.reason)


def _skip(reason: str) -> NoReturn:
    """Skip the test; where CI=true promises that everything is there, fail instead."""
    import pytest  # late, because the set-up imports this module before pytest is installed

    if os.environ.get("CI", "").casefold() in {"1", "true"}:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _user_exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _major(folder: Path) -> int:
    number = folder.parent.name.partition(".")[0]
    return int(number) if number.isdigit() else 0
