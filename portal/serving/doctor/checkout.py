"""What the doctor sees in the checkout: what the set-up has to build."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

from portal.accounts import common_passwords
from portal.serving.doctor.finding import Finding, fail, ok, warn
from portal.settings import ROOT, Settings


def catalogues(ours: Settings) -> Iterator[Finding]:
    """Look whether each language has its catalogue, compiled."""
    from portal import i18n

    missing = i18n.without_catalogue(ours.site.languages)
    if missing:
        text = f"no compiled catalogue for {', '.join(missing)}: those pages are in English."
        yield warn("languages", text, "`make run` compiles those there are.")
    else:
        yield ok("languages", ", ".join(ours.site.languages))


def front_end() -> Iterator[Finding]:
    """Look whether the front-end files of others are there."""
    static = ROOT / "portal" / "static"
    manifest = tomllib.loads((static / "vendor.toml").read_text(encoding="utf-8"))
    named = [entry["name"] for entry in manifest.get("file", [])]
    if "sprite" in manifest:
        named.append(manifest["sprite"]["name"])
    missing = [name for name in named if not (static / name).is_file()]
    if missing:
        yield fail(
            "front end", f"missing in {static}: {', '.join(missing)}.", "`make run` brings them."
        )
    else:
        yield ok("front end", f"{len(named)} files")


def passwords() -> Iterator[Finding]:
    """Look whether the table of common passwords is there."""
    if common_passwords.is_complete():
        yield ok("passwords", f"{common_passwords.size():,} common ones are refused")
    else:
        text = f"{common_passwords.FILE.name} is missing: only the commonest 30,000 are refused."
        yield warn("passwords", text, "`make run` makes it.")
