"""Access levels: how far people get, as rows that staff edit."""

from __future__ import annotations

from flask import Response, flash, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, IntegerField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from admin_views import export
from admin_views.base import ID, StaffView, ask_for, back_to, current
from admin_views.export import Column
from portal.accounts import access, authority
from portal.accounts.access import AccessLevel
from portal.pages.doors import me
from portal.security.forms import PlainText, PortalForm, trimmed, words_field

GREATEST_RANK = 1_000_000


class AccessLevelForm(PortalForm):
    """What a level is called, and how it compares with the others."""

    name = StringField(
        _l("Name"),
        filters=[trimmed],
        validators=[
            InputRequired(_l("Enter a name.")),
            Length(max=60, message=_l("Shorten this to 60 characters.")),
            PlainText(),
        ],
    )
    rank = IntegerField(
        _l("Rank"),
        description=_l(
            "A level opens everything that levels of a lower rank open. Leave gaps for later ones."
        ),
        validators=[
            InputRequired(_l("Enter a whole number.")),
            NumberRange(
                1, GREATEST_RANK, message=_l("Enter a number between %(min)s and %(max)s.")
            ),
        ],
    )
    description = words_field(
        _l("Description"),
    )
    offered = BooleanField(
        _l("Applicants may ask for it"),
        description=_l(
            "The registration form offers the levels that are ticked, once there are two."
            " Anybody then reads their names and descriptions."
        ),
    )


class AccessLevels(StaffView):
    """The ladder of access levels."""

    part = "access_levels"
    label = _l("Access levels")
    icon = "layers"
    url_below_admin = "/access-levels"

    @expose("/")
    def index(self) -> str:
        """List the levels, lowest first."""
        listed = [(level, authority.may_grant(me(), level)) for level in access.levels()]
        return self.render("admin/access_levels/index.html", levels=listed)

    @expose("/export.csv")
    def export(self) -> Response:
        """The levels as CSV."""
        return export.csv_of("access-levels", _COLUMNS, export.one_page(access.levels()))

    @expose("/new", methods=["GET", "POST"])
    def new(self) -> ResponseReturnValue:
        """Make a level."""
        return self._edit(AccessLevelForm(), None)

    @expose(f"/{ID.format('level_id')}", methods=["GET", "POST"])
    def edit(self, level_id: int) -> ResponseReturnValue:
        """Change a level."""
        level = self.row(AccessLevel, level_id)
        return self._edit(AccessLevelForm(obj=level), level_id)

    @expose(f"/{ID.format('level_id')}/removal", methods=["GET", "POST"])
    def removal(self, level_id: int) -> ResponseReturnValue:
        """Remove a level that nobody has and nothing requires."""
        level, form = self.row(AccessLevel, level_id), PortalForm()
        name = level.name
        if form.validate_on_submit() and ask_for(
            lambda: access.remove_level(current(AccessLevel, level_id), by=me()), form=form
        ):
            flash(_("The access level %(name)s is removed.", name=name), "success")
            return back_to(url_for(".index"))
        page = self.render("admin/access_levels/removal.html", form=form, level=level)
        return page, 409 if form.errors else 200

    def _edit(self, form: AccessLevelForm, level_id: int | None) -> ResponseReturnValue:
        if form.validate_on_submit() and ask_for(
            lambda: access.edit_level(
                current(AccessLevel, level_id) if level_id else None,
                name=form.name.data or "",
                rank=form.rank.data or 0,
                description=form.description.data or "",
                offered=form.offered.data,
                by=me(),
            ),
            done=_("The access level is saved."),
            form=form,
        ):
            return back_to(url_for(".index"))
        page = self.render("admin/access_levels/form.html", form=form, level_id=level_id)
        return page, 400 if form.errors else 200


_COLUMNS = [
    Column(_l("Name"), lambda level: level.name),
    Column(_l("Rank"), lambda level: level.rank),
    Column(_l("Description"), lambda level: level.description),
    Column(_l("Applicants may ask for it"), lambda level: _("yes") if level.offered else _("no")),
]
