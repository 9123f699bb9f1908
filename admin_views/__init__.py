"""The doors for staff, on Flask-Admin; they ask for steps and have no rules of their own."""

from __future__ import annotations

from flask import Flask
from flask_admin import Admin

from admin_views import wording
from admin_views.access_levels import AccessLevels
from admin_views.accounts import Accounts
from admin_views.agents import Agents
from admin_views.audit_trail import AuditTrail
from admin_views.dashboard import Dashboard
from admin_views.figures import FiguresOfTheDesk
from admin_views.mail import OutgoingMail
from admin_views.registrations import Registrations
from admin_views.roles import Roles
from admin_views.texts import Texts
from admin_views.theme import PortalTheme
from admin_views.workplace import MyWorkplace
from portal import i18n


def init_app(app: Flask) -> None:
    """Join the staff panel to the site. The views stand in the order of the staff menu."""
    admin = Admin(
        app,
        url="/admin",
        index_view=Dashboard(),
        theme=PortalTheme(),
        translations_path=i18n.ADMIN_TRANSLATIONS,
    )
    admin.add_views(
        Registrations(),
        Accounts(),
        FiguresOfTheDesk(),
        AccessLevels(),
        Roles(),
        Agents(),
        Texts(),
        OutgoingMail(),
        AuditTrail(),
        MyWorkplace(),
    )
    for words in (
        wording.action_label,
        wording.count_text,
        wording.details,
        wording.domain_of,
        wording.mail_label,
        wording.name_of,
        wording.notification_label,
        wording.trouble_text,
        wording.utc_day_text,
    ):
        app.add_template_filter(words)
