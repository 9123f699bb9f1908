"""The account page: preferences, how one signs in, and when one last did."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import RadioField, SelectField

from portal import i18n
from portal.accounts.preferences import change_preferences
from portal.database import transaction
from portal.pages import pages, sessions, sign_ins
from portal.pages.appearance import THEMES
from portal.pages.doors import me, me_locked
from portal.security.forms import PortalForm, choices, communication_field, full_name_field


class PreferencesForm(PortalForm):
    """What a person sets for themselves."""

    full_name = full_name_field()
    language = SelectField(_l("Language"))
    time_zone = SelectField(_l("Time zone"))
    communication = communication_field()
    theme = RadioField(_l("Appearance"), choices=choices(THEMES.items()))

    def __init__(self) -> None:
        user = me()
        super().__init__(obj=user)
        self.language.choices = choices(i18n.language_menu())
        zones = i18n.time_zone_menu(besides=user.time_zone)
        self.time_zone.choices = choices([("", _("The portal's time zone")), *zones])


@pages.route("/account", methods=["GET", "POST"])
def account() -> ResponseReturnValue:
    """Show the account, and save preferences."""
    form = PreferencesForm()
    if form.validate_on_submit():
        with transaction():
            user = me_locked()
            change_preferences(
                user,
                by=user,
                full_name=form.full_name.data,
                language=form.language.data,
                time_zone=form.time_zone.data,
                communication=form.communication.data,
                theme=form.theme.data,
            )
        flash(_("Your preferences are saved."), "success")
        return redirect(url_for("pages.account"), 303)
    page = render_template(
        "pages/account.html",
        form=form,
        user=me(),
        lines=sessions.listed(me()),
        sign_ins=sign_ins.latest(me()),
    )
    return page, 400 if form.errors else 200
