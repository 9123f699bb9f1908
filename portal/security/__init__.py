"""The seam to Flask-Security, and everything that stands in front of a page.

What we use of Flask-Security: signing in and out, asking for the password again, hashing,
signed links, sessions and roles. Its other pages (registration, confirmation, reset,
changes) tell strangers too much or act on GET; ours stand at their addresses.
"""

from __future__ import annotations

from flask import Flask
from flask_security import Security
from flask_security.core import _get_serializer
from flask_wtf.csrf import CSRFProtect

from portal.security import (
    breaches,
    config,
    gate,
    half_sign_in,
    hashing,
    headers,
    isolation,
    known_devices,
    limits,
    noted,
    proxy,
    recent,
    reports,
    sessions,
    wild_input,
)
from portal.security.datastore import Accounts
from portal.security.passwords import PortalPasswordUtil
from portal.security.sign_in import SignInForm, VerifyForm

csrf = CSRFProtect()


def init_app(app: Flask) -> None:
    """Put the gate, the CSRF check, Flask-Security, limits and headers in front of the pages."""
    config.apply(app)
    reports.without_cookies(app)
    proxy.init_app(app)
    isolation.init_app(app)
    gate.init_app(app)
    wild_input.init_app(app)
    csrf.init_app(app)
    hashing.init_app(app)
    breaches.init_app(app)
    security = Security(
        app,
        Accounts(),
        login_form=SignInForm,
        verify_form=VerifyForm,
        password_util_cls=PortalPasswordUtil,
    )
    security.verify_context_processor(lambda: {"passkey_options": recent.passkey_options()})
    security.want_json(lambda _request: False)
    security.two_factor_plugins = half_sign_in.SecondStep()
    # Two purposes more for Flask-Security's signed links; see `links.status` and `links.alarm`.
    security.status_serializer = _get_serializer(app, "status")  # type: ignore[attr-defined]
    security.alarm_serializer = _get_serializer(app, "alarm")  # type: ignore[attr-defined]
    sessions.init_app(app)
    known_devices.init_app(app)
    noted.init_app(app)
    limits.init_app(app)
    reports.init_app(app, csrf)
    recent.init_app(app)
    headers.init_app(app)
