"""Roles in the panel: an administrator edits those below their own, and no other."""

from __future__ import annotations

from sqlalchemy import select

from portal.accounts.roles import Role
from portal.audit import Action
from portal.database import db
from tests.admin_views.panel import entries, everything, words
from tests.people import level


def role(name: str) -> Role:
    db.session.rollback()
    return db.session.scalars(select(Role).filter_by(name=name)).one()


def test_roles_are_listed_highest_first_and_those_below_can_be_edited(administrator, signed_in):
    page = signed_in(administrator).get("/admin/roles/")

    text = words(page)
    assert text.index("administrator 30") < text.index("manager 20") < text.index("reviewer 10")
    assert f'href="/admin/roles/{role("manager").id}"' in page.text
    assert f'href="/admin/roles/{role("administrator").id}"' not in page.text


def test_a_role_is_changed_at_once_for_those_who_have_it(administrator, people, signed_in):
    reviewers, browser = signed_in(people.staff("reviewer")), signed_in(administrator)
    assert reviewers.get("/admin/mail/").status_code == 403

    answer = browser.submit(
        f"/admin/roles/{role('reviewer').id}",
        description="Reads mail, too",
        permissions=["review", "manage"],
        grants_up_to=level("guest").id,
    )

    assert answer.status_code == 303
    assert role("reviewer").permissions == ["manage", "review"]
    assert role("reviewer").grants_up_to == level("guest")
    assert entries(Action.ROLE_EDITED)[0].details["after"]["grants_up_to"] == "guest"
    assert reviewers.get("/admin/mail/").status_code == 200


def test_a_role_may_give_no_level_at_all(administrator, signed_in):
    signed_in(administrator).submit(
        f"/admin/roles/{role('reviewer').id}", permissions=["review"], grants_up_to="0"
    )

    assert role("reviewer").grants_up_to is None


def test_nobody_edits_a_role_of_their_own(administrator, signed_in):
    path, browser = f"/admin/roles/{role('administrator').id}", signed_in(administrator)
    assert "You cannot edit a role of your own" in words(browser.get(path))
    before = everything()

    answer = browser.submit(path, permissions=["review", "administer"], grants_up_to="0")

    assert answer.status_code == 400
    assert everything() == before


def test_a_permission_or_level_that_does_not_exist_is_refused(administrator, signed_in):
    path, browser = f"/admin/roles/{role('reviewer').id}", signed_in(administrator)
    before = everything()
    for fields in (
        {"permissions": ["everything"], "grants_up_to": "0"},
        {"permissions": ["review"], "grants_up_to": "4711"},
        {"permissions": ["review"], "grants_up_to": "abc"},
        {"permissions": ["review"], "grants_up_to": "9" * 30},
    ):
        assert browser.submit(path, **fields).status_code == 400

    assert everything() == before
