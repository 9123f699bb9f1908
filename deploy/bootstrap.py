"""Setting up a checkout: everything between `git clone` and a running portal.

    python3 -m deploy.bootstrap run | demo        set up, then become the portal
    python3 -m deploy.bootstrap test | test-long  set up with what tests need, then check everything
    python3 -m deploy.bootstrap set-up            set up, and stop there, as for a service
    python3 -m deploy.bootstrap dev               the same with what tests need
    python3 -m deploy.bootstrap with COMMAND …    set up as `dev`, then become that command

Needs nothing but Python: this module and what it imports use the standard
library only. A step whose inputs have not changed since it last succeeded is
skipped, and then nothing is written: a checkout that is set up may be read-only.
"""

# Any Python 3 must be able to read this file, to be told which one is needed.
from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterable, Iterator  # noqa: UP035 - see above

from deploy.failure import SetupFailed, explain, explain_os_error

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
PORTAL = VENV / "bin" / "portal"
STAMPS = VENV / "set-up.json"

OLDEST = (3, 11)
RUN_LOCK = ROOT / "requirements.txt"
DEV_LOCK = ROOT / "requirements-dev.txt"

# uv brings certificates of its own; behind a proxy only the machine's are right. Old and new name.
TRUSTING_THE_MACHINE = {"UV_NATIVE_TLS": "1", "UV_SYSTEM_CERTS": "1"}


class Stamps:
    """What the finished steps were made from, by step."""

    def __init__(self) -> None:
        try:
            self._made_from: dict[str, str] = json.loads(STAMPS.read_text("utf-8"))
        except (OSError, ValueError):
            self._made_from = {}

    def current(self, step: str, made_from: str) -> bool:
        """Whether a step finished with these very inputs."""
        return self._made_from.get(step) == made_from

    def put(self, step: str, made_from: str) -> None:
        """Note that a step finished."""
        self._made_from[step] = made_from
        draft = STAMPS.with_suffix(".new")
        draft.write_text(json.dumps(self._made_from, indent=1), "utf-8")
        draft.replace(STAMPS)


class Steps:
    """Numbered lines, each with the time its step took."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._number = 0
        self.began = time.monotonic()
        self.note = ""
        self._title = ""

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Run one step; its line appears when it is done."""
        self._number += 1
        self._title, self.note = title, ""
        began = time.monotonic()
        self.progress("")
        try:
            yield
        except OSError as error:
            self._line(began, "failed")
            raise explain_os_error(f"{title} could not be set up", error) from error
        except BaseException:
            self._line(began, "failed")
            raise
        self._line(began, self.note)

    def progress(self, text: str) -> None:
        """Show how far the step is, where somebody watches."""
        if sys.stdout.isatty():
            print(f"\r\033[K{self._count}  {self._title} … {text}", end="", flush=True)

    @property
    def _count(self) -> str:
        return f"{self._number}/{self._total}".rjust(6)

    def _line(self, began: float, note: str) -> None:
        start = "\r\033[K" if sys.stdout.isatty() else ""
        seconds = time.monotonic() - began
        line = f"{self._count}  {self._title:<22}{seconds:6.2f} s  {note}"
        print(start + line.rstrip(), flush=True)


def set_up(*, tests: bool) -> None:
    """Bring the checkout to where the portal, or its tests, can start."""
    steps = Steps(6 if tests else 5)
    print("Setting up the portal.", flush=True)
    with steps.step("Python"):
        stamps = _environment(steps)
    with steps.step("Python packages"):
        _packages(steps, stamps, DEV_LOCK if tests else RUN_LOCK)
    with steps.step("The portal itself"):
        _project(steps, stamps)
    with steps.step("Front-end files"):
        _front_end(steps, stamps, tests=tests)
    with steps.step("Translations"):
        _catalogues(steps, stamps)
    if tests:
        with steps.step("Programs for tests"):
            _programs(steps)
    print(f"Set up in {time.monotonic() - steps.began:.2f} s.", flush=True)


def _environment(steps: Steps) -> Stamps:
    """Make .venv, unless one is there that was made here and whose Python still is."""
    stamps = Stamps()
    if PYTHON.exists() and stamps.current("environment", _environment_is()):
        steps.note = "up to date"
        return stamps
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise SetupFailed(
            f"The Python at {sys.executable} has no module {missing[0]}, "
            "which makes the virtual environment.",
            f"On Debian or Ubuntu, apt-get install python{version}-venv; then run this again.",
        )
    # From within an older .venv, the Python that made it: --clear removes the other.
    python = getattr(sys, "_base_executable", None) or sys.executable
    _call(
        [python, "-m", "venv", "--clear", VENV],
        "The virtual environment .venv could not be made",
    )
    stamps = Stamps()
    stamps.put("environment", _environment_is())
    steps.note = f"{sys.version_info[0]}.{sys.version_info[1]}.{sys.version_info[2]} in .venv"
    return stamps


