"""Whether anything that the lock files name is known to be vulnerable, as others know it.

    python -m deploy.audit

What could not be asked, or was asked of some packages only, is not clean: it is "not run", and
fails. pip-audit itself says "No known vulnerabilities found" where it skipped every package.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy import assets
from deploy.bootstrap import TRUSTING_THE_MACHINE
from deploy.failure import SetupFailed

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"
LOCK = ROOT / "requirements-audit.txt"
# What runs and what is tested with; Node.js only fetches files while the set-up lasts.
LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-node.txt")


@dataclass(frozen=True)
class Verdict:
    """What came of one audit."""

    word: str
    about: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether each package was looked up, and none is known to be vulnerable."""
        return self.word == "clean"


def of_pip_audit(said: str, complaint: str) -> Verdict:
    """Read what pip-audit says of one lock file, as JSON, and what it complained of."""
    found = _read(said)
    packages = found.get("dependencies") if isinstance(found, dict) else None
    if not isinstance(packages, list) or not packages:
        return _not_run(_last_line(complaint) or "pip-audit gave no answer")
    bad = [each for each in packages if each.get("vulns")]
    if bad:
        return _vulnerable(f"{each['name']} {each['version']}: {_ids(each)}" for each in bad)
    skipped = [each["name"] for each in packages if "vulns" not in each]
    if skipped:
        return _not_run(f"{len(skipped)} of {len(packages)} packages could not be looked up")
    return Verdict("clean", f"{len(packages)} packages")


def of_npm(said: str, complaint: str) -> Verdict:
    """Read what `npm audit --json` says of package-lock.json."""
    found = _read(said)
    counts = found.get("metadata", {}) if isinstance(found, dict) else {}
    vulnerable, packages = counts.get("vulnerabilities"), counts.get("dependencies")
    if not isinstance(vulnerable, dict) or not isinstance(packages, dict):
        return _not_run(_last_line(complaint) or "npm gave no answer")
    if vulnerable.get("total"):
        return _vulnerable(sorted(found.get("vulnerabilities", {})))
    return Verdict("clean", f"{packages.get('total', 0)} packages")


def audit() -> dict[str, Verdict]:
    """Ask about every lock file. What cannot even be asked is not run."""
    verdicts = {}
    try:
        _install()
    except SetupFailed as failure:
        verdicts = dict.fromkeys(LOCKS, _not_run(failure.sentence))
    else:
        options = ["--require-hashes", "--disable-pip", "--format=json", "--progress-spinner=off"]
        for lock in LOCKS:
            done = _call([str(PYTHON), "-m", "pip_audit", *options, "-r", str(ROOT / lock)])
            verdicts[lock] = of_pip_audit(done.stdout, done.stderr)
    with tempfile.TemporaryDirectory(prefix="portal-audit-") as folder:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(ROOT / name, folder)
        try:
            done = _call([*assets.npm(), "audit", "--audit", "--json"], cwd=Path(folder))
            verdicts["package-lock.json"] = of_npm(done.stdout, done.stderr)
        except SetupFailed as failure:
            verdicts["package-lock.json"] = _not_run(failure.sentence)
    return verdicts


def main() -> int:
    verdicts = audit()
    for name, verdict in verdicts.items():
        print(f"{name:<24}{verdict.word.upper():<12}{verdict.about}", flush=True)
    return 0 if all(verdict.is_clean for verdict in verdicts.values()) else 1


def _install() -> None:
    """Bring pip-audit, which nothing but this needs, by its own lock file."""
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = _call([*pip, "--no-deps", "--require-hashes", "-r", str(LOCK)])
    if done.returncode:
        raise SetupFailed(
            "pip-audit could not be installed.",
            "Look whether this machine reaches the package index.",
            done.stderr,
        )


def _call(command: list[str], cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **TRUSTING_THE_MACHINE},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _read(said: str) -> Any:
    try:
        return json.loads(said)
    except ValueError:
        return None


def _not_run(why: str) -> Verdict:
    return Verdict("not run", why)


def _vulnerable(which: Any) -> Verdict:
    return Verdict("vulnerable", "; ".join(which))


def _ids(package: dict[str, Any]) -> str:
    return ", ".join(str(each.get("id")) for each in package["vulns"])


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1][:200]


if __name__ == "__main__":
    sys.exit(main())
