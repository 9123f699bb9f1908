"""Coming in and going out, written into the log as the libraries' signals tell of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Flask
from flask_login import user_logged_out
from flask_security.signals import user_authenticated

from portal.accounts.user import User
from portal.logs import SecurityEvent, note


def init_app(app: Flask) -> None:
    """Listen."""
    user_authenticated.connect(_came_in, app)
    user_logged_out.connect(_went_out, app)


def _came_in(
    _app: Flask, user: User, authn_via: Sequence[str] | None = None, **_about: Any
) -> None:
    if authn_via:  # else nobody proved anything: a session that is there goes on under another id
        note(SecurityEvent.SIGNED_IN, about=user, by_means_of=list(authn_via))


def _went_out(_app: Flask, user: User | None = None, **_about: Any) -> None:
    note(SecurityEvent.SIGNED_OUT, about=user)
