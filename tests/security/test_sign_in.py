"""Signing in (M5, M6): username or e-mail, one answer for strangers, a safe way back (H)."""

import base64
import sqlite3
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import event

from portal.accounts.user import Status
from portal.database import db
from portal.security import sessions
from tests.pages import filled_in
from tests.people import PASSWORD, an_agent, person

GENERIC = "do not match"


def sign_in(browser, identity, password=PASSWORD, path="/login", **fields):
    return browser.submit(path, identity=identity, password=password, **fields)


@pytest.mark.parametrize(
    "identity",
    [
        "ada",
        "ADA",
        " Ada ",
        "ａｄａ",
        "a\u2060da",
        "ada@example.org",
        "Ada@Example.ORG",
        " ada@EXAMPLE.org ",
    ],
)
def test_username_and_address_both_sign_in_in_any_spelling(browser, a_user, identity):
    """H: login by username only."""
    a_user(approved=True, username="ada", email="ada@example.org")

    answer = sign_in(browser, identity)

    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert browser.get("/").status_code == 200


# Nobody's name, or not the password.
MISMATCHES = [
    ("ada", "wrong"),
    ("ada", PASSWORD.lower()),
    ("ada", PASSWORD[:-1]),
    ("ada", PASSWORD + " "),
    ("ada", "x" * 129),
    ("ada", "x" * 60_000),
    ("ada", "\0"),
    ("nobody", PASSWORD),
    ("nobody@example.org", PASSWORD),
    ("ada\0", PASSWORD),
    ("%", PASSWORD),
    ("' OR 1=1 --", PASSWORD),
    ("@", PASSWORD),
    ("ada@", PASSWORD),
    ("a" * 400, PASSWORD),
    ("a@" * 200, PASSWORD),
    ("ada@" + "x." * 30_000, PASSWORD),
]


@pytest.mark.settings(PORTAL_LIMITS_ENABLED="false")
def test_everything_that_does_not_match_gets_the_same_answer(browser, a_user):
    a_user(approved=True, username="ada", email="ada@example.org")

    for identity, password in MISMATCHES:
        answer = sign_in(browser, identity, password)
        assert answer.status_code in (200, 413), identity[:20]
        if answer.status_code == 200:
            assert GENERIC in answer.get_data(as_text=True), identity[:20]

    assert browser.get("/").status_code == 302


@pytest.mark.parametrize(
    ("identity", "password"), [("", PASSWORD), ("ada", ""), ("", ""), (" ", " ")]
)
def test_empty_fields_are_asked_for(browser, identity, password):
    answer = sign_in(browser, identity, password)

    assert "Enter your" in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [({}, "Confirm your e-mail address first"), ({"suspended": True}, "suspended")],
    ids=["unconfirmed", "suspended"],
)
def test_the_truth_is_told_after_the_right_password_only(browser, a_user, facts, sentence):
    ada = person(a_user(**facts))

    stranger = sign_in(browser, ada.username, "wrong").get_data(as_text=True)
    owner = sign_in(browser, ada.username).get_data(as_text=True)

    assert GENERIC in stranger
    assert sentence not in stranger
    assert sentence in owner
    assert GENERIC not in owner
    assert browser.get("/").status_code == 302


def test_the_unconfirmed_are_offered_another_mail(browser, a_user):
    ada = person(a_user())

    page = sign_in(browser, ada.username).get_data(as_text=True)

    assert 'href="/confirm"' in page


@pytest.mark.parametrize("facts", [{"confirmed": True}, {"rejected": "No room"}], ids=str)
def test_the_waiting_and_the_rejected_get_to_their_status_page_and_nowhere_else(
    browser, a_user, facts
):
    browser.sign_in(person(a_user(**facts)))

    assert browser.get("/status").status_code == 200
    for path in (
        "/",
        "/account",
        "/change",
        "/change-email",
        "/verify",
        "/agents/1/open",
        "/admin/",
    ):
        answer = browser.get(path)
        assert answer.status_code in (302, 404), path
        if answer.status_code == 302:
            assert answer.headers["Location"] == "/status"
        posted = browser.post(path, data={"csrf_token": browser.token("/status")})
        assert posted.status_code in (403, 404, 405), path


def test_an_account_that_waits_for_its_first_password_is_closed_to_every_password(
    browser, new_browser
):
    """An empty password never verifies (allauth 65.11.1)."""
    browser.submit("/register", **filled_in.registration())
    new_browser().submit("/register", **filled_in.registration())

    for password in ("", " ", "None", PASSWORD):
        assert sign_in(browser, "ada", password).status_code == 200
    assert browser.get("/status").status_code == 302


# Each of them leads elsewhere in some browser.
HOSTILE = [
    "https://evil.example",
    "http://evil.example/",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "https:evil.example",
    "https:/evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/\tevil.example",
    "\t//evil.example",
    " //evil.example",
    "/\r\n/evil.example",
    "/%0d%0aLocation:%20//evil.example",
    "http://127.0.0.1:8000@evil.example/",
    "http://127.0.0.1:8000.evil.example/",
    "/.evil.example//..//evil.example",
    "\u200a//evil.example",
    "/" + "a" * 3000,
]


