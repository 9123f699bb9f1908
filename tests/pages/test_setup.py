"""Set-up: the one-time link with which staff make their own account; no default account (H)."""

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from portal import clock
from portal.accounts import roles, staff_invitation
from portal.accounts.roles import Role
from portal.accounts.staff_invitation import StaffInvitation
from portal.accounts.user import Status, User
from portal.database import db, transaction
from tests.crowd import together
from tests.pages import filled_in
from tests.people import PASSWORD, Person

GRACE = {
    "full_name": "Grace Hopper",
    "username": "grace",
    "email": "grace@example.org",
    **filled_in.new_password(PASSWORD),
}


def invite(role="administrator", **known) -> str:
    with transaction():
        wanted = db.session.scalars(select(Role).filter_by(name=role)).one()
        return f"/setup/{staff_invitation.invite(role=wanted, **known)}"


@pytest.mark.both_databases(everyday="sqlite")
def test_a_fresh_portal_has_nobody_and_no_way_in(app, browser):
    """H: an address of the administrator, or a password, in the code."""
    assert db.session.scalar(select(func.count()).select_from(User)) == 0
    assert not roles.administrator_exists()
    for identity in ("admin", "administrator", "root", "admin@example.org", "admin@localhost"):
        for password in ("admin", "password", "change-me", ""):
            answer = browser.submit("/login", identity=identity, password=password)
            assert answer.status_code in (200, 429)


@pytest.mark.both_databases(everyday="sqlite")
def test_the_link_makes_the_first_administrator_by_the_button(browser):
    link = invite()
    for _ in range(2):
        assert browser.get(link).status_code == browser.head(link).status_code == 200
    assert db.session.scalar(select(func.count()).select_from(User)) == 0

    answer = browser.submit(link, **GRACE)

    grace = db.session.scalars(select(User)).one()
    assert answer.headers["Location"] == "/login"
    assert grace.status is Status.APPROVED
    assert [role.name for role in grace.roles] == ["administrator"]
    assert grace.access_level is not None
    assert roles.administrator_exists()
    browser.sign_in(Person("grace"))
    assert browser.get("/admin/").status_code == 200


def test_what_the_invitation_knows_stands_in_the_form(browser):
    page = browser.get(invite("reviewer", email="eve@example.org", username="eve"))

    assert 'value="eve@example.org"' in page.get_data(as_text=True)
    assert 'value="eve"' in page.get_data(as_text=True)
    assert "reviewer" in page.get_data(as_text=True)


def test_the_link_works_once_for_an_hour_and_unaltered(browser):
    link = invite()
    with time_machine.travel(clock.now() + timedelta(minutes=61)):
        late = browser.get(link)
    assert late.status_code == 400
    assert browser.get(f"{link[:-3]}AAA").status_code == 400
    assert browser.get("/setup/x").status_code == 400

    browser.submit(link, **GRACE)

    assert browser.get(link).status_code == 400
    posted = browser.post(link, data={"csrf_token": browser.token("/login"), **GRACE})
    assert posted.status_code == 400
    assert db.session.scalar(select(func.count()).select_from(User)) == 1


def test_a_newer_link_for_the_same_role_ends_the_older(browser):
    other = invite("reviewer")
    older, newer = invite(), invite()

    assert browser.get(older).status_code == 400
    assert browser.get(newer).status_code == browser.get(other).status_code == 200


@pytest.mark.both_databases(everyday="sqlite")
def test_a_newer_link_for_the_same_person_ends_the_older_whatever_their_roles(browser):
    """Somebody was invited to too much, and then to the right role."""
    others = [invite("reviewer"), invite("reviewer", email="eve@example.org")]
    older = invite("administrator", email="Grace@example.org")
    newer = invite("reviewer", email="grace@example.org")

    assert browser.get(older).status_code == 400
    for link in (newer, *others):
        assert browser.get(link).status_code == 200


def test_once_somebody_joined_no_link_for_anybody_leads_to_their_role(browser):
    """The link of the first start is of no use once an administrator was invited by name."""
    for_anybody, for_reviewers = invite(), invite("reviewer")

    browser.submit(invite(email="grace@example.org"), **GRACE)

    assert browser.get(for_anybody).status_code == 400
    assert browser.get(for_reviewers).status_code == 200


def test_the_token_itself_is_kept_nowhere(app):
    """ASVS 11.5.1: the row holds a hash; the audit trail holds nothing of it."""
    token = invite().rpartition("/")[2]

    kept = db.session.scalars(select(StaffInvitation)).one()

    assert token not in repr(vars(kept))
    assert len(token) >= 43


@pytest.mark.parametrize(
    ("field", "value"),
    [("password", "short"), ("password_again", "other"), ("email", "x"), ("username", "a b")],
)
def test_the_form_obeys_the_rules_of_every_account(browser, field, value):
    answer = browser.submit(invite(), **{**GRACE, field: value})

    assert answer.status_code == 400
    assert db.session.scalar(select(func.count()).select_from(User)) == 0


@pytest.mark.parametrize("field", ["email", "username"])
def test_a_name_that_is_taken_says_so(browser, a_user, field):
    """Whoever holds this link is staff to be: here the truth may be told."""
    a_user(approved=True, username="ada", email="ada@example.org")
    taken = {"email": "ADA@example.org", "username": "ADA"}[field]

    answer = browser.submit(invite(), **{**GRACE, field: taken})

    assert answer.status_code == 400
    assert "taken" in answer.get_data(as_text=True) or "exists" in answer.get_data(as_text=True)


@pytest.mark.both_databases(everyday="postgresql")
@pytest.mark.settings(PORTAL_LIMITS_ENABLED="false")
def test_one_link_used_by_sixteen_at_once_makes_one_account(app, new_browser):
    link = invite()
    browsers = [new_browser() for _ in range(16)]
    tokens = [browser.token(link) for browser in browsers]

    def accept(number):
        data = {
            **GRACE,
            "csrf_token": tokens[number],
            "username": f"grace{number}",
            "email": f"grace{number}@example.org",
        }
        return lambda: browsers[number].post(link, data=data).status_code

    answers = together(accept(number) for number in range(16))

    assert sorted(answers) == [303] + [400] * 15
    assert db.session.scalar(select(func.count()).select_from(User)) == 1
