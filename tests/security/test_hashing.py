"""Hashing at once (ASVS 2.4.1, 15.2.2): so many and no more, a wait with an end, a kind page."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask_security import hash_password

from portal import settings
from portal.security import hashing
from portal.security.passwords import hashed
from tests.conftest import make_settings
from tests.pages import filled_in
from tests.people import PASSWORD, person
from tests.security.walk import everything_kept

ONE = {"PORTAL_PASSWORDS_HASHES_AT_ONCE": "1"}
NO_WAIT = pytest.mark.settings(**ONE, PORTAL_PASSWORDS_HASH_WAIT_SECONDS="0")

FORMS = {
    "/verify": {"password": PASSWORD},
    "/change": {"current_password": PASSWORD, **filled_in.new_password("Quiet-harbour 77")},
}


@NO_WAIT
def test_who_gets_no_turn_in_time_reads_when_to_try_again(browser, a_user):
    ada = a_user(approved=True)
    token = browser.token("/login")
    form = {"identity": ada.username, "password": PASSWORD, "csrf_token": token}

    with hashing.turn():
        answer = browser.post("/login", data=form)
        as_json = browser.post("/login", data=form, headers={"Accept": "application/json"})

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    page = answer.get_data(as_text=True)
    assert "Many people are signing in right now" in page
    assert "reload this page" in page
    assert as_json.status_code == 503
    assert as_json.json["error"] == 503
    assert browser.post("/login", data=form).status_code == 302, "the same form, sent again"


@NO_WAIT
def test_who_is_nobody_gets_no_other_answer(browser, a_user):
    """What is known and what is not wait in the same line."""
    ada = a_user(approved=True)
    token = browser.token("/login")

    with hashing.turn():
        answers = [
            browser.post(
                "/login", data={"identity": name, "password": "wrong", "csrf_token": token}
            )
            for name in (ada.username, "nobody")
        ]

    assert [answer.status_code for answer in answers] == [503, 503]
    seen = [
        re.sub(r'name="csrf_token" value="[^"]+"', "", answer.get_data(as_text=True))
        for answer in answers
    ]
    assert seen[0] == seen[1]


@NO_WAIT
@pytest.mark.parametrize("path", FORMS)
def test_nothing_changes_for_who_gets_no_turn(browser, a_user, path):
    browser.sign_in(person(a_user(approved=True)))
    token = browser.token(path)
    before = everything_kept()

    with hashing.turn():
        answer = browser.post(path, data={**FORMS[path], "csrf_token": token})

    assert answer.status_code == 503
    assert everything_kept() == before
    assert browser.post(path, data={**FORMS[path], "csrf_token": token}).status_code in (302, 303)


@NO_WAIT
def test_a_registration_without_a_turn_leaves_nobody(browser):
    token = browser.token("/register")
    before = everything_kept()

    with hashing.turn():
        answer = browser.post("/register", data={**filled_in.registration(), "csrf_token": token})

    assert answer.status_code == 503
    assert everything_kept() == before


@pytest.mark.settings(
    **ONE,
    PORTAL_PASSWORDS_HASH_WAIT_SECONDS="0",
    PORTAL_LIMITS_SIGN_IN_ACCOUNT="2",
)
def test_a_try_that_got_no_turn_is_no_failed_one(browser, a_user):
    ada = a_user(approved=True)
    token = browser.token("/login")
    form = {"identity": ada.username, "password": PASSWORD, "csrf_token": token}

    with hashing.turn():
        assert [browser.post("/login", data=form).status_code for _ in range(4)] == [503] * 4

    assert browser.post("/login", data=form).status_code == 302


@pytest.mark.usefixtures("each_hash_anew")
@pytest.mark.settings(PORTAL_PASSWORDS_HASHES_AT_ONCE="2")
def test_no_more_are_hashed_at_once_than_set(app, monkeypatch):
    going_on, most = 0, 0
    lock = threading.Lock()
    original = hash_password

    def counted(password):
        nonlocal going_on, most
        with lock:
            going_on += 1
            most = max(most, going_on)
        try:
            return original(password)
        finally:
            with lock:
                going_on -= 1

    monkeypatch.setattr("portal.security.passwords.hash_password", counted)

    def hash_one(_number):
        with app.app_context():
            return hashed(PASSWORD)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(hash_one, range(12)))

    assert len(set(made)) == 12
    assert most == 2


@pytest.mark.settings(**ONE)
def test_a_turn_that_ends_in_an_error_is_given_back(app):
    with pytest.raises(ZeroDivisionError), hashing.turn():
        raise ZeroDivisionError

    assert hashed(PASSWORD)


def test_processes_share_the_cores(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: range(8))

    def of(**environ: str) -> int:
        made: settings.Settings = make_settings(tmp_path, **environ)
        return hashing.at_once(made)

    assert of() == 8
    assert of(PORTAL_SERVER_WORKERS="4") == 2
    assert of(PORTAL_SERVER_WORKERS="16") == 1
    assert of(PORTAL_SERVER_WORKERS="4", PORTAL_PASSWORDS_HASHES_AT_ONCE="3") == 3