def _environment_is() -> str:
    """Where the environment lies and which Python it has: it works nowhere else, with no other."""
    return _hash([str(VENV), os.path.realpath(PYTHON)])


def _packages(steps: Steps, stamps: Stamps, lock: Path) -> None:
    """Install exactly what the lock file names, each file compared with its hash."""
    made_from = _hash([lock])
    if stamps.current(lock.name, made_from):
        steps.note = "up to date"
        return
    count = sum(line[:1].isalnum() for line in lock.read_text("utf-8").splitlines())
    # The lock names everything, so nothing is left to resolve: pip would look for the newest
    # `coverage[toml]` where the lock names `coverage`, and refuse it for having no hash.
    arguments = ["install", "--no-deps", "--require-hashes", "-r", lock]
    uv = shutil.which("uv")
    if uv:
        steps.progress("with uv")
        done = _try(
            [uv, "pip", *arguments, "--python", PYTHON, "--compile-bytecode", "--quiet"],
            TRUSTING_THE_MACHINE,
        )
        if done.returncode:  # an index that only pip knows, say
            uv = None
    if not uv:
        _call(
            [PYTHON, "-m", "pip", *arguments, "--disable-pip-version-check", "--no-input"],
            "Python packages could not be installed",
            each_line=_Counter(steps, count),
        )
    _remove_left_over()
    # Packages of the run lock are in the other with the same versions.
    for name in {RUN_LOCK.name, lock.name}:
        stamps.put(name, _hash([ROOT / name]))
    steps.note = f"{count} from {lock.name}" + (" with uv" if uv else "")


def _remove_left_over() -> None:
    """Uninstall what no lock names any more: a plugin of pytest works by being there."""
    ours = {"pip", "portal"}
    for lock in ROOT.glob("requirements*.txt"):
        ours |= set(re.findall(r"^([a-z0-9-]+)==", lock.read_text("utf-8"), re.MULTILINE))
    installed = VENV.glob("lib/python3*/site-packages/*.dist-info")
    names = {re.sub(r"[-_.]+", "-", folder.name.split("-")[0]).lower() for folder in installed}
    if names - ours:
        _call(
            [PYTHON, "-m", "pip", "uninstall", "--yes", "--quiet", *sorted(names - ours)],
            "Packages that are needed no more could not be removed",
        )


class _Counter:
    """Reads what pip says, to show how far it is."""

    def __init__(self, steps: Steps, total: int) -> None:
        self._steps, self._total, self._done = steps, total, 0

    def __call__(self, line: str) -> None:
        if line.startswith(("Collecting ", "Requirement already satisfied")):
            self._done += 1
            self._steps.progress(f"{self._done} of {self._total}")
        elif line.startswith("Installing collected"):
            self._steps.progress("unpacking")


def _project(steps: Steps, stamps: Stamps) -> None:
    """Put the checkout itself on the environment's path, with the command `portal`."""
    made_from = _hash([ROOT / "pyproject.toml"])
    if stamps.current("project", made_from) and PORTAL.exists():
        steps.note = "up to date"
        return
    pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]
    _call(
        [*pip, "--no-deps", "--no-build-isolation", "-e", ROOT],
        "The portal's own package could not be installed",
    )
    stamps.put("project", made_from)


def _front_end(steps: Steps, stamps: Stamps, *, tests: bool) -> None:
    """Bring the front-end files of others, and compress them with ours."""
    from deploy import assets  # late: it needs the Python that was looked for first

    locks = [ROOT / "package.json", ROOT / "package-lock.json", assets.MANIFEST]
    made_from = _hash([*locks, ROOT / "deploy" / "assets.py", *assets.TABLE_IS_MADE_BY])
    name = "front end for tests" if tests else "front end"
    if not stamps.current(name, made_from) or not _all_exist(assets.targets(tests=tests)):
        assets.bring(tests=tests)
        stamps.put("front end", made_from)
        stamps.put(name, made_from)
        steps.note = "from npm"
    sources = assets.sources()
    compressed = _hash(sources)
    all_there = _all_exist(map(assets.compressed, sources))
    if not stamps.current("compressed", compressed) or not all_there:
        assets.compress()
        stamps.put("compressed", compressed)
        steps.note = steps.note or "compressed anew"
    steps.note = steps.note or "up to date"


