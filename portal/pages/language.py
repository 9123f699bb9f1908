"""The language page: reading the portal in another language."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_login import current_user

from portal import i18n
from portal.accounts.preferences import change_preferences
from portal.database import transaction
from portal.security.redirects import local_target

blueprint = Blueprint("language", __name__)


@blueprint.route("/language", methods=["GET", "POST"])
def choose() -> ResponseReturnValue:
    """Show every language under its own name; a POST of one keeps it and leads back.

    The choice is kept in a cookie, and with the account of whoever is signed in.
    """
    if request.method != "POST":
        return render_template("pages/language.html", next=local_target(request.args.get("next")))

    language = i18n.match(request.form.get("language"), i18n.languages())
    if language is None:
        abort(400)
    if current_user.is_authenticated:
        user = current_user._get_current_object()
        with transaction():
            change_preferences(user, language=language, by=user)

    with force_locale(language):
        flash(_("The language is now %(language)s.", language=i18n.own_name(language)), "success")
    back = local_target(request.form.get("next")) or url_for("pages.home")
    return i18n.remember_language(redirect(_without_language(back)), language)


def _without_language(path: str) -> str:
    """Take `lang` out of an address: there it would win over what was just chosen."""
    parts = urlsplit(path)
    query = [pair for pair in parse_qsl(parts.query, True) if pair[0] != i18n.PARAMETER]
    return urlunsplit(parts._replace(query=urlencode(query)))
