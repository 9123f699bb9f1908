"""The lock files, made anew from pyproject.toml and package.json: hashes, and no address.

python -m deploy.locks
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from deploy import assets
from deploy.bootstrap import TRUSTING_THE_MACHINE

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".venv" / "bin" / "uv"

_COMPILE = [
    str(UV),
    "pip",
    "compile",
    "--universal",
    "--python-version",
    "3.11",
    "--upgrade",
    "--quiet",
]
_FORM = ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]


def lock_python() -> None:
    """Write what runs the portal, what checks it, what audits it, and Node.js for who has none."""
    run = ["pyproject.toml", "--group", "build"]
    _call([*_COMPILE, *_FORM, *run, "-o", "requirements.txt"])
    # The same versions of what both hold, so that tests see what runs.
    dev = [*run, "--group", "dev", "-c", "requirements.txt"]
    _call([*_COMPILE, *_FORM, *dev, "-o", "requirements-dev.txt"])
    _call([*_COMPILE, *_FORM, "--group", "node", "-o", "requirements-node.txt"])
    audit = ["--group", "audit", "-c", "requirements-dev.txt"]
    _call([*_COMPILE, *_FORM, *audit, "-o", "requirements-audit.txt"])


def lock_front_end() -> None:
    """Write package-lock.json without addresses, and the manifest that goes with it."""
    command = ["install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"]
    with tempfile.TemporaryDirectory(prefix="portal-lock-") as name:
        folder = Path(name)
        for file in ("package.json", ".npmrc"):
            (folder / file).write_bytes((ROOT / file).read_bytes())
        npm = [*assets.npm(), *command, "--omit-lockfile-registry-resolved"]
        subprocess.run(npm, cwd=folder, check=True)
        lock = json.loads((folder / "package-lock.json").read_text("utf-8"))
    for package in lock["packages"].values():
        package.pop("funding", None)  # addresses as well, though nothing is fetched from them
    (ROOT / "package-lock.json").write_text(json.dumps(lock, indent=2) + "\n", "utf-8")
    assets.pin()


def _call(command: list[str]) -> None:
    print("uv pip compile … -o", command[-1], flush=True)
    subprocess.run(command, cwd=ROOT, env={**os.environ, **TRUSTING_THE_MACHINE}, check=True)


if __name__ == "__main__":
    lock_python()
    lock_front_end()
