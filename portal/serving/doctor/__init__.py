"""The doctor: looks at everything the portal needs, and says what is wrong and what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from portal import settings
from portal.serving.doctor import checkout, data, post, rules
from portal.serving.doctor.finding import Finding, Level, fail

__all__ = ["Finding", "Level", "examine"]


def examine(environ: Mapping[str, str], *, send_to: str = "") -> Iterator[Finding]:
    """Look at one thing after the other. What cannot be looked at without another is left out."""
    try:
        ours = settings.preview(environ)
    except settings.SettingsError as error:
        yield fail("settings", str(error))
        return
    yield from rules.settings(ours)
    yield from rules.secrets(ours, environ)
    # Said above; the rest needs no secrets, but for the mail password.
    with contextlib.suppress(settings.SettingsError):
        ours = settings.load(environ)
    yield from data.folder(ours)
    yield from data.database(ours)
    yield from post.server(ours, send_to=send_to)
    yield from checkout.catalogues(ours)
    yield from checkout.front_end()
    yield from checkout.passwords()
