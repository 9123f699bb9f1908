"""Sessions: what ends them, what revives none, and how their cookies are set (M5, M18)."""

from datetime import timedelta

import pytest
import time_machine

from portal import clock
from portal.accounts import erasure
from portal.accounts.access import change_access_level
from portal.accounts.approval import approve, reject
from portal.accounts.roles import change_roles
from portal.accounts.suspension import reinstate, suspend
from portal.database import transaction
from tests.pages import filled_in
from tests.people import PASSWORD, level


def cookies_of(answer) -> dict[str, str]:
    """The Set-Cookie lines of an answer, by the cookie's name."""
    return {line.partition("=")[0]: line for line in answer.headers.getlist("Set-Cookie")}


def sign_in(browser, user, **fields):
    return browser.submit("/login", identity=user.username, password=PASSWORD, **fields)


def is_in(browser, path="/account") -> bool:
    return browser.get(path).status_code == 200


@pytest.mark.both_databases(everyday="sqlite")
def test_suspension_ends_an_open_session_at_the_next_request_and_reinstatement_revives_none(
    browser, a_user, manager
):
    ada = a_user(approved=True)
    sign_in(browser, ada, remember="y")
    assert is_in(browser)

    with transaction():
        suspend(ada, by=manager)
    assert not is_in(browser)
    assert browser.submit("/login", to="/account").status_code == 302, "nor does a POST get through"

    with transaction():
        reinstate(ada, by=manager)
    assert not is_in(browser)
    sign_in(browser, ada)
    assert is_in(browser)


def test_a_lower_level_and_a_lost_role_end_sessions_a_higher_level_does_not(
    browser, a_user, people, administrator
):
    ada = a_user(approved="standard")
    sign_in(browser, ada)

    with transaction():
        change_access_level(ada, to=level("extended"), by=administrator)
    assert is_in(browser)
    with transaction():
        change_access_level(ada, to=level("guest"), by=administrator)
    assert not is_in(browser)

    grace = people.staff("manager")
    sign_in(browser, grace)
    assert browser.get("/admin/").status_code in (200, 404)
    with transaction():
        change_roles(grace, to=[], by=administrator)
    assert not is_in(browser)


def test_approval_lets_an_open_session_go_on(browser, a_user, reviewer):
    ada = a_user(confirmed=True)
    sign_in(browser, ada)
    assert browser.get("/").headers["Location"] == "/status"

    with transaction():
        approve(ada, by=reviewer, level=level("standard"))

    assert is_in(browser)


def test_a_rejection_shuts_everything_but_the_status_page_at_once(browser, a_user, reviewer):
    ada = a_user(confirmed=True)
    sign_in(browser, ada)

    with transaction():
        reject(ada, by=reviewer, reason="No room this year")

    assert browser.get("/account").headers["Location"] == "/status"
    assert "No room this year" in browser.get("/status").get_data(as_text=True)


def test_erasure_ends_sessions(browser, a_user, manager):
    ada = a_user(confirmed=True)
    sign_in(browser, ada, remember="y")

    with transaction():
        erasure.erase(ada, by=manager)

    assert not is_in(browser, "/status")


def test_who_did_not_ask_to_be_remembered_is_forgotten_with_the_browsers_session(browser, a_user):
    answer = sign_in(browser, a_user(approved=True))

    assert "portal_remember" not in cookies_of(answer)
    assert "Expires" not in cookies_of(answer)["portal_session"]
    browser.lose("portal_session")
    assert not is_in(browser)


def test_who_asked_to_be_remembered_is_for_fourteen_days(browser, a_user):
    answer = sign_in(browser, a_user(approved=True), remember="y")
    assert "Expires=" in cookies_of(answer)["portal_remember"]

    browser.lose("portal_session")
    assert is_in(browser)

    with time_machine.travel(clock.now() + timedelta(days=15)):
        assert not is_in(browser)


