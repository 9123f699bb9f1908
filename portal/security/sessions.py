"""Sessions: they end with the browser or after the idle time, and remembered ones after days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Flask, request, session
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from flask_login import user_logged_out
from flask_security.core import _user_loader
from flask_security.signals import user_authenticated

from portal import clock, settings
from portal.accounts.user import User

# What pages keep in a session about somebody who is not signed in: whom they mailed.
MAILED_TO = "mailed_to"
REGISTERED_HERE = "registered_here"
RESET_ASKED_FOR = "reset_asked_for"
LEFT_BEHIND = (MAILED_TO, REGISTERED_HERE, RESET_ASKED_FOR)


# What an open page asks by itself, whether or not anybody is there: it keeps no session alive.
ASKED_BY_PAGES = frozenset({"registrations.claim", "registrations.claims"})
# Pages that people open, and of which an open one asks for a part anew.
ASKED_IN_PART_BY_PAGES = frozenset({"registrations.progress"})


class IdleSessions(SecureCookieSessionInterface):
    """A signed cookie that every request of a signed-in person renews (ASVS 7.3.1)."""

    def get_expiration_time(self, app: Flask, session: SessionMixin) -> None:
        """No date: the browser forgets it when it closes. `idle_hours` is checked on reading."""
        return

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        """Not for what a page asks by itself, unless it changed the session."""
        in_part = "HX-Request" in request.headers and request.endpoint in ASKED_IN_PART_BY_PAGES
        if in_part or request.endpoint in ASKED_BY_PAGES:
            return session.modified
        return super().should_set_cookie(app, session)


def init_app(app: Flask) -> None:
    """Use them, and take no other proof of who somebody is than the cookie."""
    app.session_interface = IdleSessions()
    app.login_manager.user_loader(_whose)  # type: ignore[attr-defined]
    # Flask-Security's tokens would be a second way in, which nothing here needs.
    app.login_manager.request_loader(_nobody)  # type: ignore[attr-defined]
    user_authenticated.connect(_renew_with_each_request, app)
    user_logged_out.connect(_forget_the_person, app)


def _whose(session_id: str) -> User | None:
    """Whose session this is; nobody's, once the sign-in is longer ago than one is remembered.

    Flask-Login's cookie carries no date of its own: only the browser was told when to forget it,
    and a copy of it would have been good for ever (ASVS 7.3.2).
    """
    uniquifier, _, since = session_id.partition(".")
    lasts = timedelta(days=settings.current().sessions.remember_days)
    if not since.isdecimal() or clock.now().timestamp() - int(since) > lasts.total_seconds():
        return None
    user: User | None = _user_loader(uniquifier)
    return user


def _forget_the_person(_app: Flask, **_about: Any) -> None:
    for key in LEFT_BEHIND:
        session.pop(key, None)


def _nobody(_request: Any) -> None:
    return


def _renew_with_each_request(_app: Flask, **_about: Any) -> None:
    session.permanent = True
