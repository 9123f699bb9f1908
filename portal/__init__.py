"""The portal: the front door of an organisation's internal apps and AI agents."""

from __future__ import annotations

from flask import Flask

from portal import settings as portal_settings
from portal.settings import ROOT, Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Build the application: what people use, and everything behind it.

    The staff panel joins in `wsgi.py`. Without `settings` they are read from settings.toml
    and the environment.

    Raises:
        portal.settings.SettingsError: something an operator set is wrong; says what and where.
    """
    from portal import database, i18n, jobs, logs, pages, security, static_files
    from portal.desk import workplace  # noqa: F401 - a table that no door opens yet
    from portal.mail import delivery

    app = Flask(__name__, template_folder=str(ROOT / "templates"))
    app.extensions["portal.settings"] = settings or portal_settings.load()

    database.init_app(app)
    i18n.init_app(app)
    delivery.init_app(app)
    jobs.init_app(app)
    pages.init_app(app)
    static_files.init_app(app)
    security.init_app(app)
    logs.init_app(app)
    return app
