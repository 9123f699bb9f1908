"""What the doctor sees in settings and secrets."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from portal import settings as reading
from portal.serving.cautions import cautions
from portal.serving.doctor.finding import Finding, fail, ok, warn
from portal.settings import Settings
from portal.settings.secret_file import FILE_NAME


def settings(ours: Settings) -> Iterator[Finding]:
    """Look at what is set: it can be read, or we would not be here; does it make sense?"""
    yield ok("settings", f"{ours.public_url} on {ours.bind}")
    for sentence in cautions(ours):
        yield warn("settings", sentence)
    now = datetime.now(ZoneInfo(ours.site.time_zone))
    yield ok("time zone", f"{ours.site.time_zone}, where it is {now:%Y-%m-%d %H:%M} now")


def secrets(ours: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look whether all secrets are there, good, and for nobody else to read."""
    try:
        origins = reading.load(environ).origins
    except reading.SettingsError as error:
        yield fail("secrets", str(error))
        return
    path = ours.instance / FILE_NAME
    places = sorted({origin for key, origin in origins.items() if key.startswith("secrets.")})
    if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield fail("secrets", f"others can read {path}.", f"chmod 600 {path}")
    else:
        yield ok("secrets", "from " + ", ".join(places))
    if stat.S_IMODE(ours.instance.stat().st_mode) & 0o002:
        yield fail(
            "secrets", f"others can write into {ours.instance}.", f"chmod o-w {ours.instance}"
        )
