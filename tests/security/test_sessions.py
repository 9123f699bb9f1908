"""Sessions: what begins and ends them, what revives none, how their cookies are set (M5, M18)."""

import hashlib
import re
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from portal import clock
from portal.accounts import credentials, erasure, session
from portal.accounts.access import change_access_level
from portal.accounts.approval import approve, reject
from portal.accounts.roles import change_roles
from portal.accounts.session import UserSession
from portal.accounts.suspension import reinstate, suspend
from portal.audit import Action, AuditEntry
from portal.database import db, transaction
from portal.jobs import rounds
from portal.security import sessions
from tests import plans
from tests.crowd import together
from tests.pages import filled_in
from tests.people import PASSWORD, level, password_hash

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


def cookies_of(answer) -> dict[str, str]:
    """The Set-Cookie lines of an answer, by the cookie's name."""
    return {line.partition("=")[0]: line for line in answer.headers.getlist("Set-Cookie")}


def sign_in(browser, user, **fields):
    return browser.submit("/login", identity=user.username, password=PASSWORD, **fields)


def is_in(browser, path="/account") -> bool:
    return browser.get(path).status_code == 200


def rows(**facts) -> list[UserSession]:
    """The sessions there are, as they are now."""
    db.session.rollback()
    db.session.expire_all()
    return list(db.session.scalars(select(UserSession).filter_by(**facts).order_by(UserSession.id)))


def test_the_database_holds_no_id_that_anybody_could_send(browser, a_user):
    """ASVS 7.2.3: 256 random bits in the cookie, and their hash alone in the row."""
    sign_in(browser, a_user(approved=True))

    secret = browser.cookie("portal_session")
    (row,) = rows()
    kept = [str(getattr(row, column.name)) for column in UserSession.__table__.columns]

    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret)
    assert row.digest == hashlib.sha256(secret.encode()).hexdigest()
    assert not any(secret in value for value in kept)


def test_looking_around_costs_no_row_and_brings_no_id(browser, a_user):
    for path in ("/login", "/register", "/reset", "/terms"):
        answer = browser.get(path)
        assert "portal_session" not in cookies_of(answer), path
    browser.submit("/reset", email="ada@example.org")

    assert rows() == []


def test_an_id_that_was_planted_is_not_taken_over_at_the_sign_in(browser, new_browser, a_user):
    """Session fixation: neither a made-up id nor one of the attacker's own (ASVS 7.2.4)."""
    eve = new_browser()
    sign_in(eve, a_user(approved=True))

    for planted in ("A" * 43, eve.cookie("portal_session")):
        victim, thief = new_browser(), new_browser()
        for each in (victim, thief):
            each.take("portal_session", planted)
        fields = {"identity": a_user(approved=True).username, "password": PASSWORD}
        if is_in(victim):
            victim.submit("/account", to="/logout")
            victim.take("portal_session", planted)
        victim.submit("/login", **fields)

        assert is_in(victim)
        assert victim.cookie("portal_session") != planted
        assert not is_in(thief)


def test_a_token_of_before_the_sign_in_or_of_another_session_sends_no_form(
    browser, new_browser, a_user
):
    """The notes that hold it are signed for one id (ASVS 3.5.1)."""
    before = browser.token("/login")
    sign_in(browser, a_user(approved=True))
    stranger = new_browser()
    foreign = stranger.token("/login")
    mine = browser.token("/account")

    answers = [browser.post("/language", data={"csrf_token": before, "language": "de"})]
    browser.take("portal_visit", stranger.cookie("portal_visit"))
    answers += [browser.post("/language", data={"csrf_token": foreign, "language": "de"})]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert mine not in (before, foreign)


@pytest.mark.both_databases(everyday="sqlite")
def test_a_cookie_that_was_copied_is_worth_nothing_after_the_sign_out(browser, new_browser, a_user):
    """ASVS 7.4.1, 14.3.1. A signed cookie alone would have gone on."""
    sign_in(browser, a_user(approved=True), remember="y")
    thief = new_browser()
    for name in ("portal_session", "portal_visit"):
        thief.take(name, browser.cookie(name) or "")
    assert is_in(thief)

    answer = browser.submit("/account", to="/logout")

    assert not is_in(thief)
    assert not is_in(browser)
    assert browser.cookie("portal_session") is None
    assert rows() == []
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert answer.headers["Cache-Control"] == "no-store"


