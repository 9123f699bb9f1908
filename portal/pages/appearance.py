"""Appearance: light, dark, or as the device has it."""

from __future__ import annotations

from flask import Blueprint, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from portal import settings
from portal.accounts.preferences import change_preferences
from portal.database import transaction
from portal.pages.doors import me_locked
from portal.security.redirects import local_target

THEMES = {"auto": _l("As on my device"), "light": _l("Light"), "dark": _l("Dark")}
COOKIE = "theme"

blueprint = Blueprint("appearance", __name__)


@blueprint.post("/appearance")
def choose() -> ResponseReturnValue:
    """Remember the choice: with the account of whoever has one, in a cookie for everybody."""
    theme = request.form.get("theme", "")
    back = local_target(request.form.get("next")) or url_for("pages.home")
    response = redirect(back, 303)
    if theme not in THEMES:
        return response
    if current_user.is_authenticated:
        with transaction():
            user = me_locked()
            change_preferences(user, by=user, theme=theme)
    response.set_cookie(
        settings.current().cookie_name(COOKIE),
        theme,
        max_age=365 * 24 * 60 * 60,
        path=current_app.config["APPLICATION_ROOT"],
        secure=settings.current().is_https,
        httponly=True,
        samesite="Lax",
    )
    return response


def chosen() -> str:
    """The theme that this request is to be shown in."""
    if current_user.is_authenticated:
        theme = current_user.theme
    else:
        theme = request.cookies.get(settings.current().cookie_name(COOKIE), "")
    return theme if theme in THEMES else "auto"
