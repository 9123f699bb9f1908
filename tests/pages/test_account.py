"""The account page: preferences, and when one last signed in from where (M6)."""

from datetime import UTC, datetime

import pytest
import time_machine
from sqlalchemy import select

from portal.accounts.user import Communication
from portal.audit import Action, AuditEntry
from portal.database import db
from tests.people import PASSWORD, person

PREFERENCES = {
    "full_name": "Augusta Ada King",
    "language": "de",
    "time_zone": "Europe/Berlin",
    "communication": "none",
    "theme": "dark",
}


@pytest.mark.both_databases(everyday="sqlite")
def test_a_person_keeps_their_own_preferences(browser, a_user):
    ada = a_user(approved=True)
    browser.sign_in(person(ada))

    answer = browser.submit("/account", **PREFERENCES)
    browser.submit("/account", **PREFERENCES)

    db.session.refresh(ada)
    assert answer.status_code == 303
    assert {name: getattr(ada, name) for name in PREFERENCES} == PREFERENCES
    entries = db.session.scalars(select(AuditEntry).filter_by(action=Action.PREFERENCES_CHANGED))
    assert [entry.details for entry in entries] == [{"changed": sorted(PREFERENCES)}]
    page = browser.get("/account").get_data(as_text=True)
    assert '<html lang="de"' in page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("full_name", ""),
        ("full_name", "x" * 121),
        ("full_name", "Ada\u202e"),
        ("language", "xx"),
        ("language", "../de"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("communication", "sometimes"),
        ("theme", "pink"),
    ],
)
def test_a_preference_that_does_not_exist_is_refused(browser, a_user, field, value):
    ada = a_user(approved=True)
    browser.sign_in(person(ada))
    before = getattr(ada, field)

    answer = browser.submit("/account", **{**PREFERENCES, field: value})

    db.session.refresh(ada)
    assert answer.status_code == 400
    assert getattr(ada, field) == before


def test_nothing_else_can_be_set_through_the_form(browser, a_user):
    ada = a_user(approved="guest", username="ada", email="ada@example.org")
    browser.sign_in(person(ada))

    browser.submit(
        "/account",
        **PREFERENCES,
        username="root",
        email="eve@example.org",
        access_level="3",
        access_level_id="3",
        is_admin="1",
        password="x",
        id="1",
    )

    db.session.refresh(ada)
    assert (ada.username, ada.email) == ("ada", "ada@example.org")
    assert ada.access_level.name == "guest"
    assert ada.roles == []
    assert ada.communication == Communication.NONE.value


def test_the_page_shows_this_sign_in_and_the_one_before(browser, new_browser, a_user):
    ada = a_user(approved=True)
    for day, address in ((1, "198.51.100.1"), (2, "203.0.113.77")):
        with time_machine.travel(datetime(2026, 3, day, 9, tzinfo=UTC), tick=False):
            browser = new_browser()
            fields = {"identity": ada.username, "password": PASSWORD}
            data = {"csrf_token": browser.token("/login"), **fields}
            browser.post("/login", data=data, environ_base={"REMOTE_ADDR": address})
            page = browser.get("/account").get_data(as_text=True)

    assert "198.51.100.1" in page
    assert "203.0.113.77" in page
    assert "2026-03-01T09:00" in page
    assert "2026-03-02T09:00" in page


def test_the_look_is_kept_with_the_account_and_in_a_cookie_for_visitors(
    browser, new_browser, a_user
):
    ada = a_user(approved=True)
    browser.sign_in(person(ada))

    browser.submit("/account", to="/appearance", theme="dark")
    visitor = new_browser()
    visitor.submit("/login", to="/appearance", theme="light")
    visitor.submit("/login", to="/appearance", theme="pink")

    db.session.refresh(ada)
    assert ada.theme == "dark"
    assert 'data-bs-theme="dark"' in browser.get("/").get_data(as_text=True)
    assert 'data-bs-theme="light"' in visitor.get("/login").get_data(as_text=True)
