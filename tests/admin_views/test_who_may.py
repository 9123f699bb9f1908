"""Who may see and do what in the staff panel: every endpoint, for everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from portal.accounts.user import User
from portal.database import db, transaction
from portal.desk import saved_filter
from tests.admin_views.panel import a_busy_portal, everything
from tests.conftest import Browser
from tests.people import level, person

# The weakest role that each page is open to. A page that is missing here fails a test.
WEAKEST = {
    "dashboard.index": "reviewer",
    "registrations.index": "reviewer",
    "registrations.approval": "reviewer",
    "registrations.rejection": "reviewer",
    "registrations.reopening": "reviewer",
    "registrations.confirmation_mail": "reviewer",
    "registrations.question": "reviewer",
    "registrations.undo": "reviewer",
    "registrations.review": "reviewer",
    "registrations.letter": "reviewer",
    "registrations.claim": "reviewer",
    "registrations.claims": "reviewer",
    "registrations.saved_filters": "reviewer",
    "registrations.choose_columns": "reviewer",
    "registrations.new_filter": "reviewer",
    "registrations.saved_filter": "reviewer",
    "registrations.filter_removal": "reviewer",
    "registrations.export": "reviewer",
    "registrations.bulk": "reviewer",
    "registrations.progress": "reviewer",
    "registrations.undo_bulk": "reviewer",
    "figures.index": "reviewer",
    "figures.export": "reviewer",
    "figures.export_reviewers": "reviewer",
    "accounts.index": "reviewer",
    "accounts.account": "reviewer",
    "accounts.export": "reviewer",
    "accounts.confirmation_by_hand": "reviewer",
    "accounts.alarm": "reviewer",
    "accounts.denial": "reviewer",
    "accounts.notes": "reviewer",
    "accounts.note_removal": "reviewer",
    "accounts.mention": "reviewer",
    "workplace.index": "reviewer",
    "workplace.keys": "reviewer",
    "accounts.access_level": "manager",
    "accounts.sessions": "manager",
    "accounts.sign_ins": "manager",
    "accounts.suspension": "manager",
    "accounts.reinstatement": "manager",
    "accounts.erasure": "manager",
    "accounts.factors_reset": "manager",
    "accounts.roles": "administrator",
    "access_levels.index": "manager",
    "access_levels.new": "manager",
    "access_levels.edit": "manager",
    "access_levels.removal": "manager",
    "access_levels.export": "manager",
    "texts.index": "manager",
    "texts.new": "manager",
    "texts.edit": "manager",
    "texts.removal": "manager",
    "texts.export": "manager",
    "agents.index": "manager",
    "agents.new": "manager",
    "agents.edit": "manager",
    "agents.removal": "manager",
    "agents.export": "manager",
    "mail.index": "manager",
    "mail.attempt": "manager",
    "mail.export": "manager",
    "mail.silence": "manager",
    "audit_trail.index": "manager",
    "audit_trail.export": "manager",
    "roles.index": "administrator",
    "roles.edit": "administrator",
    "roles.export": "administrator",
}
LADDER = ["visitor", "pending", "approved", "reviewer", "manager", "administrator"]


@pytest.fixture
def panel(app: Flask, a_user: Callable[..., User]) -> dict[str, User]:
    """Something on every page."""
    return a_busy_portal(a_user)


def endpoints(app: Flask) -> list[Any]:
    """Every address of the panel."""
    return [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/admin")]


def address(rule: Any, panel: dict[str, User]) -> str:
    """The address with ids of rows that are there."""
    values = {"user_id": panel["approved"].id, "level_id": 1, "role_id": 1, "agent_id": 1}
    values["text_id"] = values["note_id"] = values["filter_id"] = values["bulk_id"] = 1
    adapter = rule.map.bind("localhost")
    path: str = adapter.build(
        rule.endpoint, {name: values[name] for name in rule.arguments}, force_external=False
    )
    return path + f"?ids={panel['pending'].id}&deed=approval"


def test_every_page_of_the_panel_is_in_the_table_above(app):
    assert {rule.endpoint for rule in endpoints(app)} == set(WEAKEST)


@pytest.mark.parametrize("who", LADDER)
def test_a_page_opens_to_its_role_and_those_above_and_to_nobody_else(
    app, panel, people, new_browser, who
):
    browser = _browser_of(who, people, panel, new_browser)
    for rule in endpoints(app):
        if "GET" not in rule.methods:
            continue
        answer = browser.get(address(rule, panel))

        wanted = {"visitor": "/login", "pending": "/status"}.get(who)
        if wanted:
            assert answer.status_code == 302, rule.endpoint
            assert answer.location.partition("?")[0] == wanted, rule.endpoint
        else:
            opens = LADDER.index(who) >= LADDER.index(WEAKEST[rule.endpoint])
            assert answer.status_code == (200 if opens else 403), rule.endpoint


@pytest.mark.parametrize("who", LADDER[:-1])
def test_nobody_below_its_role_changes_anything_by_sending_a_form(
    app, panel, people, new_browser, who
):
    browser = _browser_of(who, people, panel, new_browser)
    token = browser.token("/account" if who in LADDER[2:] else "/language")
    for rule in endpoints(app):
        allowed = LADDER.index(who) >= LADDER.index(WEAKEST[rule.endpoint])
        if "POST" not in rule.methods or allowed:
            continue
        before = everything()

        answer = browser.post(
            address(rule, panel), data={"csrf_token": token, "ids": str(panel["pending"].id)}
        )

        assert answer.status_code == (302 if who == "visitor" else 403), rule.endpoint
        assert everything() == before, rule.endpoint


def test_no_form_is_taken_without_its_csrf_token(app, panel, administrator, signed_in):
    browser = signed_in(administrator)
    for rule in endpoints(app):
        if "POST" not in rule.methods:
            continue
        before = everything()

        for token in ({}, {"csrf_token": "x"}, {"csrf_token": ""}):
            data = token | {"ids": str(panel["pending"].id), "level": "2"}
            assert browser.post(address(rule, panel), data=data).status_code == 400

        assert everything() == before, rule.endpoint


def test_looking_at_a_page_changes_nothing(app, panel, people, new_browser):
    browser = _browser_of("administrator", people, panel, new_browser)
    before = everything()
    for rule in endpoints(app):
        if "GET" in rule.methods:
            assert browser.get(address(rule, panel)).status_code == 200
            assert browser.head(address(rule, panel)).status_code == 200
        else:
            assert browser.get(address(rule, panel)).status_code == 405

    assert everything() == before


@pytest.mark.parametrize("role", ["reviewer", "manager"])
def test_the_menu_shows_only_what_opens(app, people, signed_in, role):
    page = signed_in(people.staff(role)).get("/admin/").get_data(as_text=True)

    for endpoint, weakest in WEAKEST.items():
        if endpoint.endswith(".index"):
            path = app.url_map.bind("localhost").build(endpoint)
            shown = f'<li><a href="{path}"' in page
            assert shown == (LADDER.index(role) >= LADDER.index(weakest)), endpoint


def test_staff_who_lose_their_role_lose_the_panel_at_once(people, administrator, signed_in):
    reviewer = people.staff("reviewer")
    browser, admins = signed_in(reviewer), signed_in(administrator)

    admins.submit(f"/admin/accounts/{reviewer.id}/roles", ids=str(reviewer.id))

    assert browser.get("/admin/").status_code == 302
    browser.sign_in(person(reviewer))
    assert browser.get("/admin/").status_code == 403


STEPS = ["suspension", "erasure", "reinstatement", "access-level", "roles"]


@pytest.mark.parametrize("step", STEPS)
def test_nobody_changes_somebody_above_them_or_themselves(
    panel, people, manager, administrator, signed_in, step
):
    above, role = administrator, manager
    if step == "roles":  # which only administrators may open at all
        above, role = administrator, administrator
    browser = signed_in(role)
    token = browser.token("/account")
    for target in {above.id, role.id}:
        before = everything()

        answer = browser.post(
            f"/admin/accounts/{target}/{step}",
            data={"csrf_token": token, "ids": str(target), "level": "1", "roles": ["1"]},
        )

        # to reinstate whom nobody suspended is the same step again, and quiet
        assert answer.status_code == (303 if step == "reinstatement" else 409)
        assert everything() == before
        shown = browser.get(f"/admin/accounts/{target}").get_data(as_text=True)
        assert f"/admin/accounts/{target}/{step}" not in shown


def test_nobody_gives_a_level_above_what_their_role_gives(panel, reviewer, signed_in):
    browser = signed_in(reviewer)
    page = browser.get(f"/admin/registrations/approval?ids={panel['pending'].id}").text
    assert ">extended<" not in page
    before = everything()

    answer = browser.submit(
        f"/admin/registrations/approval?ids={panel['pending'].id}",
        to="/admin/registrations/approval",
        ids=str(panel["pending"].id),
        level=str(level("extended").id),
    )

    assert answer.status_code == 400
    assert everything() == before


def _browser_of(
    who: str, people: Any, panel: dict[str, User], new_browser: Callable[[], Browser]
) -> Browser:
    browser = new_browser()
    if who in panel:
        browser.sign_in(person(db.session.merge(panel[who])))
    elif who != "visitor":
        user = people.staff(who)
        with transaction():
            saved_filter.save("tab=asked", name="Asked", by=user)
        browser.sign_in(person(user))
    return browser
