"""Sessions: they end with the browser, or after the idle time, whichever comes first."""

from __future__ import annotations

from typing import Any

from flask import Flask, session
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from flask_security.signals import user_authenticated


class IdleSessions(SecureCookieSessionInterface):
    """A signed cookie that every request of a signed-in person renews (ASVS 7.3.1)."""

    def get_expiration_time(self, app: Flask, session: SessionMixin) -> None:
        """No date: the browser forgets it when it closes. `idle_hours` is checked on reading."""
        return


def init_app(app: Flask) -> None:
    """Use them, and take no other proof of who somebody is than the cookie."""
    app.session_interface = IdleSessions()
    # Flask-Security's tokens would be a second way in, which nothing here needs.
    app.login_manager.request_loader(_nobody)  # type: ignore[attr-defined]
    user_authenticated.connect(_renew_with_each_request, app)


def _nobody(_request: Any) -> None:
    return


def _renew_with_each_request(_app: Flask, **_about: Any) -> None:
    session.permanent = True
