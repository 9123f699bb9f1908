"""Wild input (ASVS 1.3, 2.2.1, 15.3): nothing that is sent to any endpoint makes a 500."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import BuildError, Rule

from tests.conftest import Browser
from tests.people import People
from tests.security.wild import WILD, Walk
from tests.world import World, world_of

# Wild values for each place: one of them every day, and each in the long run.
EVERYDAY = 1

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.both_databases(everyday="postgresql"),
    pytest.mark.settings(PORTAL_LIMITS_ENABLED="false"),
]

everyday_and_all = pytest.mark.parametrize(
    "count",
    [EVERYDAY, pytest.param(len(WILD), marks=[pytest.mark.long, pytest.mark.timeout(1800)])],
)


# Some of what each of them has to come by, so that no walk ends before the door.
LOOKED_AT = {
    "nobody": {"/register", "/login", "/confirm/#", "/reset/#", "/setup/#", "/status/#"},
    "pending": {"/status", "/language"},
    "approved": {"/account", "/change", "/change-email", "/change-username", "/verify"},
    "administrator": {"/admin/registrations/", "/admin/accounts/#", "/admin/audit/"},
}
SENT_TO = {
    "nobody": {"/register", "/login", "/confirm", "/reset/#", "/setup/#", "/status/#/withdrawal"},
    "pending": {"/status", "/appearance"},
    "approved": {"/account", "/change", "/change-email", "/change-username", "/verify"},
    "administrator": {
        "/admin/registrations/approval",
        "/admin/registrations/bulk",
        "/admin/accounts/#/roles",
        "/admin/accounts/#/notes",
        "/admin/agents/new",
        "/admin/roles/#",
        "/admin/mail/attempt",
        "/admin/workplace/keys",
    },
}


@pytest.fixture
def world(app: Flask, people: People) -> World:
    return world_of(people, "en")


@everyday_and_all
@pytest.mark.parametrize(
    "who",
    [
        "nobody",
        *(pytest.param(who, marks=[pytest.mark.long]) for who in SENT_TO if who != "nobody"),
    ],
)
def test_nothing_that_is_sent_makes_an_error(
    app: Flask, world: World, new_browser: Callable[[], Browser], who: str, count: int
) -> None:
    walk = Walk.of(world, who, new_browser, count)
    of_staff = who == "administrator"
    addresses = [
        address
        for address in world.addresses(app)
        if address.startswith("/admin/") == of_staff and (who == "nobody" or _is_own(address))
    ]

    walk.past(addresses)
    if who in ("nobody", "administrator"):
        walk.past_every_rule(lambda rule: _address(app, world, rule, of_staff=of_staff))

    assert walk.is_still_in()
    assert walk.looked_at >= LOOKED_AT[who]
    assert walk.sent_to >= SENT_TO[who]


def _is_own(address: str) -> bool:
    """Whether it is about who is signed in: what mailed links lead to is everybody's."""
    return not re.match(r"/(confirm|reset|setup|register|status)/.", address)


def _address(app: Flask, world: World, rule: Rule, *, of_staff: bool) -> str | None:
    """Where this rule leads to something, on their side of the portal."""
    if rule.rule.startswith("/admin/") != of_staff:
        return None
    values: dict[str, Any] = {
        name: world.samples.get(f"{rule.endpoint}.{name}", world.samples.get(name, ["1"]))[0]
        for name in rule.arguments
    }
    try:
        return app.url_map.bind("127.0.0.1:8000").build(rule.endpoint, values)
    except BuildError:
        return None
