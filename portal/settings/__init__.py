"""Settings: defaults, then settings.toml, then PORTAL_* variables, then secrets; all checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portal.settings.checks import check
from portal.settings.errors import SettingsError
from portal.settings.secret_file import make_secrets, read_secrets
from portal.settings.shape import (
    Database,
    Limits,
    Logs,
    Mail,
    Passwords,
    Redis,
    Registration,
    Secrets,
    Server,
    Sessions,
    Settings,
    Site,
    is_loopback,
)
from portal.settings.sources import SECTIONS, TOP_LEVEL, from_environment, from_file

if TYPE_CHECKING:
    from flask import Flask

__all__ = [
    "ROOT",
    "Database",
    "Limits",
    "Logs",
    "Mail",
    "Passwords",
    "Redis",
    "Registration",
    "Secrets",
    "Server",
    "Sessions",
    "Settings",
    "SettingsError",
    "Site",
    "current",
    "instance_folder",
    "is_loopback",
    "load",
    "make_secrets",
    "of",
    "preview",
]

ROOT = Path(__file__).resolve().parents[2]


def load(
    environ: Mapping[str, str] = os.environ,
    file: Path | None = None,
    instance: Path | None = None,
) -> Settings:
    """Read, merge and check everything an operator has set; changes nothing anywhere.

    Raises:
        SettingsError: a sentence that names the key, where it stood, and the remedy.
    """
    before = preview(environ, file, instance)
    secrets, origins = read_secrets(before.instance, environ)
    settings = replace(before, secrets=secrets, origins={**before.origins, **origins})
    check(settings)
    return settings


def preview(
    environ: Mapping[str, str] = os.environ,
    file: Path | None = None,
    instance: Path | None = None,
) -> Settings:
    """Read and check everything but the secrets, which are empty: an instance may have none yet.

    Raises:
        SettingsError: as for `load`.
    """
    folder = (instance or instance_folder(environ)).absolute()
    values, origins = _merged(environ, file)
    top = {name: values[name] for name in TOP_LEVEL if name in values}
    sections = {name: kind(**_section(values, name)) for name, kind in SECTIONS.items()}
    unknown = Secrets(secret_key="", password_salt="", outbox_key="")
    settings = Settings(instance=folder, secrets=unknown, origins=origins, **top, **sections)
    check(settings)
    return settings


def of(app: Flask) -> Settings:
    """Give the settings that an application was made with."""
    settings: Settings = app.extensions["portal.settings"]
    return settings


def current() -> Settings:
    """Give the settings of the application that is answering."""
    from flask import current_app

    return of(current_app)


def instance_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Say where database, secrets and queue are kept: PORTAL_INSTANCE, else instance/."""
    return Path(environ.get("PORTAL_INSTANCE") or ROOT / "instance").expanduser().absolute()


def _merged(environ: Mapping[str, str], file: Path | None) -> tuple[dict[str, Any], dict[str, str]]:
    named = file or environ.get("PORTAL_SETTINGS_FILE")
    path = Path(named) if named else ROOT / "settings.toml"
    values, origins = from_file(path)
    more_values, more_origins = from_environment(environ)
    return values | more_values, origins | more_origins


def _section(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    start = f"{name}."
    return {
        key.removeprefix(start): value for key, value in values.items() if key.startswith(start)
    }
