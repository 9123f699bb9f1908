"""Whom limits slow down: networks and strangers, and not the owner of an account (M15)."""

import re

import pytest

from portal.mail import outbox
from portal.mail.sealing import unseal
from tests.people import person

pytestmark = pytest.mark.settings(
    PORTAL_LIMITS_SIGN_IN_ACCOUNT="2",
    PORTAL_LIMITS_SIGN_IN_ACCOUNT_ANYWHERE="4",
)


def fail(browser, username, address):
    return browser.post(
        "/login",
        data={"csrf_token": browser.token("/login"), "identity": username, "password": "wrong"},
        environ_base={"REMOTE_ADDR": address},
    )


def test_addresses_of_one_network_count_as_one(browser, a_user):
    user = a_user(approved=True)

    answers = [fail(browser, user.username, f"2001:db8:1:2::{n}").status_code for n in range(1, 4)]

    assert answers == [200, 200, 429]


def test_spellings_of_one_name_count_together_and_name_and_address_apart(browser, a_user):
    """Together, they would tell a stranger that both belong to somebody (H)."""
    user = a_user(approved=True)

    by_address = [
        fail(browser, name, "192.0.2.1").status_code
        for name in (user.email, user.email.upper(), user.email)
    ]
    by_name = fail(browser, user.username, "192.0.2.1").status_code

    assert (by_address, by_name) == ([200, 200, 429], 200)


def test_strangers_cannot_keep_somebody_out_of_a_browser_they_used_before(
    browser, new_browser, a_user
):
    user = a_user(approved=True)
    browser.sign_in(person(user))
    browser.submit("/account", to="/logout")
    stranger = new_browser()
    for number in range(5):
        last = fail(stranger, user.username, f"192.0.2.{number}")
    assert last.status_code == 429

    browser.sign_in(person(user))

    assert browser.get("/account").status_code == 200


def test_a_colleague_on_the_same_network_cannot_keep_somebody_out_of_their_browser(
    browser, new_browser, a_user
):
    user = a_user(approved=True)
    browser.sign_in(person(user))
    browser.submit("/account", to="/logout")

    beside = [fail(new_browser(), user.username, "127.0.0.1").status_code for _ in range(3)]

    assert beside == [200, 200, 429]
    browser.sign_in(person(user))


def test_a_known_browser_guesses_no_more_than_others(browser, new_browser, a_user):
    """Whoever copies its cookie has that browser's tries, wherever they go."""
    user = a_user(approved=True)
    browser.sign_in(person(user))
    browser.submit("/account", to="/logout")
    thief = new_browser()
    thief.take("portal_known", browser.cookie("portal_known"))

    guesses = [fail(thief, user.username, f"192.0.2.{n}").status_code for n in range(3)]

    assert guesses == [200, 200, 429]


def test_an_owner_in_a_new_browser_gets_in_by_mail_whatever_strangers_do(new_browser, a_user):
    """The one way in that needs no luck: it ends in a browser that is known from then on."""
    user = a_user(approved=True)
    stranger, owner = new_browser(), new_browser()
    for number in range(5):
        last = fail(stranger, user.username, f"192.0.2.{number}")
    slowed = owner.submit("/login", identity=user.username, password=person(user).password)
    assert (last.status_code, slowed.status_code) == (429, 429)
    assert 'href="/reset"' in slowed.text

    owner.submit("/reset", email=user.email)
    mail = next(mail for mail in outbox.waiting() if mail.kind == "password_reset")
    link = re.search(r"/reset/\S+", unseal(mail.body).text).group()
    owner.submit(link, password="Another-lantern 43", password_again="Another-lantern 43")
    answer = owner.submit("/login", identity=user.username, password="Another-lantern 43")

    assert answer.status_code == 302


def test_a_made_up_mark_of_a_known_device_counts_for_nothing(browser, a_user):
    user = a_user(approved=True)
    browser.set_cookie("portal_known", f'["{32 * "0"}","account-{user.id}"].forged')

    for number in range(5):
        last = fail(browser, user.username, f"192.0.2.{number}")

    assert last.status_code == 429
