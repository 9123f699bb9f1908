"""Agents: the catalogue of agents and apps, as staff keep it."""

from __future__ import annotations

from flask import Response, flash, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, RadioField, SelectField, StringField
from wtforms.validators import InputRequired, Length, ValidationError

from admin_views import export, parameters
from admin_views.base import ID, StaffView, ask_for, back_to, chosen, current, listed
from admin_views.export import Column
from portal.accounts import access, authority
from portal.accounts.access import AccessLevel
from portal.agents import catalogue, listing
from portal.agents.catalogue import Agent
from portal.errors import StepRefused
from portal.pages.doors import me
from portal.security.forms import PlainText, PortalForm, choices, trimmed, words_field


class AgentForm(PortalForm):
    """What people see of an agent or app, where it is, and who may open it."""

    name = StringField(
        _l("Name"),
        filters=[trimmed],
        validators=[
            InputRequired(_l("Enter a name.")),
            Length(max=80, message=_l("Shorten this to 80 characters.")),
            PlainText(),
        ],
    )
    kind = RadioField(
        _l("Kind"), choices=choices([("agent", _l("Agent")), ("app", _l("App"))]), default="agent"
    )
    description = words_field(
        _l("Description"),
        description=_l("People read it on their home page."),
    )
    url = StringField(
        _l("Web address"),
        description=_l("It begins with https:// or http://."),
        filters=[trimmed],
        validators=[
            InputRequired(_l("Enter a web address.")),
            Length(max=2000, message=_l("Shorten this to 2000 characters.")),
            PlainText(),
        ],
    )
    access_level_id = SelectField(
        _l("Access level it requires"),
        description=_l("People at this level and above may open it."),
        coerce=int,
    )
    enabled = BooleanField(
        _l("Switched on"), description=_l("Nobody can open what is switched off."), default=True
    )

    def __init__(self, agent: Agent | None = None) -> None:
        super().__init__(obj=agent)
        self.access_level_id.choices = choices(
            (level.id, level.name) for level in access.levels_grantable(me())
        )

    def validate_url(self, field: StringField) -> None:
        """Nothing that a browser would run instead of open."""
        try:
            catalogue.must_be_web_address(field.data or "")
        except StepRefused as refused:
            raise ValidationError(str(refused)) from refused


class Agents(StaffView):
    """The catalogue of agents and apps."""

    part = "agents"
    label = _l("Agents and apps")
    icon = "robot"
    url_below_admin = "/agents"

    @expose("/")
    def index(self) -> str:
        """List agents and apps by name."""
        search = parameters.text("q")
        page = listed(lambda cursor: listing.page(search=search, cursor=cursor))
        return self.render("admin/agents/index.html", page=page, search=search, may_edit=_may_edit)

    @expose("/export.csv")
    def export(self) -> Response:
        """The same list as CSV, all of it."""
        search = parameters.text("q")
        return export.csv_of(
            "agents",
            _COLUMNS,
            lambda cursor, per_page: listing.page(search=search, cursor=cursor, per_page=per_page),
        )

    @expose("/new", methods=["GET", "POST"])
    def new(self) -> ResponseReturnValue:
        """Add an agent or app."""
        return self._edit(AgentForm(), None)

    @expose(f"/{ID.format('agent_id')}", methods=["GET", "POST"])
    def edit(self, agent_id: int) -> ResponseReturnValue:
        """Change an agent or app."""
        return self._edit(AgentForm(self.row(Agent, agent_id)), agent_id)

    @expose(f"/{ID.format('agent_id')}/removal", methods=["GET", "POST"])
    def removal(self, agent_id: int) -> ResponseReturnValue:
        """Take an agent or app out of the catalogue."""
        agent, form = self.row(Agent, agent_id), PortalForm()
        name = agent.name
        if form.validate_on_submit() and ask_for(
            lambda: catalogue.remove_agent(current(Agent, agent_id), by=me()), form=form
        ):
            flash(_("%(name)s is no longer in the catalogue.", name=name), "success")
            return back_to(url_for(".index"))
        page = self.render("admin/agents/removal.html", form=form, agent=agent)
        return page, 409 if form.errors else 200

    def _edit(self, form: AgentForm, agent_id: int | None) -> ResponseReturnValue:
        if form.validate_on_submit() and ask_for(
            lambda: catalogue.edit_agent(
                current(Agent, agent_id) if agent_id else None,
                name=form.name.data or "",
                description=form.description.data or "",
                url=form.url.data or "",
                kind=form.kind.data,
                enabled=form.enabled.data,
                access_level=chosen(AccessLevel, form.access_level_id.data),
                by=me(),
            ),
            done=_("The catalogue is saved."),
            form=form,
        ):
            return back_to(url_for(".index"))
        page = self.render("admin/agents/form.html", form=form, agent_id=agent_id)
        return page, 400 if form.errors else 200


_COLUMNS = [
    Column(_l("Name"), lambda agent: agent.name),
    Column(_l("Kind"), lambda agent: agent.kind),
    Column(_l("Address"), lambda agent: agent.url),
    Column(_l("Access level"), lambda agent: agent.access_level),
    Column(_l("Switched on"), lambda agent: _("yes") if agent.enabled else _("no")),
    Column(_l("Description"), lambda agent: agent.description),
]


def _may_edit(agent: Agent) -> bool:
    return authority.may_grant(me(), agent.access_level)