def test_each_browser_has_a_session_of_its_own(browser, new_browser, a_user):
    ada, other = a_user(approved=True), new_browser()
    for each in (browser, other):
        sign_in(each, ada)

    browser.submit("/account", to="/logout")

    assert is_in(other)


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


def test_a_rejection_leaves_the_status_page_to_who_is_signed_in_and_nothing_else(
    browser, a_user, reviewer
):
    """Being signed out would tell of it before its mail may leave and while it can be undone."""
    ada = a_user(confirmed=True)
    sign_in(browser, ada)

    with transaction():
        reject(ada, by=reviewer, reason="No room this year")

    assert is_in(browser, "/status")
    assert browser.get("/account").headers["Location"] == "/status"
    assert "No room this year" not in browser.get("/status").get_data(as_text=True)
    with time_machine.travel(clock.now() + timedelta(hours=1)):
        assert "No room this year" in browser.get("/status").get_data(as_text=True)


def test_a_new_password_by_mail_ends_every_session(browser, new_browser, a_user):
    ada, other = a_user(approved=True), new_browser()
    for each in (browser, other):
        sign_in(each, ada)

    with transaction():
        credentials.reset_password(ada, password_hash=password_hash())

    assert not is_in(browser)
    assert not is_in(other)
    assert rows() == []


def test_erasure_ends_sessions(browser, a_user, manager):
    ada = a_user(confirmed=True)
    sign_in(browser, ada, remember="y")

    with transaction():
        erasure.erase(ada, by=manager)

    assert not is_in(browser, "/status")


def test_who_did_not_ask_to_be_remembered_is_forgotten_with_the_browsers_session(browser, a_user):
    answer = sign_in(browser, a_user(approved=True))

    assert "Expires" not in cookies_of(answer)["portal_session"]
    assert "Max-Age" not in cookies_of(answer)["portal_session"]


def test_who_asked_to_be_remembered_is_for_fourteen_days(browser, a_user):
    answer = sign_in(browser, a_user(approved=True), remember="y")

    assert "Max-Age=1209600" in cookies_of(answer)["portal_session"]
    start = clock.now()
    for days, still in ((6, True), (13.9, True), (14, False)):
        with time_machine.travel(start + timedelta(days=days)):
            assert is_in(browser) is still, days


def test_staff_are_remembered_no_longer_than_staff_may_be_signed_in(browser, manager):
    answer = sign_in(browser, manager, remember="y")

    assert "Max-Age=86400" in cookies_of(answer)["portal_session"]
    with time_machine.travel(clock.now() + timedelta(minutes=61)):
        assert not is_in(browser)


@pytest.mark.parametrize("value", ["", "1|x", "a" * 43, "a" * 4000, "\x7f" * 43, "é" * 43])
def test_a_made_up_id_signs_nobody_in(browser, a_user, value):
    sign_in(browser, a_user(approved=True))
    browser.take("portal_session", value)

    assert not is_in(browser)


def test_a_session_that_is_not_used_ends_and_one_that_is_used_goes_on(browser, a_user):
    sign_in(browser, a_user(approved=True))

    start = clock.now()
    for hours in (8, 16, 24):
        with time_machine.travel(start + timedelta(hours=hours)):
            assert is_in(browser), hours
    with time_machine.travel(start + timedelta(hours=37)):
        assert not is_in(browser)


def test_no_session_lasts_longer_than_it_may_however_busy_somebody_is(
    browser, new_browser, a_user, reviewer
):
    """ASVS 7.3.2: a week for people, a day for staff."""
    start, staff = clock.now(), new_browser()
    sign_in(browser, a_user(approved=True))
    sign_in(staff, reviewer)

    for minutes in range(50, 24 * 60, 50):
        with time_machine.travel(start + timedelta(minutes=minutes)):
            staff.get("/terms")
    for hours in range(11, 7 * 24, 11):
        with time_machine.travel(start + timedelta(hours=hours)):
            assert is_in(browser), hours

    with time_machine.travel(start + timedelta(hours=23, minutes=59)):
        assert is_in(staff)
    with time_machine.travel(start + timedelta(hours=24, seconds=1)):
        assert not is_in(staff)
    with time_machine.travel(start + timedelta(hours=7 * 24, seconds=1)):
        assert not is_in(browser)


