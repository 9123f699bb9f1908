"""The whole site: the pages people use, and the staff panel, for any WSGI server.

`wsgi:app` is made when it is first asked for, so that importing this file costs nothing.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from flask import Flask

from portal import create_app
from portal.settings import Settings


def create_site(settings: Settings | None = None) -> Flask:
    """Build the application with everything joined.

    Raises:
        portal.settings.SettingsError: something an operator set is wrong; says what and where.
    """
    import admin_views

    app = create_app(settings)
    admin_views.init_app(app)
    return app


_site = cache(create_site)


def __getattr__(name: str) -> Any:
    if name in ("app", "application"):
        return _site()
    raise AttributeError(name)