def test_a_remembered_cookie_that_was_kept_longer_than_it_may_is_worth_nothing(
    browser, new_browser, a_user
):
    """The date is in the signature too, not only in what the browser is told."""
    sign_in(browser, a_user(approved=True), remember="y")
    kept = browser.cookie("portal_remember")

    with time_machine.travel(clock.now() + timedelta(days=15)):
        thief = new_browser()
        thief.take("portal_remember", kept)
        assert not is_in(thief)


@pytest.mark.parametrize("value", ["", "1|x", "a" * 4000, "\x7f", "1|" + "0" * 128, "é"])
def test_a_made_up_remember_cookie_signs_nobody_in(browser, a_user, value):
    a_user(approved=True)
    browser.take("portal_remember", value)

    assert not is_in(browser)


def test_a_session_that_is_not_used_ends_and_one_that_is_used_goes_on(browser, a_user):
    sign_in(browser, a_user(approved=True))

    start = clock.now()
    for hours in (8, 16, 24):
        with time_machine.travel(start + timedelta(hours=hours)):
            assert is_in(browser), hours
    with time_machine.travel(start + timedelta(hours=37)):
        assert not is_in(browser)


def test_an_altered_session_cookie_is_no_session(browser, new_browser, a_user):
    sign_in(browser, a_user(approved=True))
    value = browser.cookie("portal_session")

    flipped = value[:20] + ("A" if value[20] != "A" else "B") + value[21:]
    for altered in (flipped, value[1:], value[:-4], value + "x", "e30", ""):
        thief = new_browser()
        thief.take("portal_session", altered)
        assert not is_in(thief)


@pytest.mark.settings(PORTAL_PUBLIC_URL="http://127.0.0.1:8000")
def test_cookies_are_http_only_and_stay_on_the_site(browser, a_user):
    browser.get("/login")
    answer = sign_in(browser, a_user(approved=True), remember="y")
    theme = browser.submit("/account", to="/appearance", theme="dark")
    language = browser.submit("/account", to="/language", language="de")

    for cookie in [*cookies_of(answer).values(), cookies_of(theme)["theme"]]:
        assert "HttpOnly" in cookie, cookie
    every = [cookies_of(each) for each in (answer, theme, language)]
    for line in [line for each in every for line in each.values()]:
        assert "SameSite=Lax" in line, line
        assert "Secure" not in line, "http: a secure cookie would never come back"


@pytest.mark.settings(
    PORTAL_PUBLIC_URL="https://portal.example.org/front",
    PORTAL_MAIL_SERVER="mail.example.org",
)
def test_under_https_every_cookie_is_secure_and_keeps_to_its_path(app, browser, a_user):
    user = a_user(approved=True)
    browser.get("/login")
    answer = sign_in(browser, user, remember="y")
    theme = browser.submit("/account", to="/appearance", theme="dark")
    language = browser.submit("/account", to="/language", language="de")

    lines = [line for each in (answer, theme, language) for line in cookies_of(each).values()]
    assert len({line.partition("=")[0] for line in lines}) >= 4
    for line in lines:
        assert "Secure" in line, line
        assert "SameSite=Lax" in line, line
        assert "Path=/front" in line, line
        assert "Domain=" not in line, line


def test_signing_out_forgets_both_cookies(browser, a_user):
    sign_in(browser, a_user(approved=True), remember="y")

    browser.submit("/account", to="/logout")

    assert not is_in(browser)
    assert browser.cookie("portal_remember") is None


def test_signing_in_changes_whose_session_it_is_and_keeps_nothing_of_the_stranger(browser, a_user):
    """Who sat here before leaves no mark that confirms or resets for the next one."""
    browser.submit("/register", **filled_in.registration())
    stranger = browser.cookie("portal_session")

    sign_in(browser, a_user(approved=True))

    assert browser.cookie("portal_session") != stranger


def test_a_session_cookie_stays_small(browser, a_user):
    """ASVS 3.3.5: under 4096 bytes, also after many messages."""
    sign_in(browser, a_user(approved=True))
    token = browser.token("/account")
    fields = {"csrf_token": token, "language": "de"}

    for _ in range(20):
        browser.post("/language", data=fields)

    assert len(browser.cookie("portal_session")) < 4096