def test_who_becomes_staff_has_the_times_of_staff_from_then_on(browser, a_user, people):
    ada = a_user(approved=True)
    sign_in(browser, ada, remember="y")

    with transaction():
        change_roles(ada, to=people.staff("reviewer").roles, by=None)

    assert is_in(browser)
    with time_machine.travel(clock.now() + timedelta(minutes=61)):
        assert not is_in(browser)


def test_somebody_is_marked_as_seen_once_a_minute_and_not_by_what_a_page_asks_itself(
    browser, a_user, reviewer
):
    waiting = a_user(confirmed=True)
    sign_in(browser, reviewer)
    start = rows()[0].last_seen_at

    def seen_after(seconds, path="/"):
        with time_machine.travel(start + timedelta(seconds=seconds), tick=False):
            browser.get(path)
        return (rows()[0].last_seen_at - start).total_seconds()

    claims = f"/admin/registrations/claims?ids={waiting.id}"
    assert [seen_after(59), seen_after(61, claims), seen_after(62)] == [0, 0, 62]
    assert [seen_after(100), seen_after(122)] == [62, 122]


@pytest.mark.both_databases(everyday="sqlite")
def test_a_busy_database_holds_no_page_up_for_the_mark_of_being_seen(browser, a_user):
    ada = a_user(approved=True)
    sign_in(browser, ada)
    (row,) = rows()
    seen = row.last_seen_at
    lock = "SELECT id FROM sessions FOR UPDATE"
    if db.engine.dialect.name == "sqlite":
        lock = "BEGIN IMMEDIATE"
    db.session.rollback()

    with db.engine.connect() as other:
        other.exec_driver_sql(lock)
        with time_machine.travel(seen + timedelta(minutes=2), tick=False):
            answer = browser.get("/")
        other.rollback()

    assert answer.status_code == 200
    assert rows()[0].last_seen_at == seen
    with time_machine.travel(seen + timedelta(minutes=2), tick=False):
        browser.get("/")
    assert rows()[0].last_seen_at == seen + timedelta(minutes=2)


@pytest.mark.both_databases(everyday="sqlite")
def test_who_somebody_is_takes_one_query_that_an_index_answers(browser, reviewer):
    sign_in(browser, reviewer)
    browser.get("/terms")

    with plans.asked() as asked:
        browser.get("/terms")
    with plans.asked() as at_home:
        browser.get("/")

    assert len(asked) == 1
    assert plans.whole_reads(asked, "sessions", "users") == []
    assert len(at_home) == 2


def test_the_page_lists_where_somebody_is_signed_in_and_signs_one_out(browser, new_browser, a_user):
    ada, other, stranger = a_user(approved=True), new_browser(), new_browser()
    at = {"REMOTE_ADDR": "203.0.113.77", "HTTP_USER_AGENT": FIREFOX}
    other.environ_base |= at
    sign_in(other, ada)
    sign_in(browser, ada)
    sign_in(stranger, a_user(approved=True))
    elsewhere, here, foreign = rows()

    page = browser.get("/account").get_data(as_text=True)
    assert "Firefox" in page
    assert "Windows" in page
    assert "203.0.113.0/24" in page
    assert "Private network" in page
    assert page.count("This device") == 1
    assert f"/account/sessions/{elsewhere.id}/end" in page
    for absent in (here.id, foreign.id):
        assert f"/account/sessions/{absent}/end" not in page

    for asked in (foreign.id, elsewhere.id, elsewhere.id):
        answer = browser.submit("/account", to=f"/account/sessions/{asked}/end")
        assert answer.status_code == 303

    assert [row.id for row in rows()] == [here.id, foreign.id]
    assert is_in(browser)
    assert not is_in(other)
    assert is_in(stranger)
    ended = db.session.scalars(select(AuditEntry).filter_by(action=Action.SESSIONS_ENDED)).all()
    assert [(entry.about_id, entry.by_id) for entry in ended] == [(ada.id, ada.id)]


