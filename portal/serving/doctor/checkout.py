"""What the doctor sees in the checkout: what the set-up has to build."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

from portal.serving.doctor.finding import Finding, fail, ok
from portal.settings import ROOT, Settings

SOURCE_LANGUAGE = "en"
_REMEDY = "`make run` builds it."


def catalogues(ours: Settings) -> Iterator[Finding]:
    """Look whether each language has its catalogue, compiled and not older than its source."""
    for code in ours.site.languages:
        if code == SOURCE_LANGUAGE:
            continue
        folder = ROOT / "translations" / code / "LC_MESSAGES"
        sources = sorted(folder.glob("*.po"))
        if not sources:
            remedy = "Take it out of site.languages, or translate it."
            yield fail("languages", f"there is no catalogue for {code}.", remedy)
            return
        for source in sources:
            compiled = source.with_suffix(".mo")
            if not compiled.exists():
                yield fail("languages", f"{compiled} is missing.", _REMEDY)
                return
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
        yield fail("front end", f"missing in {static}: {', '.join(missing)}.", _REMEDY)
    else:
        yield ok("front end", f"{len(named)} files")
