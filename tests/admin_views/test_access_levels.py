"""Access levels in the panel: made, changed, removed, and what is wrong said beside its field."""

from __future__ import annotations

from typing import Any

import pytest

from portal.accounts import access
from portal.accounts.roles import Role
from portal.audit import Action
from portal.database import db
from tests.admin_views.panel import entries, everything, words
from tests.people import level

NEW = "/admin/access-levels/new"


def names() -> list[str]:
    db.session.rollback()
    return [each.name for each in access.levels()]


def test_levels_are_listed_lowest_first(manager, signed_in):
    page = words(signed_in(manager).get("/admin/access-levels/"))

    assert page.index("guest 10") < page.index("standard 20") < page.index("extended 30")


def test_a_level_is_made(manager, signed_in):
    browser = signed_in(manager)

    answer = browser.submit(NEW, name=" partner ", rank="25", description="From outside")

    assert (answer.status_code, answer.location) == (303, "/admin/access-levels/")
    assert names() == ["guest", "standard", "partner", "extended"]
    after = {"name": "partner", "rank": 25, "offered": False}
    assert entries(Action.LEVEL_EDITED)[0].details["after"] == after


def test_a_level_is_changed(manager, signed_in):
    path = f"/admin/access-levels/{level('guest').id}"
    browser = signed_in(manager)
    assert 'value="guest"' in browser.get(path).text

    browser.submit(path, name="visitor", rank="5", description="")

    assert names() == ["visitor", "standard", "extended"]


@pytest.mark.both_databases(everyday="sqlite")
@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"name": "guest", "rank": "29"}, "name", "This name is taken."),
        ({"name": "other", "rank": "20"}, "rank", "Another level has this rank."),
        ({"name": "", "rank": "29"}, "name", "Enter a name."),
        ({"name": "x" * 61, "rank": "29"}, "name", "Shorten this to 60 characters."),
        ({"name": "a\0b", "rank": "29"}, "name", "cannot be shown"),
        ({"name": "other", "rank": "0"}, "rank", "Enter a number between 1 and"),
        ({"name": "other", "rank": "9" * 30}, "rank", "Enter a number between 1 and"),
        ({"name": "other", "rank": "many"}, "rank", "Not a valid integer"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(manager, signed_in, fields, field, sentence):
    browser = signed_in(manager)
    before = everything()

    answer = browser.submit(NEW, **fields, description="Kept")

    assert answer.status_code == 400
    assert sentence in words(answer)
    assert f'href="#{field}"' in answer.text
    assert "Kept" in answer.text
    assert "<title>Error: " in answer.text
    assert everything() == before


def test_a_level_that_nobody_has_is_removed_after_a_question(manager, signed_in):
    browser = signed_in(manager)
    browser.submit(NEW, name="partner", rank="25")
    path = f"/admin/access-levels/{level('partner').id}/removal"
    assert "The access level partner will be gone." in words(browser.get(path))

    browser.submit(path)

    assert "partner" not in names()
    assert entries(Action.LEVEL_REMOVED)[0].details == {"name": "partner", "rank": 25}


def test_a_level_in_use_stays_and_says_how_many_use_it(a_user, manager, signed_in):
    a_user(approved="guest")
    path = f"/admin/access-levels/{level('guest').id}/removal"

    answer = signed_in(manager).submit(path)

    assert answer.status_code == 409
    assert "1 accounts, roles or agents use this level." in words(answer)
    assert "guest" in names()


@pytest.mark.both_databases(everyday="postgresql")
def test_a_level_that_came_into_use_at_the_last_moment_stays(
    a_user, manager, signed_in, monkeypatch
):
    a_user(approved="guest")
    monkeypatch.setattr(access, "_uses", lambda _level: 0)

    answer: Any = signed_in(manager).submit(f"/admin/access-levels/{level('guest').id}/removal")

    assert answer.status_code == 409
    assert "Somebody changed this at the same moment." in words(answer)
    assert "guest" in names()


def test_nobody_edits_a_level_above_what_their_role_gives(administrator, manager, signed_in):
    role = db.session.scalars(db.select(Role).filter_by(name="manager")).one()
    signed_in(administrator).submit(
        f"/admin/roles/{role.id}",
        permissions=["review", "manage"],
        grants_up_to=level("standard").id,
    )
    path, browser = f"/admin/access-levels/{level('extended').id}", signed_in(manager)
    before = everything()

    page = browser.get("/admin/access-levels/").text
    changed = browser.submit(path, name="extended", rank="15", description="")
    removed = browser.submit(f"{path}/removal")

    assert f'href="{path}"' not in page
    assert f'href="/admin/access-levels/{level("standard").id}"' in page
    assert (changed.status_code, removed.status_code) == (400, 409)
    assert everything() == before


def test_a_level_that_is_gone_has_no_page(manager, signed_in):
    browser = signed_in(manager)
    for path in ("4711", "4711/removal", "0", "abc", "9" * 30):
        assert browser.get(f"/admin/access-levels/{path}").status_code == 404
