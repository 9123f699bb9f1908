"""Passkeys at the doors: added, used instead of the password and after it, and taken away."""

from __future__ import annotations

import html
import re

import pytest

from portal.accounts.factors import passkey, standing
from portal.accounts.user import User
from tests.people import PASSWORD, person
from tests.security_key import SecurityKey

pytestmark = pytest.mark.settings(PORTAL_PUBLIC_URL="http://localhost:8000")


@pytest.fixture
def ada(a_user) -> User:
    return a_user(username="ada", approved=True)


def options_in(page: str) -> str:
    found = re.search(r"data-passkey-options>(.*?)</script>", page)
    assert found
    return html.unescape(found[1])


def add(browser, key: SecurityKey, *, name: str = "Phone"):
    page = browser.get("/second-factor/passkeys/new").text
    return browser.submit("/second-factor/passkeys/new", name=name, code=key.make(options_in(page)))


@pytest.fixture
def key(ada, browser) -> SecurityKey:
    """A key that Ada added, who then signed out."""
    browser.sign_in(person(ada))
    made = SecurityKey()
    assert add(browser, made).location == "/second-factor/recovery-codes"
    browser.submit("/second-factor/recovery-codes")
    browser.submit(
        "/second-factor/recovery-codes", to="/second-factor/recovery-codes/kept", kept="y"
    )
    browser.submit("/account", to="/logout")
    return made


def test_a_passkey_signs_in_without_the_password(ada, key, browser):
    options = browser.get("/passkey/options")
    assert options.mimetype == "application/json"

    answer = browser.submit(
        "/login", to="/passkey/sign-in", code=key.answer(options.text), next="/account"
    )

    assert answer.location == "/account"
    assert browser.get("/account").status_code == 200


def test_after_the_password_it_is_the_second_step(ada, key, browser):
    assert browser.submit("/login", identity="ada", password=PASSWORD).location == "/second-step"
    page = browser.get("/second-step").text
    assert "Code from the app" not in page

    answer = browser.submit(
        "/second-step", to="/second-step/passkey", code=key.answer(options_in(page))
    )

    assert answer.location == "/"
    assert browser.get("/account").status_code == 200


def test_a_wrong_answer_is_refused_in_words_at_both_doors(ada, key, browser):
    key.origin = "https://phish.example.org"
    options = browser.get("/passkey/options").text

    answer = browser.submit("/login", to="/passkey/sign-in", code=key.answer(options))
    assert answer.location == "/login"
    assert "did not give the answer" in browser.get("/login").text
    browser.submit("/login", identity="ada", password=PASSWORD)
    page = browser.get("/second-step").text
    answer = browser.submit(
        "/second-step", to="/second-step/passkey", code=key.answer(options_in(page))
    )
    assert answer.status_code == 400
    assert "did not give the answer" in answer.text
    assert browser.get("/account").status_code == 302


def test_the_sign_in_page_says_the_same_whoever_has_one(ada, key, browser, new_browser):
    pages = [
        each.get("/login").text.split('name="csrf_token"')[0] for each in (browser, new_browser())
    ]

    assert pages[0] == pages[1]


def test_a_passkey_is_named_renamed_and_removed_by_its_owner_only(ada, key, browser, a_user):
    bob = a_user(approved=True)
    found = passkey.of(ada)[0]
    browser.sign_in(person(bob))
    for path in ("", "/removal"):
        assert browser.get(f"/second-factor/passkeys/{found.id}{path}").status_code == 404
    browser.submit("/account", to="/logout")

    options = browser.get("/passkey/options").text
    browser.submit("/login", to="/passkey/sign-in", code=key.answer(options))
    assert "Phone" in browser.get("/second-factor").text
    answer = browser.submit(f"/second-factor/passkeys/{found.id}", name="")
    assert answer.status_code == 400
    browser.submit(f"/second-factor/passkeys/{found.id}", name="Key on the ring")
    assert "Key on the ring" in browser.get("/second-factor").text
    answer = browser.submit(f"/second-factor/passkeys/{found.id}/removal")

    assert answer.location == "/second-factor"
    assert not standing.has_factor(ada)


def test_without_a_script_the_page_says_what_is_missing(ada, browser):
    browser.sign_in(person(ada))

    answer = browser.submit("/second-factor/passkeys/new", name="Phone", code="")

    assert answer.status_code == 400
    assert "need JavaScript" in answer.text


def test_the_same_key_is_not_added_twice(ada, key, browser):
    options = browser.get("/passkey/options").text
    browser.submit("/login", to="/passkey/sign-in", code=key.answer(options))

    answer = add(browser, key)

    assert answer.status_code == 400
    assert "knows this passkey already" in answer.text