@pytest.mark.both_databases(everyday="postgresql")
def test_of_two_browsers_that_sign_each_other_out_at_once_one_stays(app, new_browser, a_user):
    ada = a_user(approved=True)
    browsers = [new_browser() for _ in range(2)]
    for each in browsers:
        sign_in(each, ada)
    tokens = [each.token("/account") for each in browsers]

    def press(number):
        data = {"csrf_token": tokens[number]}
        return lambda: browsers[number].post("/account/sessions/others/end", data=data)

    answers = together(press(number) for number in range(2))

    assert {answer.status_code for answer in answers} <= {302, 303}
    assert len(rows()) == 1
    assert sorted(is_in(each) for each in browsers) == [False, True]


def test_more_sessions_than_anybody_needs_end_the_one_that_was_not_used_longest(app, a_user):
    ada = a_user(approved=True)
    secrets = []
    for minutes in range(session.MOST_AT_ONCE + 2):
        with (
            time_machine.travel(clock.now() + timedelta(minutes=minutes)),
            transaction(),
        ):
            secrets.append(session.begin(ada))

    kept = {row.digest for row in rows()}

    assert len(kept) == session.MOST_AT_ONCE
    assert {session.digest(secret) for secret in secrets[2:]} == kept


@pytest.mark.both_databases(everyday="sqlite")
def test_sessions_that_are_over_are_thrown_away_through_an_index(app, a_user):
    ada, now = a_user(approved=True), clock.now()
    ages = {(False, 13): False, (False, 11): True, (True, 13): True, (True, 24 * 15): False}
    kept = set()
    for (remembered, hours), stays in ages.items():
        with time_machine.travel(now - timedelta(hours=hours)), transaction():
            secret = session.begin(ada, remembered=remembered)
        if stays:
            kept.add(session.digest(secret))

    with plans.asked() as asked:
        rounds.purge()

    assert {row.digest for row in rows()} == kept
    assert plans.whole_reads([each for each in asked if "sessions" in each[0]], "sessions") == []


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
        assert line.startswith("__Secure-"), line
        assert "Secure;" in line, line
        assert "SameSite=Lax" in line, line
        assert "Path=/front" in line, line
        assert "Domain=" not in line, line


@pytest.mark.settings(
    PORTAL_PUBLIC_URL="https://portal.example.org", PORTAL_MAIL_SERVER="mail.example.org"
)
def test_where_the_portal_has_a_host_of_its_own_its_cookies_are_held_to_it(browser, a_user):
    """RFC 6265bis, 4.1.3.2: with this prefix no other host of the domain can plant one."""
    answer = sign_in(browser, a_user(approved=True), remember="y")

    names = {line.partition("=")[0] for line in cookies_of(answer).values()}
    assert names == {"__Host-portal_session", "__Host-portal_visit", "__Host-portal_known"}
    for line in cookies_of(answer).values():
        assert "Path=/;" in f"{line};", line
        assert "Domain=" not in line, line
        assert "HttpOnly" in line, line
    assert is_in(browser)


def test_signing_in_changes_whose_session_it_is_and_keeps_nothing_of_the_stranger(browser, a_user):
    """Who sat here before leaves no mark that confirms or resets for the next one."""
    browser.submit("/register", **filled_in.registration())
    stranger = browser.cookie("portal_visit")

    sign_in(browser, a_user(approved=True))

    assert browser.cookie("portal_visit") != stranger
    with browser.session_transaction() as kept:
        assert not kept.keys() & set(sessions.LEFT_BEHIND)


def test_a_session_cookie_stays_small(browser, a_user):
    """ASVS 3.3.5: under 4096 bytes, also after many messages."""
    sign_in(browser, a_user(approved=True))
    token = browser.token("/account")
    fields = {"csrf_token": token, "language": "de"}

    for _ in range(20):
        browser.post("/language", data=fields)

    assert len(browser.cookie("portal_visit")) < 4096
