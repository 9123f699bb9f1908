"""Shut out: an alarm leaves no way in open, whatever was prepared, also at the same moment."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, select

from portal import links
from portal.accounts import alarm, code, credentials, proof, session
from portal.accounts.code import MailedCode, Purpose
from portal.accounts.factors import ceremony, passkey
from portal.accounts.user import User
from portal.audit import Way
from portal.database import db, engine, locked, transaction
from portal.links import LinkState
from portal.mail import outbox
from portal.mail.sealing import unseal
from tests.crowd import together
from tests.pages.test_passkeys import options_in
from tests.people import PASSWORD, person
from tests.phone import set_up
from tests.security_key import SecurityKey

pytestmark = pytest.mark.settings(PORTAL_PUBLIC_URL="http://localhost:8000")

EVIL = "thief@example.net"
NEW = "Brighter-harbour 77"
WRITES = ("BEGIN IMMEDIATE", "INSERT", "UPDATE", "DELETE")


@pytest.fixture
def ada(a_user) -> User:
    return a_user(approved=True, username="ada", email="ada@example.org")


@pytest.fixture
def notice(ada) -> str:
    """The link in a notice, from before anything happened."""
    return path_of(links.alarm(ada, "ada@example.org"))


def path_of(link: str) -> str:
    return link.partition("8000")[2]


def token_of(link: str) -> str:
    return link.rpartition("/")[2]


def now(user: User) -> User:
    found = locked(User, user.id)
    assert found is not None
    return found


def with_passkey(user: User) -> SecurityKey:
    key = SecurityKey()
    with transaction():
        answer = key.make(ceremony.options_to_add(now(user)))
        ceremony.add(now(user), answer=answer, name="Key")
    return key


def raise_it(notice: str) -> None:
    with transaction():
        found = links.read_alarm(notice.removesuffix("/not-me").rpartition("/")[2])
        assert found is not None
        alarm.raise_alarm(links.Notice(now(found.user), found.address, found.at))


def elsewhere(app: Any, deed: Callable[[], None]) -> None:
    """Let somebody else do something, whole, while this request waits."""

    def whole() -> None:
        with app.app_context():
            deed()
            db.session.remove()

    one = threading.Thread(target=whole)
    one.start()
    one.join(30)


@contextmanager
def just_before_the_next_step(app: Any, deed: Callable[[], None]) -> Iterator[None]:
    """Let somebody else do something when the next step is about to get the lock (SQLite)."""
    waiting = [deed]

    def look(_conn: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.startswith(WRITES) and waiting:
            elsewhere(app, waiting.pop())

    event.listen(engine(), "before_cursor_execute", look)
    try:
        yield
    finally:
        event.remove(engine(), "before_cursor_execute", look)
    assert not waiting, "no step was taken"


def test_no_passkey_signs_in_until_the_owner_chose_a_password(ada, notice, browser, new_browser):
    key = with_passkey(ada)
    browser.submit(notice)
    thief = new_browser()

    options = thief.get("/passkey/options").text
    answer = thief.submit("/login", to="/passkey/sign-in", code=key.answer(options))

    assert answer.location == "/login"
    assert "does not know this passkey" in thief.get("/login").text
    assert thief.get("/account").status_code == 302


def test_afterwards_the_thiefs_passkey_is_none_and_the_owners_signs_in(ada, browser, new_browser):
    mine = with_passkey(ada)
    mark = path_of(links.alarm(ada, "ada@example.org"))
    evil = with_passkey(ada)
    browser.submit(mark)
    browser.submit(way_back(), password=NEW, password_again=NEW)

    for key, where in ((evil, "/login"), (mine, "/")):
        other = new_browser()
        options = other.get("/passkey/options").text
        answer = other.submit("/login", to="/passkey/sign-in", code=key.answer(options))
        assert answer.location == where


def way_back() -> str:
    db.session.expire_all()
    (mail,) = (mail for mail in outbox.waiting() if mail.kind == "way_back")
    found = re.search(r"http://\S+/reset/\S+", unseal(mail.body).text)
    assert found
    return path_of(found[0])


def test_a_device_that_is_to_stay_signed_in_is_out_also_after_it_was_closed(
    ada, notice, browser, new_browser
):
    thief = new_browser()
    thief.submit("/login", identity="ada", password=PASSWORD, remember="y")
    kept = thief.cookie("portal_session")
    browser.submit(notice)
    browser.submit(way_back(), password=NEW, password_again=NEW)

    assert thief.get("/account").status_code == 302
    again = new_browser()
    again.take("portal_session", kept)
    again.take("portal_known", thief.cookie("portal_known"))
    assert again.get("/account").status_code == 302


@pytest.mark.parametrize("by", ["app", "recovery", "passkey"])
def test_half_a_sign_in_is_none_any_more(ada, notice, browser, new_browser, by):
    key = with_passkey(ada)
    phone, codes = set_up(ada)
    thief = new_browser()
    thief.submit("/login", identity="ada", password=PASSWORD)
    page = thief.get("/second-step").text
    form_token = thief.token("/second-step")
    browser.submit(notice)

    way, typed = {
        "app": ("/second-step", phone.shows(later=1)),
        "recovery": ("/second-step/recovery", codes[0]),
        "passkey": ("/second-step/passkey", key.answer(options_in(page))),
    }[by]
    answer = thief.post(way, data={"csrf_token": form_token, "code": typed})

    assert answer.location == "/login"
    assert thief.get("/account").status_code == 302


@pytest.mark.parametrize("by", ["app", "recovery", "passkey"])
def test_nor_is_it_when_the_alarm_comes_at_the_same_moment(app, ada, notice, new_browser, by):
    key = with_passkey(ada)
    phone, codes = set_up(ada)
    thief = new_browser()
    thief.submit("/login", identity="ada", password=PASSWORD)
    page = thief.get("/second-step").text
    way, typed = {
        "app": ("/second-step", phone.shows(later=1)),
        "recovery": ("/second-step/recovery", codes[0]),
        "passkey": ("/second-step/passkey", key.answer(options_in(page))),
    }[by]
    data = {"csrf_token": thief.token("/second-step"), "code": typed}

    with just_before_the_next_step(app, lambda: raise_it(notice)):
        answer = thief.post(way, data=data)

    assert answer.status_code == 400
    assert "Sign in again" in answer.text
    assert thief.get("/account").status_code == 302
    assert session.of(ada) == []


def test_a_sign_in_whose_password_was_right_a_moment_ago_lets_nobody_in(
    app, ada, notice, new_browser
):
    thief = new_browser()
    data = {"csrf_token": thief.token("/login"), "identity": "ada", "password": PASSWORD}

    # After the password, before the session: the first that is written is who signs in.
    with just_before_the_next_step(app, lambda: raise_it(notice)):
        answer = thief.post("/login", data=data)

    assert answer.location == "/login"
    assert "Sign in again" in thief.get("/login").text
    assert thief.get("/account").status_code == 302
    assert session.of(ada) == []


def test_a_pending_change_of_address_and_every_link_and_code_come_to_nothing(
    ada, notice, browser, new_browser
):
    with transaction():
        user = now(ada)
        moves = token_of(links.change_of_address(user, EVIL))
        reset, status = token_of(links.password_reset(user)), token_of(links.status(user))
        confirms = token_of(links.confirmation(user))
        credentials.ask_for_address_change(user, email=EVIL)
        proof.mail_code(user, asked=Way.LINK)
        code.issue(user, Purpose.CONFIRMATION)
    browser.submit(notice)
    browser.submit(way_back(), password=NEW, password_again=NEW)

    for read, found in (
        (links.read_change_of_address, moves),
        (links.read_password_reset, reset),
        (links.read_status, status),
        (links.read_confirmation, confirms),
    ):
        assert read(found).state is LinkState.INVALID
    assert db.session.scalars(select(MailedCode)).all() == []
    browser.submit("/login", identity="ada", password=NEW)
    assert browser.get(f"/change-email/{moves}").status_code == 400
    stranger = new_browser()
    for page in (f"/reset/{reset}", f"/status/{status}", f"/confirm/{confirms}"):
        assert stranger.get(page).status_code == 400


@pytest.mark.parametrize("deed", ["passkey", "password", "app", "removal"])
def test_who_is_shut_out_at_the_same_moment_takes_no_step_more(app, ada, notice, new_browser, deed):
    thief, key = new_browser(), SecurityKey()
    if deed == "removal":
        with_passkey(ada)
        set_up(ada)
        with transaction():
            secret = session.begin(now(ada))
        thief.take("portal_session", secret)
    else:
        thief.sign_in(person(ada))
    before = passkey.number(ada)
    found = passkey.of(ada)
    way, data = {
        "passkey": lambda: ("/second-factor/passkeys/new", {"name": "Key"}),
        "app": lambda: ("/second-factor/app", {}),
        "password": lambda: (
            "/change",
            {"current_password": PASSWORD, "password": NEW, "password_again": NEW},
        ),
        "removal": lambda: (f"/second-factor/passkeys/{found[0].id}/removal", {}),
    }[deed]()
    page = thief.get(way).text
    data = {"csrf_token": thief.token(way), **data}
    if deed == "passkey":
        data["code"] = key.make(options_in(page))
    if deed == "app":
        sealed = re.search(r'name="sealed"[^>]*value="([^"]+)"', page)
        assert sealed
        data |= {"sealed": sealed[1], "code": "000000"}

    with just_before_the_next_step(app, lambda: raise_it(notice)):
        answer = thief.post(way, data=data)

    assert answer.location == "/login"
    assert thief.get("/account").status_code == 302
    db.session.expire_all()
    assert ada.password is None
    assert passkey.number(ada) == before
    assert session.of(ada) == []


@pytest.mark.both_databases
def test_a_passkey_that_is_added_while_the_owner_says_it_was_not_them_lets_nobody_in(
    app, ada, notice, browser, new_browser
):
    thief, key = new_browser(), SecurityKey()
    thief.sign_in(person(ada))
    way = "/second-factor/passkeys/new"
    answer = key.make(options_in(thief.get(way).text))
    data = {"csrf_token": thief.token(way), "name": "Key", "code": answer}
    mine = {"csrf_token": browser.token(notice)}

    codes = together(
        [
            lambda: thief.post(way, data=data).status_code,
            lambda: browser.post(notice, data=mine).status_code,
        ]
    )

    assert codes[0] in (302, 303)  # too late, they are sent to sign in
    assert codes[1] == 303
    assert thief.get("/account").status_code == 302
    assert session.of(ada) == []
    browser.submit(way_back(), password=NEW, password_again=NEW)
    assert passkey.number(ada) == 0
    assert browser.submit("/login", identity="ada", password=NEW).location == "/"