def leads_elsewhere(location):
    """Whether some browser would leave the site, by the most lenient reading."""
    cleaned = "".join(c for c in location if ord(c) > 32).replace("\\", "/")
    return not cleaned.startswith("/") or cleaned.startswith("//")


@pytest.mark.parametrize("target", HOSTILE[:14], ids=repr)
def test_the_way_back_after_signing_in_never_leaves_the_portal(
    browser, new_browser, a_user, target
):
    """H: open redirect through `next`, in the address and in the form.

    The function that decides meets all of them in test_redirects.py.
    """
    a_user(approved=True, username="ada")

    for query, field in (({"next": target}, {}), ({}, {"next": target})):
        whoever = new_browser()
        data = {"identity": "ada", "password": PASSWORD, "csrf_token": whoever.token("/login")}
        answer = whoever.post("/login", query_string=query, data=data | field)

        assert answer.status_code == 302
        assert not leads_elsewhere(answer.headers["Location"]), answer.headers["Location"]


def test_who_wanted_a_page_gets_there_after_signing_in(browser, a_user):
    a_user(approved=True, username="ada")

    asked = browser.get("/account?tab=1&x=%C3%A9")
    answer = sign_in(browser, "ada", path=asked.headers["Location"])

    assert answer.headers["Location"] == "/account?tab=1&x=%C3%A9"


def test_who_is_signed_in_is_led_on_from_the_sign_in_page(browser, a_user):
    browser.sign_in(person(a_user(approved=True)))

    assert browser.get("/login").status_code == 302
    assert not leads_elsewhere(
        browser.get("/login", query_string={"next": "//evil.example"}).headers["Location"]
    )


@pytest.mark.both_databases(everyday="sqlite")
def test_each_sign_in_is_remembered_with_its_time_and_address(browser, new_browser, a_user):
    """M6: this one, the one before, from where, and how many."""
    ada = a_user(approved=True)
    first, second = (datetime(2026, 3, day, 9, tzinfo=UTC) for day in (1, 2))
    fields = {"identity": ada.username, "password": PASSWORD}

    for moment, address in ((first, "198.51.100.1"), (second, "2001:db8::7")):
        with time_machine.travel(moment, tick=False):
            whoever = new_browser()
            data = {"csrf_token": whoever.token("/login"), **fields}
            whoever.post("/login", data=data, environ_base={"REMOTE_ADDR": address})

    db.session.expire_all()
    assert (ada.last_login_at, ada.last_login_ip) == (first, "198.51.100.1")
    assert (ada.current_login_at, ada.current_login_ip) == (second, "2001:db8::7")
    assert ada.login_count == 2


def test_who_signs_in_while_the_database_is_busy_is_not_in_and_told_when_to_come_back(
    browser, a_user
):
    ada = a_user(approved=True)
    token = browser.token("/login")

    with a_busy_database():
        data = {"csrf_token": token, "identity": ada.username, "password": PASSWORD}
        answer = browser.post("/login", data=data | {"remember": "y"})

    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert browser.get("/").status_code == 302
    assert ada.login_count == 0
    browser.sign_in(person(ada))


