"""The catalogue as staff read it: every agent and app by name, those that are off included."""

from __future__ import annotations

from sqlalchemy import func, or_, select

from portal.agents.catalogue import Agent
from portal.paging import PER_PAGE, Keyset, Page


def page(*, search: str = "", cursor: str = "", per_page: int = PER_PAGE) -> Page[Agent]:
    """One page of agents and apps by name. One query.

    `search` finds a part of the name, by reading the index of names in order until a page is
    full: a catalogue holds hundreds, not millions.
    """
    keyset = Keyset(Agent.name, Agent.id, descending=False, cursor=cursor, per_page=per_page)
    query = select(Agent)
    term = search.replace("\0", "").strip()[:80]
    if term:
        query = query.where(
            or_(
                Agent.name.contains(term, autoescape=True),
                func.lower(Agent.name).contains(term.lower(), autoescape=True),
            )
        )
    return keyset.page(query)
