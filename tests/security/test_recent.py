"""Recent proof: what asks for the password again, and how nothing that was typed is lost by it."""

from datetime import datetime, timedelta

import pytest
import time_machine

from portal import clock
from portal.accounts.session import UserSession
from portal.database import db
from portal.security import recent
from tests.people import PASSWORD, person
from tests.security.walk import Site, everything_kept


@pytest.fixture
def later():
    """Past the time for which somebody counts as recently proved, and within the idle time."""
    with time_machine.travel(clock.now() + timedelta(minutes=11)):
        yield


@pytest.fixture
def ada(a_user, browser):
    ada = a_user(approved=True, username="ada", email="ada@example.org")
    browser.sign_in(person(ada))
    return ada


def proof() -> tuple[datetime, str]:
    """When and with what the one person who is signed in showed that it is them."""
    db.session.rollback()
    db.session.expire_all()
    row = db.session.scalars(db.select(UserSession)).one()
    return row.proved_at, row.proved_by


def test_the_table_names_what_there_is_and_every_file_that_leaves_the_portal(app):
    files = {rule.endpoint for rule in app.url_map.iter_rules() if rule.rule.endswith(".csv")}

    assert set(app.view_functions) >= recent.ENDPOINTS
    assert files <= recent.ENDPOINTS, "not in portal/security/recent.py"


@pytest.mark.settings(PORTAL_LIMITS_ENABLED="false")  # more pages than one may try at once
def test_everything_in_the_table_asks_who_is_there_and_lets_nobody_pass_before(
    app, people, browser, administrator
):
    site = Site.furnished(app, people)
    browser.sign_in(person(administrator))
    token = browser.token("/account")
    before = everything_kept()
    walked = set()

    with time_machine.travel(clock.now() + timedelta(minutes=11)):
        for rule in site.app.url_map.iter_rules():
            if rule.endpoint not in recent.ENDPOINTS:
                continue
            address = site.address(rule)
            for look in (browser.get, browser.head):
                wanted = look(address).headers["Location"]
                assert wanted.startswith(f"/verify?next={address}"), rule
            if "POST" in rule.methods:
                fields = {"csrf_token": token, "name": "Kept <&>", recent.FIELD: "wrong"}
                asked = browser.post(address, data={**fields, recent.FIELD: ""})
                unasked = browser.post(address, data={"csrf_token": token, "name": "Kept <&>"})
                assert [asked.status_code, unasked.status_code] == [400, 403], rule
                for page in (asked.get_data(as_text=True), unasked.get_data(as_text=True)):
                    assert 'name="name" value="Kept &lt;&amp;&gt;"' in page, rule
            walked.add(rule.endpoint)

    after = everything_kept()
    assert walked == recent.ENDPOINTS
    assert {name for name in after if after[name] != before[name]} <= {"sessions"}, "seen, no more"


@pytest.mark.both_databases(everyday="sqlite")
def test_who_shows_the_password_comes_back_to_the_form_under_another_id(
    browser, new_browser, ada, later
):
    """ASVS 7.2.4, 7.5.1: the id of before is worth nothing."""
    way = browser.get("/change-username").headers["Location"]
    copied = browser.cookie("portal_session")

    answer = browser.submit(way, password=PASSWORD)

    assert answer.headers["Location"] == "/change-username"
    assert browser.get("/change-username").status_code == 200
    assert browser.submit("/change-username", username="augusta").status_code == 303
    thief = new_browser()
    thief.take("portal_session", copied)
    assert thief.get("/account").status_code == 302
    assert clock.now() - proof()[0] < timedelta(minutes=1)


def test_a_form_that_was_open_for_too_long_goes_on_with_all_that_was_typed(browser, ada):
    start, token = clock.now(), browser.token("/change-username")

    with time_machine.travel(start + timedelta(minutes=11)):
        data = {"csrf_token": token, "username": "augusta"}
        asked = browser.post("/change-username", data=data)
        page = asked.get_data(as_text=True)
        assert asked.status_code == 403
        assert 'name="username" value="augusta"' in page
        assert page.count('name="csrf_token"') >= 1

        wrong = browser.post("/change-username", data={**data, recent.FIELD: "no"})
        assert wrong.status_code == 400
        assert "This is not your password." in wrong.get_data(as_text=True)
        assert 'name="username" value="augusta"' in wrong.get_data(as_text=True)
        done = browser.post("/change-username", data={**data, recent.FIELD: PASSWORD})

    db.session.refresh(ada)
    assert done.status_code == 303
    assert ada.username == "augusta"


def test_the_page_keeps_no_password_and_shows_none(browser, ada, later):
    secret = {"password": "Quiet-harbour 77", "password_again": "Quiet-harbour 77"}
    data = {"csrf_token": browser.token("/account"), "username": "augusta", **secret}

    for typed in ({}, {recent.FIELD: "Wrong-harbour 78"}):
        page = browser.post("/change-username", data={**data, **typed}).get_data(as_text=True)
        assert "harbour" not in page


def test_several_values_of_one_name_are_all_kept(browser, a_user, administrator, later):
    browser.sign_in(person(administrator))
    with time_machine.travel(clock.now() + timedelta(minutes=11)):
        way = f"/admin/accounts/{a_user(approved=True).id}/roles"
        data = {"csrf_token": browser.token("/account"), "roles": ["1", "2"]}
        page = browser.post(way, data=data).get_data(as_text=True)

    for value in ("1", "2"):
        assert f'name="roles" value="{value}"' in page


@pytest.mark.settings(PORTAL_LIMITS_CHANGE_ACCOUNT="3 per hour")
def test_passwords_cannot_be_tried_there_without_end(browser, ada, later):
    data = {"csrf_token": browser.token("/account"), "username": "augusta"}

    answers = [
        browser.post("/change-username", data={**data, recent.FIELD: f"no {number}"})
        for number in range(4)
    ]
    right = browser.post("/change-username", data={**data, recent.FIELD: PASSWORD})

    assert [answer.status_code for answer in answers] == [400, 400, 400, 429]
    assert right.status_code == 429
    assert int(right.headers["Retry-After"]) > 0
    assert 'name="username" value="augusta"' in right.get_data(as_text=True)


def test_a_password_without_the_token_of_the_form_proves_nothing(browser, ada, later):
    before = proof()

    answer = browser.post("/change-username", data={"username": "x", recent.FIELD: PASSWORD})

    assert answer.status_code == 400
    assert proof() == before


def test_after_the_password_a_file_is_offered_from_a_page_that_leads_back(browser, administrator):
    browser.sign_in(person(administrator))
    with time_machine.travel(clock.now() + timedelta(minutes=11)):
        way = browser.get("/admin/accounts/export.csv?q=a").headers["Location"]
        page = browser.submit(way, password=PASSWORD)
        file = browser.get("/admin/accounts/export.csv?q=a")

    assert page.headers["Refresh"] == "0; url=/admin/accounts/export.csv?q=a"
    assert 'href="/admin/accounts/"' in page.get_data(as_text=True)
    assert file.mimetype == "text/csv"


def test_changing_the_password_is_a_proof_and_moving_to_another_address_is_none(browser, ada):
    start = proof()[0]
    fields = {"password": "Quiet-harbour 77", "password_again": "Quiet-harbour 77"}

    with time_machine.travel(start + timedelta(minutes=20), tick=False):
        browser.submit("/change", current_password=PASSWORD, **fields)
        assert proof() == (start + timedelta(minutes=20), "password")
        assert browser.get("/change-email").status_code == 200
