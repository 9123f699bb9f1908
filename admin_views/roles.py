"""Roles: what members of staff may do; an administrator edits those below their own."""

from __future__ import annotations

from flask import Response, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from wtforms import SelectField, SelectMultipleField

from admin_views import export
from admin_views.base import ID, StaffView, ask_for, back_to, chosen, current
from admin_views.export import Column
from portal.accounts import access, roles
from portal.accounts.access import AccessLevel
from portal.accounts.permissions import Permission
from portal.accounts.roles import Role
from portal.database import db
from portal.errors import StepRefused
from portal.pages.doors import me
from portal.security.forms import PortalForm, choices, words_field


class RoleForm(PortalForm):
    """What a role allows. Its name and rank stay, because people hold it."""

    description = words_field(
        _l("Description"),
    )
    permissions = SelectMultipleField(
        _l("Permissions"),
        choices=choices((permission.value, permission.label) for permission in Permission),
    )
    grants_up_to = SelectField(
        _l("May give access levels up to"),
        description=_l("Whoever has this role may give this level and every lower one."),
        coerce=int,
    )

    def __init__(self, role: Role) -> None:
        super().__init__(
            data={
                "description": role.description,
                "permissions": role.permissions,
                "grants_up_to": role.grants_up_to_id or 0,
            }
        )
        self.grants_up_to.choices = choices(
            [(0, _("none")), *((level.id, level.name) for level in access.levels())]
        )


class Roles(StaffView):
    """The ladder of roles."""

    part = "roles"
    label = _l("Roles")
    icon = "shield-lock"
    url_below_admin = "/roles"

    @expose("/")
    def index(self) -> str:
        """List the roles, highest first."""
        found = db.session.scalars(select(Role).order_by(Role.rank.desc(), Role.name).limit(100))
        listed = [(role, _may_edit(role)) for role in found.unique()]
        return self.render("admin/roles/index.html", roles=listed, Permission=Permission)

    @expose("/export.csv")
    def export(self) -> Response:
        """The roles as CSV."""
        found = db.session.scalars(select(Role).order_by(Role.rank.desc(), Role.name))
        return export.csv_of("roles", _COLUMNS, export.one_page(list(found.unique())))

    @expose(f"/{ID.format('role_id')}", methods=["GET", "POST"])
    def edit(self, role_id: int) -> ResponseReturnValue:
        """Change what a role below one's own allows; show the others."""
        role = self.row(Role, role_id)
        form = RoleForm(role)
        if form.validate_on_submit() and ask_for(
            lambda: roles.edit_role(
                current(Role, role_id),
                description=form.description.data or "",
                permissions=[Permission(value) for value in form.permissions.data or []],
                grants_up_to=(
                    chosen(AccessLevel, form.grants_up_to.data) if form.grants_up_to.data else None
                ),
                by=me(),
            ),
            done=_("The role is saved."),
            form=form,
        ):
            return back_to(url_for(".index"))
        page = self.render("admin/roles/form.html", form=form, role=role, may_edit=_may_edit(role))
        return page, 400 if form.errors else 200


_COLUMNS = [
    Column(_l("Name"), lambda role: role.name),
    Column(_l("Rank"), lambda role: role.rank),
    Column(_l("Permissions"), lambda role: ", ".join(role.permissions)),
    Column(_l("May give up to"), lambda role: role.grants_up_to),
    Column(_l("Description"), lambda role: role.description),
]


def _may_edit(role: Role) -> bool:
    try:
        roles.must_be_editable(role, by=me())
    except StepRefused:
        return False
    return True
