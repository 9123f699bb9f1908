"""Agents in the panel: what people find on their home page, and where it leads."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select

from portal.accounts.roles import Role
from portal.agents.catalogue import Agent
from portal.audit import Action
from portal.database import db
from tests.admin_views.panel import entries, everything, words
from tests.people import an_agent, level

NEW = "/admin/agents/new"


def filled_in(**changes: Any) -> dict[str, Any]:
    fields = {
        "name": "Translator",
        "kind": "agent",
        "description": "Translates letters",
        "url": "https://agents.example.org/translator",
        "access_level_id": level("standard").id,
        "enabled": "y",
    }
    return fields | changes


def agents() -> list[Agent]:
    db.session.rollback()
    return list(db.session.scalars(select(Agent).order_by(Agent.name)))


def test_an_agent_is_added_and_people_find_it(a_user, manager, signed_in):
    answer = signed_in(manager).submit(NEW, **filled_in())

    assert (answer.status_code, answer.location) == (303, "/admin/agents/")
    assert "Translator" in words(signed_in(a_user(approved="standard")).get("/"))
    assert entries(Action.AGENT_EDITED)[0].details["after"]["level"] == "standard"


def test_an_agent_is_changed_and_switched_off(manager, signed_in):
    agent = an_agent()
    path, browser = f"/admin/agents/{agent.id}", signed_in(manager)
    assert agent.url in browser.get(path).text
    changes = filled_in(name="Interpreter", kind="app")
    del changes["enabled"]

    browser.submit(path, **changes)

    found = agents()
    assert [(each.name, each.kind, each.enabled) for each in found] == [
        ("Interpreter", "app", False)
    ]
    assert "Interpreter https://agents.example.org/translator App standard Off" in words(
        browser.get("/admin/agents/")
    )


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "ftp://example.org",
        "/local",
        "//example.org",
        "https://",
        "https:// example.org",
        "https://a\tb",
        "http://[::1",
    ],
)
def test_only_web_addresses_are_taken(manager, signed_in, url):
    browser = signed_in(manager)
    before = everything()

    answer = browser.submit(NEW, **filled_in(url=url))

    assert answer.status_code == 400
    assert 'href="#url"' in answer.text
    assert everything() == before


@pytest.mark.both_databases(everyday="sqlite")
def test_a_name_that_is_taken_is_said_beside_its_field(manager, signed_in):
    an_agent("Translator")
    browser = signed_in(manager)

    answer = browser.submit(NEW, **filled_in())

    assert answer.status_code == 400
    assert "This name is taken." in words(answer)
    assert 'href="#name"' in answer.text
    assert "Translates letters" in answer.text
    assert len(agents()) == 1


def test_a_level_that_is_gone_is_refused(manager, signed_in):
    browser = signed_in(manager)
    for wild in ("4711", "abc", "", "9" * 30):
        assert browser.submit(NEW, **filled_in(access_level_id=wild)).status_code == 400
    assert agents() == []


def test_nobody_edits_an_agent_that_requires_more_than_their_role_gives(
    administrator, manager, signed_in
):
    agent = an_agent(requires="extended")
    role = db.session.scalars(select(Role).filter_by(name="manager")).one()
    signed_in(administrator).submit(
        f"/admin/roles/{role.id}",
        permissions=["review", "manage"],
        grants_up_to=level("standard").id,
    )
    path, browser = f"/admin/agents/{agent.id}", signed_in(manager)
    before = everything()

    assert f'href="{path}"' not in browser.get("/admin/agents/").text
    assert browser.submit(path, **filled_in()).status_code == 400
    assert (
        browser.submit(NEW, **filled_in(access_level_id=agent.access_level_id)).status_code == 400
    )
    assert browser.submit(f"{path}/removal").status_code == 409
    assert everything() == before


def test_an_agent_is_removed_after_a_question(manager, signed_in):
    agent = an_agent()
    path, browser = f"/admin/agents/{agent.id}/removal", signed_in(manager)
    assert "Nobody finds Translator on their home page any more." in words(browser.get(path))

    browser.submit(path)

    assert agents() == []
    assert entries(Action.AGENT_REMOVED)[0].details["before"]["name"] == "Translator"
    assert browser.get(path).status_code == 404


def test_agents_are_found_by_a_part_of_their_name_and_paged(manager, signed_in):
    for number in range(53):
        an_agent(f"Agent {number:02}")
    an_agent("Übersetzer 100%")
    browser = signed_in(manager)

    first = browser.get("/admin/agents/").text
    following = re.search(r'rel="next" href="([^"]*)"', first)
    assert following
    second = browser.get(following.group(1).replace("&amp;", "&")).text

    listed = re.compile(r'<th scope="row"><bdi>([^<]*)</bdi>')
    assert listed.findall(first)[0] == "Agent 00"
    assert listed.findall(second) == ["Agent 50", "Agent 51", "Agent 52", "Übersetzer 100%"]
    for term, found in (
        ("ent 07", ["Agent 07"]),
        ("Übers", ["Übersetzer 100%"]),
        ("%", ["Übersetzer 100%"]),
        ("_", []),
    ):
        page = browser.get("/admin/agents/", query_string={"q": term}).text
        assert listed.findall(page) == found
