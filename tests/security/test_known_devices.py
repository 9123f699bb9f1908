"""Whom limits slow down: networks and strangers, and not the owner of an account (M15)."""

import pytest

from tests.people import person

pytestmark = pytest.mark.settings(
    PORTAL_LIMITS_SIGN_IN_ACCOUNT="2 per hour",
    PORTAL_LIMITS_SIGN_IN_ACCOUNT_ANYWHERE="4 per hour",
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


def test_a_made_up_mark_of_a_known_device_counts_for_nothing(browser, a_user):
    user = a_user(approved=True)
    browser.set_cookie("portal_known", f'["account-{user.id}"].forged')

    for number in range(5):
        last = fail(browser, user.username, f"192.0.2.{number}")

    assert last.status_code == 429
