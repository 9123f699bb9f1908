"""Showing the settings: every key with its value and origin, and no secret among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from portal import revisions, settings
from portal.settings import Settings, SettingsError
from portal.settings.sources import KEYS, MAY_HOLD_PASSWORD, SECRETS

DEFAULT = "default"


def rows(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Give key, value and origin of everything that can be set."""
    ours = settings.preview(environ)
    yield "instance", str(ours.instance), _origin_of_instance(environ)
    for key in KEYS:
        yield key, _value(ours, key), _origin(ours, key)
    yield from _secrets(environ)


def _value(ours: Settings, key: str) -> str:
    section, _, name = key.rpartition(".")
    value = getattr(getattr(ours, section) if section else ours, name)
    if key == "webhook.url" and value:
        # Of such an address the path is often what lets one in.
        return f'"{value.partition("://")[0]}://{urlsplit(value).hostname}/…"'
    if key in MAY_HOLD_PASSWORD:
        return f'"{revisions.without_password(value, value)}"'
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _origin(ours: Settings, key: str) -> str:
    follows = key == "public_url" and ours.public_url == f"http://{ours.bind}"
    return "follows from bind" if follows else ours.origins.get(key, DEFAULT)


def _secrets(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    try:
        ours = settings.load(environ)
    except SettingsError as error:
        yield "secrets", "missing or refused", str(error)
        return
    for name in SECRETS:
        origin = ours.origins.get(f"secrets.{name}", DEFAULT)
        yield (
            f"secrets.{name}",
            "set, not shown" if getattr(ours.secrets, name) else "not set",
            origin,
        )


def _origin_of_instance(environ: Mapping[str, str]) -> str:
    return "PORTAL_INSTANCE" if environ.get("PORTAL_INSTANCE") else DEFAULT
