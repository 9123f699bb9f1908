"""Links in mails: bound, dated, on the public address, and kept in clear nowhere (H)."""

from urllib.parse import unquote

import pytest
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import select

from portal import links
from portal.database import db
from portal.links import LinkState
from tests.pages import filled_in
from tests.pages.letters import link_in_last_mail


def token_of(link: str) -> str:
    return link.rpartition("/")[2]


@pytest.mark.both_databases(everyday="postgresql")
def test_no_link_and_no_token_of_one_lies_in_the_database_in_clear(browser, a_user):
    """H: confirmation token stored in clear. Whoever reads the database can confirm nothing."""
    a_user(approved=True, email="eve@example.org")
    browser.submit("/register", **filled_in.registration())
    browser.submit("/reset", email="eve@example.org")
    tokens = [
        token_of(link_in_last_mail("ada@example.org", "confirmation")),
        token_of(link_in_last_mail("eve@example.org", "password_reset")),
    ]

    rows = [
        repr(tuple(row))
        for table in db.metadata.sorted_tables
        for row in db.session.execute(select(table))
    ]

    for token in tokens:
        assert not [row for row in rows if token in row or token[:24] in row]
    assert not [row for row in rows if "/confirm/" in row or "/reset/" in row]


def test_every_link_is_on_the_public_address(app, a_user):
    user = a_user()

    for link in (
        links.confirmation(user),
        links.password_reset(user),
        links.change_of_address(user, "new@example.org"),
        links.registration_draft(full_name="Ada"),
        links.absolute("security.login"),
    ):
        assert link.startswith("http://127.0.0.1:8000/"), link


@pytest.mark.settings(
    PORTAL_PUBLIC_URL="https://portal.example.org/front", PORTAL_MAIL_SERVER="mail.example.org"
)
def test_also_under_https_and_a_path_and_without_any_request(app):
    assert links.absolute("security.login") == "https://portal.example.org/front/login"


def test_a_request_for_another_host_does_not_change_where_links_lead(app, a_user):
    user = a_user()

    with app.test_request_context("/", base_url="http://localhost:9999"):
        assert links.confirmation(user).startswith("http://127.0.0.1:8000/confirm/")


def test_a_link_says_whose_it_is_to_the_portal_alone(app, a_user):
    user = a_user(email="ada@example.org")

    reading = links.read_confirmation(token_of(links.confirmation(user)))

    assert (reading.state, reading.user) == (LinkState.READY, user)
    assert "ada@example.org" not in links.confirmation(user)


@pytest.mark.parametrize("token", ["", " ", "None", "null", "[]", "a.b.c", "\0", "é", "x" * 9999])
def test_what_is_no_token_is_no_link(app, token):
    """An empty token never matches an empty column (devise CVE-2019-16109)."""
    for read in (links.read_confirmation, links.read_password_reset, links.read_change_of_address):
        reading = read(token)
        assert (reading.state, reading.user) == (LinkState.INVALID, None)
    assert links.read_registration_draft(token) == {}


def test_tokens_of_another_instance_are_worth_nothing(app, a_user, tmp_path):
    """Signed with the instance's own secret; nothing in the code would do instead."""
    user = a_user()
    for key in ("", "secret", "change-me", "dev", "x" * 32):
        forged = URLSafeTimedSerializer(key, salt="confirm-salt").dumps([user.fs_uniquifier, "x"])
        assert links.read_confirmation(forged).state is LinkState.INVALID


def test_a_draft_keeps_what_was_typed_and_is_unreadable_on_the_way(app):
    link = links.registration_draft(full_name="Ada Lovelace", email="ada@example.org")
    token = unquote(link.partition("draft=")[2])

    assert "Ada" not in link
    assert links.read_registration_draft(token) == {
        "full_name": "Ada Lovelace",
        "email": "ada@example.org",
    }
