"""Home and the way into agents (M5, M11): the portal asks for the level each time."""

import pytest
from sqlalchemy import select

from portal.accounts.access import change_access_level
from portal.accounts.suspension import suspend
from portal.agents import catalogue
from portal.agents.catalogue import Agent
from portal.database import db, transaction
from portal.errors import StepRefused
from tests.people import an_agent, level, person


@pytest.mark.both_databases(everyday="sqlite")
def test_home_shows_what_ones_level_opens_apart_from_what_it_does_not(browser, a_user):
    for name, requires in (("Basic", "guest"), ("Middle", "standard"), ("Top", "extended")):
        an_agent(name, requires=requires)
    an_agent("Hidden", requires="guest", enabled=False)
    ada = a_user(approved="standard")
    browser.sign_in(person(ada))

    text = browser.get("/").get_data(as_text=True)
    agents, locked = catalogue.for_home(ada)

    assert ([a.name for a in agents], [a.name for a in locked]) == (["Basic", "Middle"], ["Top"])
    assert [text.index(name) > 0 for name in ("Basic", "Middle", "Top")] == [True] * 3
    assert "Hidden" not in text
    assert f"/agents/{locked[0].id}/open" not in text
    assert f"/agents/{agents[0].id}/open" in text


def test_home_never_shows_the_address_of_what_is_locked(browser, a_user):
    an_agent("Top", requires="extended")
    browser.sign_in(person(a_user(approved="guest")))

    assert "agents.example.org" not in browser.get("/").get_data(as_text=True)


@pytest.mark.parametrize(
    ("has", "requires", "status"),
    [
        ("guest", "guest", 303),
        ("guest", "standard", 403),
        ("standard", "guest", 303),
        ("standard", "standard", 303),
        ("standard", "extended", 403),
        ("extended", "extended", 303),
    ],
)
def test_an_agent_opens_from_its_level_up(browser, a_user, has, requires, status):
    agent = an_agent(requires=requires)
    browser.sign_in(person(a_user(approved=has)))

    answer = browser.get(f"/agents/{agent.id}/open")

    assert answer.status_code == status
    if status == 303:
        assert answer.headers["Location"] == agent.url
    else:
        assert "Location" not in answer.headers
        assert requires in answer.get_data(as_text=True), "says which level it takes"
        assert agent.url not in answer.get_data(as_text=True)


def test_a_disabled_or_unknown_agent_does_not_exist(browser, a_user):
    off = an_agent(requires="guest", enabled=False)
    browser.sign_in(person(a_user(approved="extended")))

    assert browser.get(f"/agents/{off.id}/open").status_code == 404
    assert browser.get("/agents/999/open").status_code == 404


@pytest.mark.parametrize("facts", [{"confirmed": True}, {"rejected": True}, None], ids=str)
def test_whoever_is_not_approved_opens_nothing(browser, a_user, facts):
    agent = an_agent(requires="guest")
    if facts:
        browser.sign_in(person(a_user(**facts)))

    answer = browser.get(f"/agents/{agent.id}/open")

    assert answer.status_code == 302
    assert agent.url not in answer.headers["Location"]


def test_a_level_that_was_lowered_bites_at_the_next_request(browser, a_user, administrator):
    agent = an_agent(requires="extended")
    ada = a_user(approved="extended")
    browser.sign_in(person(ada))
    assert browser.get(f"/agents/{agent.id}/open").status_code == 303

    with transaction():
        change_access_level(ada, to=level("guest"), by=administrator)

    assert browser.get(f"/agents/{agent.id}/open").status_code == 302
    browser.sign_in(person(ada))
    assert browser.get(f"/agents/{agent.id}/open").status_code == 403


def test_an_agent_that_is_switched_off_or_asks_for_more_closes_at_once(browser, a_user):
    agent = an_agent(requires="guest")
    browser.sign_in(person(a_user(approved="guest")))
    path = f"/agents/{agent.id}/open"
    assert browser.get(path).status_code == 303

    with transaction():
        db.session.scalars(select(Agent)).one().access_level = level("standard")
    assert browser.get(path).status_code == 403
    with transaction():
        db.session.scalars(select(Agent)).one().enabled = False
    assert browser.get(path).status_code == 404


def test_the_gate_itself_asks_for_all_three(a_user, manager):
    """Approved, a level that reaches, an agent that is on: whoever asks, also without a page."""
    agent, off = an_agent("On", requires="guest"), an_agent("Off", requires="guest", enabled=False)
    ada = a_user(approved="standard")

    assert catalogue.may_open(ada, agent)
    assert not catalogue.may_open(ada, off)
    assert not catalogue.may_open(a_user(confirmed=True), agent)
    with transaction():
        suspend(ada, by=manager)
    assert not catalogue.may_open(ada, agent)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://example.org",
        "//example.org",
        "/local",
        "https://",
        "https://exa mple.org",
        "https://example.org\n",
        "java\tscript:alert(1)",
        "https://[",
        "",
    ],
)
def test_an_agent_leads_to_a_web_address_only(administrator, url):
    """A link that comes from staff hands waits for somebody's click (architecture, trap 6)."""
    with pytest.raises(StepRefused, match="https"):
        catalogue.edit_agent(
            None,
            name="Trap",
            description="",
            url=url,
            kind="app",
            enabled=True,
            access_level=level("guest"),
            by=administrator,
        )
