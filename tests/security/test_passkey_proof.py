"""Proof by passkey: a key does what the password does, for this, in this session, once (M16)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from portal import clock
from portal.accounts.factors import ceremony, recovery
from portal.accounts.session import UserSession
from portal.accounts.user import User
from portal.database import db, locked, transaction
from portal.security import passkey_proof, recent
from tests.pages.test_passkeys import options_in
from tests.people import PASSWORD
from tests.phone import set_up
from tests.security_key import SecurityKey

pytestmark = pytest.mark.settings(PORTAL_PUBLIC_URL="http://localhost:8000")

FORM = "/change-username"


def now(user: User) -> User:
    found = locked(User, user.id)
    assert found is not None
    return found


def with_passkey(user: User, **about: Any) -> SecurityKey:
    key = SecurityKey(**about)
    with transaction():
        answer = key.make(ceremony.options_to_add(now(user)))
        ceremony.add(now(user), answer=answer, name="Key")
    return key


def sign_in(browser: Any, key: SecurityKey) -> None:
    options = browser.get("/passkey/options").text
    answer = browser.submit("/login", to="/passkey/sign-in", code=key.answer(options))
    assert answer.location == "/"


@pytest.fixture
def ada(a_user) -> User:
    return a_user(approved=True, username="ada", email="ada@example.org")


@pytest.fixture
def key(ada, browser) -> SecurityKey:
    """A key of Ada's, who is signed in and kept her recovery codes."""
    made = with_passkey(ada)
    with transaction():
        recovery.make(now(ada))
        recovery.keep(now(ada))
    sign_in(browser, made)
    return made


@pytest.fixture
def later(key):
    """Past the time for which somebody counts as recently proved."""
    with time_machine.travel(clock.now() + timedelta(minutes=11)) as moment:
        yield moment


def asked(browser: Any, **fields: str) -> tuple[dict[str, str], str]:
    """The form that is sent too late, and the page that asks who is there."""
    data = {"csrf_token": browser.token("/account"), "username": "augusta", **fields}
    answer = browser.post(FORM, data=data)
    assert answer.status_code == 403
    return data, answer.text


def proofs() -> set[str]:
    db.session.rollback()
    return set(db.session.scalars(select(UserSession.proved_by)))


@pytest.mark.both_databases(everyday="sqlite")
def test_a_form_that_was_open_for_too_long_goes_on_with_a_passkey_too(browser, ada, key, later):
    data, page = asked(browser)
    before = browser.cookie("portal_session")

    done = browser.post(FORM, data={**data, passkey_proof.FIELD: key.answer(options_in(page))})

    assert done.status_code == 303
    db.session.refresh(ada)
    assert ada.username == "augusta"
    assert proofs() == {"passkey"}
    assert browser.cookie("portal_session") != before, "under another id (ASVS 7.2.4)"
    assert browser.get("/change-email").status_code == 200


def test_both_forms_of_the_page_keep_what_was_typed_and_one_needs_no_script(browser, key, later):
    _data, page = asked(browser, code="123456")
    password, by_key = page.split("data-passkey=")

    for part in (password, by_key):
        assert 'name="username" value="augusta"' in part
        assert 'name="code" value="123456"' in part
    assert f'name="{recent.FIELD}"' in password
    assert f'name="{passkey_proof.FIELD}" value="" data-passkey-answer' in by_key
    assert password.rpartition("<form")[2].endswith("novalidate hidden "), "until a script runs"


def test_the_page_before_a_form_takes_a_passkey_and_leads_on(browser, key, later):
    way = browser.get(FORM).location
    page = browser.get(way).text

    answer = browser.submit(
        way, to="/verify", next=FORM, **{passkey_proof.FIELD: key.answer(options_in(page))}
    )

    assert answer.location == FORM
    assert browser.get(FORM).status_code == 200


def test_the_page_before_a_form_says_why_not_and_still_knows_the_way(browser, key, later):
    page = browser.get(browser.get(FORM).location).text
    key.origin = "https://phish.example.org"

    answer = browser.submit(
        "/verify", next=FORM, **{passkey_proof.FIELD: key.answer(options_in(page))}
    )

    assert answer.location == f"/verify?next={FORM}"
    assert "did not give the answer" in browser.get(answer.location).text
    assert browser.get(FORM).status_code == 302


