"""Home: the agents and apps that a person's level opens, and the way into them."""

from __future__ import annotations

from flask import abort, redirect, render_template
from flask.typing import ResponseReturnValue

from portal.agents import catalogue
from portal.agents.catalogue import Agent
from portal.database import db
from portal.pages import pages
from portal.pages.doors import me


@pages.get("/")
def home() -> ResponseReturnValue:
    """Show what this person may open, and what a higher level would open."""
    agents, locked = catalogue.for_home(me())
    return render_template("pages/home.html", agents=agents, locked=locked)


@pages.get("/agents/<int:agent_id>/open")
def open_agent(agent_id: int) -> ResponseReturnValue:
    """Lead to an agent or app, if the person's level reaches that far (M11)."""
    agent = db.session.get(Agent, agent_id) if agent_id < 2**31 else None
    if agent is None or not agent.enabled:
        abort(404)
    if not catalogue.may_open(me(), agent):
        return render_template("errors/level.html", agent=agent, level=agent.access_level), 403
    return redirect(agent.url, 303)
