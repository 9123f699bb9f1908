"""The catalogue: which agents and apps there are, and which level each requires."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal import audit
from portal.accounts import authority
from portal.accounts.access import AccessLevel
from portal.accounts.user import Status, User
from portal.audit import Action
from portal.database import Model, db
from portal.errors import StepRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = ("agent", "app")


class Agent(Model):
    """An AI agent or app behind the portal."""

    __tablename__ = "agents"
    __table_args__ = (CheckConstraint("kind IN ('agent', 'app')", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    url: Mapped[str] = mapped_column(String(2000))
    kind: Mapped[str] = mapped_column(String(8), default="agent")
    enabled: Mapped[bool] = mapped_column(default=True)
    access_level_id: Mapped[int] = mapped_column(
        ForeignKey("access_levels.id", ondelete="RESTRICT"), index=True
    )
    access_level: Mapped[AccessLevel] = relationship("AccessLevel", lazy="joined")

    def __str__(self) -> str:
        return self.name


def may_open(user: User, agent: Agent) -> bool:
    """The gate (M11): an approved person, a level that reaches, an agent that is on."""
    return (
        agent.enabled
        and user.status is Status.APPROVED
        and user.access_level is not None
        and user.access_level.opens(agent.access_level)
    )


def for_home(user: User) -> tuple[Sequence[Agent], Sequence[Agent]]:
    """What the person may open, and what a higher level would open. One query."""
    agents = db.session.scalars(
        select(Agent).where(Agent.enabled.is_(True)).order_by(Agent.name).limit(500)
    ).all()
    mine = [agent for agent in agents if may_open(user, agent)]
    return mine, [agent for agent in agents if agent not in mine]


def edit_agent(
    agent: Agent | None,
    *,
    name: str,
    description: str,
    url: str,
    kind: str,
    enabled: bool,
    access_level: AccessLevel,
    by: User,
) -> Agent:
    """Add an agent or app (None) or change one. The database refuses a name twice.

    Raises:
        StepRefused: its address is not an absolute http or https address; it requires, or
            would require, a level above what the editor's roles may give.
    """
    must_be_web_address(url)
    for level in {access_level, agent.access_level if agent else access_level}:
        authority.must_be_granted(by, level)
    before = _facts(agent) if agent else None
    if agent is None:
        agent = Agent()
        db.session.add(agent)
    agent.name, agent.description, agent.url = name, description, url
    agent.kind, agent.enabled, agent.access_level = kind, enabled, access_level
    audit.record(Action.AGENT_EDITED, by=by, before=before, after=_facts(agent))
    return agent


def remove_agent(agent: Agent, *, by: User) -> None:
    """Take an agent or app out of the catalogue.

    Raises:
        StepRefused: it requires a level above what the editor's roles may give.
    """
    authority.must_be_granted(by, agent.access_level)
    audit.record(Action.AGENT_REMOVED, by=by, before=_facts(agent))
    db.session.delete(agent)


def must_be_web_address(url: str) -> None:
    """Refuse what a browser would run instead of open (`javascript:` and its like).

    Raises:
        StepRefused: with the sentence that says what an address looks like.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good or any(ord(character) <= 32 for character in url):
        raise StepRefused(_l("Enter an address that begins with https:// or http://."), field="url")


def _facts(agent: Agent) -> dict[str, str | bool]:
    return {
        "name": agent.name,
        "url": agent.url,
        "kind": agent.kind,
        "enabled": agent.enabled,
        "level": agent.access_level.name,
    }