def _catalogues(steps: Steps, stamps: Stamps) -> None:
    """Compile the translations."""
    sources = sorted((ROOT / "translations").glob("*/LC_MESSAGES/*.po"))
    made_from = _hash(sources)
    compiled = (source.with_suffix(".mo") for source in sources)
    if stamps.current("catalogues", made_from) and _all_exist(compiled):
        steps.note = "up to date"
        return
    _call([PYTHON, "-m", "deploy.catalogues", "compile"], "The translations could not be compiled")
    stamps.put("catalogues", made_from)
    steps.note = f"{len(sources)} catalogues"


def _programs(steps: Steps) -> None:
    """Install Debian's packages that tests need, where we may; else say what is missing."""
    from tests import needs

    missing = needs.missing()
    if not missing:
        steps.note = "all there"
        return
    names = [need.package for need in missing]
    wanted = " ".join(names)
    if os.geteuid() or not shutil.which("apt-get"):
        steps.note = f"missing; those tests are skipped. To run them: apt-get install {wanted}"
        return
    steps.progress(f"apt-get install {wanted}")
    done = _apt_get(["install", *names])
    if done.returncode:
        _apt_get(["update"])
        done = _apt_get(["install", *names])
    if needs.missing():
        last = (done.stdout.strip().splitlines() or ["no reason given"])[-1]
        steps.note = f"apt-get could not install {wanted}: {last}"
    else:
        steps.note = f"installed {wanted}"


def _apt_get(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    options = ["--yes", "--quiet", "--no-install-recommends"]
    return _try(["apt-get", *options, *arguments], environment)


def _call(command: list[Any], what: str, each_line: Any = None) -> None:
    """Run a command; when it fails, say so in a sentence with the remedy."""
    # A setting of pip's that asks for the home folder cannot be meant for a virtual environment.
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, "PIP_USER": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    lines = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if each_line:
                each_line(line.strip())
        code = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if code:
        raise explain(what, "".join(lines))


def _try(
    command: list[Any], environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def _hash(parts: Iterable[Path | str]) -> str:
    """One fingerprint of texts and of files, their names included."""
    total = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part.read_bytes()
        name = "" if isinstance(part, str) else str(part.relative_to(ROOT))
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def _all_exist(files: Iterable[Path]) -> bool:
    return all(file.exists() for file in files)


def _use_a_new_enough_python() -> None:
    """Go on with a Python that is new enough, or say what to install."""
    if sys.version_info >= OLDEST:
        return
    for minor in range(14, OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found and _works(found, minor):
            os.execv(found, [found, "-m", "deploy.bootstrap", *sys.argv[1:]])
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    raise SetupFailed(
        f"The portal needs Python 3.11 or newer; {sys.executable} is {version}.",
        "Install a newer one, and name it: make run PYTHON=/path/to/python3.11",
    )


def _works(python: str, minor: int) -> bool:
    """Whether this is what its name says: some names on the PATH lead nowhere."""
    test = f"import sys; sys.exit(sys.version_info[:2] != (3, {minor}))"
    return subprocess.call([python, "-c", test], stderr=subprocess.DEVNULL) == 0


def _become(command: list[Any]) -> None:
    """Replace this process, so that signals reach the command and nothing stands between."""
    parts = [str(part) for part in command]
    sys.stdout.flush()
    os.execv(parts[0], parts)


def _stop(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    os.chdir(ROOT)
    _use_a_new_enough_python()
    command, rest = (arguments or [""])[0], arguments[1:]
    if command in ("run", "demo"):
        set_up(tests=False)
        _become([PORTAL, command, *rest])
    elif command in ("test", "test-long"):
        set_up(tests=True)
        _become([PYTHON, "-m", "deploy.checks", command, *rest])
    elif command in ("set-up", "dev"):
        set_up(tests=command == "dev")
    elif command == "with" and rest:
        set_up(tests=True)
        _become([VENV / "bin" / rest[0], *rest[1:]])
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    try:
        sys.exit(main(sys.argv[1:]))
    except SetupFailed as failure:
        tail = failure.output.strip().splitlines()[-15:]
        shown = [*(f"    {line}" for line in tail), failure.sentence, failure.remedy]
        sys.exit("\n".join(["", *shown]))
    except KeyboardInterrupt:
        sys.exit("\nStopped before the set-up was complete; the next run goes on from here.")