@contextmanager
def a_busy_database():
    """Somebody else writes all the while, and nobody waits for them."""

    def wait_for_nobody(connection, *_):
        connection.execute("PRAGMA busy_timeout = 0")

    event.listen(db.engine, "checkout", wait_for_nobody)
    try:
        with closing(sqlite3.connect(db.engine.url.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
    finally:
        event.remove(db.engine, "checkout", wait_for_nobody)
        db.engine.dispose()


def test_a_failed_sign_in_is_not_counted_as_one(browser, a_user):
    ada = a_user(approved=True)

    sign_in(browser, ada.username, "wrong")

    db.session.expire_all()
    assert (ada.login_count, ada.current_login_at) == (0, None)


def test_the_page_that_asks_for_the_password_again_takes_the_right_one_only(browser, a_user):
    ada = person(a_user(approved=True))
    browser.sign_in(ada)

    wrong = browser.submit("/verify", password="wrong")
    right = browser.submit("/verify?next=/account", password=ada.password)
    away = browser.submit("/verify?next=//evil.example", password=ada.password)

    assert wrong.status_code == 200
    assert (right.status_code, right.headers["Location"]) == (302, "/account")
    assert not leads_elsewhere(away.headers["Location"])


def test_signing_out_is_a_post_and_leads_to_the_sign_in_page(browser, a_user):
    browser.sign_in(person(a_user(approved=True)))

    assert browser.get("/logout").status_code == 405
    assert browser.get("/").status_code == 200
    assert browser.submit("/account", to="/logout").headers["Location"] == "/login"
    assert browser.get("/").status_code == 302


def test_the_sign_in_page_never_gives_json_with_tokens(browser, a_user):
    """FST CVE-2021-21241: a GET that answers JSON hands tokens to other sites."""
    a_user(approved=True, username="ada")
    for headers in ({"Accept": "application/json"}, {"Content-Type": "application/json"}):
        page = browser.get("/login", headers=headers)
        assert page.mimetype == "text/html", headers

    data = {"identity": "ada", "password": PASSWORD, "csrf_token": browser.token("/login")}
    answer = browser.post(
        "/login?include_auth_token", data=data, headers={"Accept": "application/json"}
    )
    assert "token" not in answer.get_data(as_text=True).replace("csrf_token", "")


def test_no_other_proof_than_the_cookie_is_taken(browser, a_user):
    """HTTP basic, auth tokens in headers, query or form open nothing (trap 5)."""
    ada = a_user(approved=True, username="ada")
    basic = base64.b64encode(f"ada@example.org:{PASSWORD}".encode()).decode()
    token = ada.get_auth_token()

    for headers in (
        {"Authorization": f"Basic {basic}"},
        {"Authorization": f"Bearer {token}"},
        {"Authentication-Token": token},
        {"Remote-User": "ada"},
        {"X-Remote-User": "ada"},
    ):
        assert browser.get("/", headers=headers).status_code == 302
    assert browser.get("/", query_string={"auth_token": token}).status_code == 302


def test_a_person_can_be_told_apart_only_by_status(a_user):
    """Sanity of the words: exactly these statuses may hold a session."""
    people = [a_user(), a_user(confirmed=True), a_user(approved=True), a_user(rejected=True)]
    people.append(a_user(suspended=True))

    assert {user.status for user in people if user.is_active} == {
        Status.PENDING,
        Status.APPROVED,
        Status.REJECTED,
    }


def test_an_old_sign_in_page_still_works_after_hours(browser, a_user):
    """The form's token does not expire while somebody is at lunch."""
    a_user(approved=True, username="ada")
    token = browser.token("/login")

    with time_machine.travel(datetime.now(UTC) + timedelta(hours=3)):
        data = {"csrf_token": token, "identity": "ada", "password": PASSWORD}
        answer = browser.post("/login", data=data)

    assert answer.status_code == 302


def test_who_signs_in_on_the_way_to_an_agent_goes_on_from_a_page(browser, a_user):
    """The policy's `form-action` holds through redirects: the way out begins anew."""
    agent = an_agent(requires="standard")
    a_user(approved=True, username="ada")
    way = f"/agents/{agent.id}/open"

    asked = browser.get(way)
    page = sign_in(browser, "ada", path=asked.headers["Location"])

    assert page.status_code == 200
    assert page.headers["Refresh"] == f"0; url={way}"
    assert f'href="{way}"' in page.get_data(as_text=True)
    assert browser.get(way).headers["Location"] == agent.url


def test_who_shows_the_password_again_on_the_way_to_an_agent_goes_on_from_a_page(browser, a_user):
    way = f"/agents/{an_agent(requires='standard').id}/open?text=日本"
    browser.sign_in(person(a_user(approved=True)))

    page = browser.submit("/verify", password=PASSWORD, next=way)

    assert page.status_code == 200
    assert page.headers["Refresh"].endswith("/open?text=%E6%97%A5%E6%9C%AC")
    assert page.headers["Refresh"].isascii(), "a server could not send it"


def test_signing_out_leaves_nothing_of_what_was_mailed_to_whom(browser, a_user):
    browser.submit("/reset", email="ada@example.org")
    browser.submit("/register", **filled_in.registration(email="eve@example.org"))
    sent = {"/reset/sent": "ada@example.org", "/register/sent": "eve@example.org"}
    for page, address in sent.items():
        assert address in browser.get(page).get_data(as_text=True), page

    browser.sign_in(person(a_user(approved=True)))
    browser.submit("/account", to="/logout")

    for page, address in sent.items():
        assert address not in browser.get(page).get_data(as_text=True), page
    with browser.session_transaction() as kept:
        assert not kept.keys() & set(sessions.LEFT_BEHIND)


@pytest.mark.settings(PORTAL_LIMITS_ENABLED="false")
def test_long_runs_of_odd_signs_cost_no_time(browser):
    """A run of combining signs kept a thread busy for seconds when it was normalised."""
    token = browser.token("/login")

    for sign in ("\u0301", "\u0323\u0307", "\ufdfa", "@", "a.", "ß"):
        long = (sign * 20_000)[:20_000]
        for path, name in (("/login", "identity"), ("/login", "password"), ("/reset", "email")):
            fields = {"csrf_token": token, "identity": "ada", "password": "x", name: long}
            started = time.process_time()
            answer = browser.post(path, data=fields)
            assert answer.status_code < 500
            assert time.process_time() - started < 1, (repr(sign), path, name)


@pytest.mark.parametrize("password", [None, ""])
def test_a_password_that_is_not_sent_is_asked_for(browser, a_user, password):
    """Flask-Security took for granted that it was there: a 500."""
    browser.sign_in(person(a_user(approved=True)))

    answer = browser.submit("/verify", **({} if password is None else {"password": password}))

    assert answer.status_code in (200, 400)
    assert "Enter your password." in answer.get_data(as_text=True)
