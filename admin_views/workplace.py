"""The workplace: how whoever is signed in is told of what waits, and works with the keyboard."""

from __future__ import annotations

from datetime import time
from typing import Any

from babel import dates
from flask import abort, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, RadioField, SelectField

from admin_views.base import StaffView, ask_for, back_to, way_back
from portal import clock
from portal.desk import workplace
from portal.desk.workplace import CHOICES, Notice
from portal.pages.doors import me, me_locked
from portal.security.forms import PortalForm, choices


class WorkplaceForm(PortalForm):
    """What a member of staff chooses for themselves."""

    notice = RadioField(
        _l("How do you want to be told of what waits?"),
        choices=choices((each.value, each.label) for each in Notice),
    )
    digest_hour = SelectField(
        _l("Hour of the daily mail"),
        description=_l("For those who get one mail a day."),
        coerce=int,
    )
    quiet_from = SelectField(_l("Quiet from"), coerce=int)
    quiet_until = SelectField(
        _l("Quiet until"),
        description=_l("No such mail comes in these hours. The same hour twice: there are none."),
        coerce=int,
    )
    single_keys = BooleanField(
        _l("Single letters as keys"),
        description=_l("Switch this off when a program that listens to your voice types for you."),
    )

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        for field in (self.digest_hour, self.quiet_from, self.quiet_until):
            field.choices = choices(_hours())


class MyWorkplace(StaffView):
    """One's own preferences as a member of staff."""

    part = "workplace"
    label = _l("Your workplace")
    icon = "gear"
    url_below_admin = "/workplace"

    @expose("/", methods=["GET", "POST"])
    def index(self) -> ResponseReturnValue:
        """Show what one chose, and save it."""
        form = WorkplaceForm(obj=workplace.of(me()))
        if form.validate_on_submit() and ask_for(
            lambda: workplace.choose(me_locked(), **{name: form[name].data for name in CHOICES}),
            done=_("Your workplace is saved."),
            form=form,
        ):
            return back_to(url_for(".index"))
        page = self.render(
            "admin/workplace/index.html",
            form=form,
            zone=str(workplace.local_time(me(), clock.now()).tzinfo),
        )
        return page, 400 if form.errors else 200

    @expose("/keys", methods=["POST"])
    def keys(self) -> ResponseReturnValue:
        """Use single letters as keys, or do not any more; from the page that lists them."""
        # A box that is not ticked is not sent: only the form that has it says anything about it.
        if request.form.get("switch") != "single_keys":
            abort(400)
        wanted = "single_keys" in request.form
        ask_for(
            lambda: workplace.choose(me_locked(), single_keys=wanted),
            done=_("Single letters are keys.") if wanted else _("Single letters are no keys."),
        )
        return back_to(way_back(url_for(".index")))


def _hours() -> list[tuple[int, str]]:
    """The hours of a day as the reader's language writes them."""
    return [
        (hour, dates.format_time(time(hour), "short", locale=get_locale())) for hour in range(24)
    ]