def test_who_has_none_is_asked_for_the_password_alone(browser, ada):
    phone, _codes = set_up(ada)
    browser.submit("/login", identity="ada", password=PASSWORD)
    browser.submit("/second-step", code=phone.shows(later=1))

    with time_machine.travel(clock.now() + timedelta(minutes=11)):
        pages = [asked(browser)[1], browser.get("/verify").text]
        answer = browser.submit("/verify", password=PASSWORD)

    for page in pages:
        assert "data-passkey" not in page
        assert "Enter your password again" in page
    assert answer.location == "/"


def test_the_password_does_as_before_for_who_has_a_passkey(browser, key, later):
    data, _page = asked(browser)

    assert browser.post(FORM, data={**data, recent.FIELD: "no"}).status_code == 400
    assert browser.post(FORM, data={**data, recent.FIELD: PASSWORD}).status_code == 303


def test_only_an_answer_to_this_question_in_this_session_counts(
    browser, new_browser, ada, key, later, a_user
):
    other = new_browser()
    sign_in(other, key)
    elsewhere = ceremony.options_for_proof(ada, here="0" * 64)
    bob = a_user(approved=True)
    stranger = with_passkey(bob)
    data, page = asked(browser)
    unseeing = SecurityKey(
        credential_id=key.credential_id, private=key.private, handle=key.handle, verifies=False
    )
    late = options_in(page)

    for answer in (
        "",
        "nonsense",
        key.answer(ceremony.options_to_sign_in()),
        key.answer(ceremony.options_for_second_step(ada)),
        key.answer(elsewhere),
        stranger.answer(options_in(page)),
        unseeing.answer(options_in(page)),
    ):
        refused = browser.post(FORM, data={**data, passkey_proof.FIELD: answer})
        assert refused.status_code == 400
        assert 'name="username" value="augusta"' in refused.text
        page = refused.text
    later.shift(timedelta(minutes=10, seconds=1))
    refused = browser.post(FORM, data={**data, passkey_proof.FIELD: key.answer(late)})
    assert "took too long" in refused.text
    assert proofs() == {"password"}
    good = {**data, passkey_proof.FIELD: key.answer(options_in(refused.text))}
    assert browser.post(FORM, data=good).status_code == 303


def test_the_answer_of_one_session_opens_no_other_one(browser, new_browser, ada, key):
    other = new_browser()
    sign_in(other, key)
    with time_machine.travel(clock.now() + timedelta(minutes=11)):
        _data, page = asked(browser)
        data, _page = asked(other)

        stolen = {**data, passkey_proof.FIELD: key.answer(options_in(page))}
        assert other.post(FORM, data=stolen).status_code == 400


@pytest.mark.settings(PORTAL_LIMITS_CHANGE_ACCOUNT="3 per hour")
def test_passkeys_cannot_be_tried_there_without_end_either(browser, key, later):
    data, page = asked(browser)
    wrong = {**data, passkey_proof.FIELD: "nonsense"}

    codes = [browser.post(FORM, data=wrong).status_code for _ in range(4)]
    right = {**data, passkey_proof.FIELD: key.answer(options_in(page))}
    late = browser.post(FORM, data=right)

    assert codes == [400, 400, 400, 429]
    assert late.status_code == 429
    assert 'name="username" value="augusta"' in late.text
    assert browser.submit("/verify", **{passkey_proof.FIELD: "x"}).status_code == 429


@pytest.mark.both_databases(everyday="postgresql")
@pytest.mark.settings(PORTAL_LIMITS_ENABLED="false")
def test_of_many_who_send_one_answer_at_once_one_goes_on(browser, new_browser, key, later):
    page = browser.get("/verify").text
    data = {
        "csrf_token": browser.token("/verify"),
        "next": "/account",
        passkey_proof.FIELD: key.answer(options_in(page)),
    }
    copies = [new_browser() for _ in range(64)]
    for copy in copies:
        for name in ("portal_session", "portal_visit"):
            copy.take(name, browser.cookie(name))
    db.session.rollback()

    def send(copy: Any) -> str:
        return str(copy.post("/verify", data=data).location)

    with ThreadPoolExecutor(8) as pool:
        ways = list(pool.map(send, copies))

    assert ways.count("/account") == 1
    assert set(ways) <= {"/account", "/login", "/login?next=/verify", "/verify?next=/account"}


def test_a_session_that_ended_meanwhile_is_not_proved(browser, ada, key, later):
    data, page = asked(browser)
    with transaction():
        now(ada).end_sessions()

    answer = browser.post(FORM, data={**data, passkey_proof.FIELD: key.answer(options_in(page))})

    assert answer.location == "/login"
    assert proofs() == set()
