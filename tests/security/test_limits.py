"""Limits (M15; H: unlimited attempts): per address and per account, each on its own route."""

import re
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from portal import clock
from portal.database import db
from portal.mail import outbox
from tests.conftest import a_browser, a_site, make_settings
from tests.crowd import together
from tests.pages import filled_in
from tests.people import PASSWORD, person


def try_to_sign_in(browser, identity, password="wrong", *, at="127.0.0.1", **headers):
    """One attempt from a client address; returns the status."""
    return browser.post(
        "/login",
        data={
            "csrf_token": browser.token("/login"),
            "identity": identity,
            "password": password,
        },
        environ_base={"REMOTE_ADDR": at},
        headers=headers,
    )


def statuses(browser, identity, times, **where):
    return [try_to_sign_in(browser, identity, **where).status_code for _ in range(times)]


def test_the_sixth_wrong_password_for_one_account_is_told_to_wait(browser, a_user):
    ada = person(a_user(approved=True))
    assert 429 not in statuses(browser, ada.username, 5)

    refused = try_to_sign_in(browser, ada.username, ada.password)

    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 15
    assert "Too many attempts" in refused.text
    assert re.search(r"You can try again in 1\d seconds\.", refused.text)


def test_each_wrong_password_more_waits_twice_as_long_and_never_for_good(browser, a_user):
    ada, waits = person(a_user(approved=True)), []
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False) as now:
        statuses(browser, ada.username, 5)
        for _ in range(9):
            waits.append(int(try_to_sign_in(browser, ada.username).headers["Retry-After"]))
            now.shift(waits[-1])
            assert try_to_sign_in(browser, ada.username).status_code == 200
        now.shift(30 * 60)
        answer = try_to_sign_in(browser, ada.username, ada.password)

    assert waits == [15, 30, 60, 120, 240, 480, 960, 1800, 1800]
    assert answer.status_code == 302


def test_after_a_right_password_counting_begins_anew(browser, new_browser, a_user):
    ada = person(a_user(approved=True))
    statuses(browser, ada.username, 4)
    assert try_to_sign_in(browser, ada.username, ada.password).status_code == 302

    assert statuses(new_browser(), ada.username, 6) == [200] * 5 + [429]


def test_a_form_without_a_password_is_no_guess(browser, a_user):
    ada = person(a_user(approved=True))

    assert 429 not in [try_to_sign_in(browser, ada.username, "").status_code for _ in range(7)]


def test_a_store_that_is_away_or_silent_fails_no_request_and_lifts_no_limit(tmp_path, database_url):
    """Redis down: limits count in this process, at once and without a 500."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        site = a_site(make_settings(tmp_path / "silent", database_url, PORTAL_REDIS_URL=url))
        with site.app_context():
            began = time.monotonic()
            answers = statuses(a_browser(site), "somebody", 6)
            took = time.monotonic() - began
            db.session.remove()
            db.engine.dispose()

    assert answers == [200] * 5 + [429]
    assert took < 10


def test_a_name_that_nobody_has_is_limited_alike(browser):
    assert 429 not in statuses(browser, "nobody-here", 5)

    assert try_to_sign_in(browser, "nobody-here").status_code == 429


def test_every_spelling_of_a_name_counts_for_the_same_account(browser, a_user):
    a_user(approved=True, username="ada")
    spellings = ["ada", "ADA", " Ada ", "ａｄａ", "aDa"]

    for spelling in spellings:
        assert try_to_sign_in(browser, spelling).status_code != 429

    assert try_to_sign_in(browser, "ada").status_code == 429


def test_after_a_while_one_may_try_again(browser, a_user):
    ada = person(a_user(approved=True))
    statuses(browser, ada.username, 6)

    with time_machine.travel(clock.now() + timedelta(minutes=6)):
        answer = try_to_sign_in(browser, ada.username, ada.password)

    assert answer.status_code == 302


def test_a_stranger_elsewhere_cannot_lock_the_owner_out(browser, new_browser, a_user):
    ada = person(a_user(approved=True))
    assert statuses(new_browser(), ada.username, 6, at="203.0.113.9")[-1] == 429

    answer = try_to_sign_in(browser, ada.username, ada.password, at="198.51.100.7")

    assert answer.status_code == 302


def test_ones_own_success_does_not_clear_what_was_tried_on_another_account(
    browser, new_browser, a_user
):
    """Guess four times, sign in to one's own account, guess on (allauth 65.8.1)."""
    ada, mallory = person(a_user(approved=True)), person(a_user(approved=True))
    statuses(browser, ada.username, 4)

    assert try_to_sign_in(browser, mallory.username, mallory.password).status_code == 302

    other = new_browser()
    assert statuses(other, ada.username, 2) == [200, 429]


def test_one_address_may_not_try_many_accounts(browser):
    tried = [try_to_sign_in(browser, f"somebody{n}").status_code for n in range(11)]

    assert tried == [200] * 10 + [429]


def test_a_forwarding_header_that_no_proxy_of_ours_wrote_changes_nothing(browser):
    """A client that says where it comes from is not believed (allauth 65.14.2)."""
    for number in range(10):
        try_to_sign_in(browser, f"somebody{number}", **{"X-Forwarded-For": f"10.0.0.{number}"})

    answer = try_to_sign_in(browser, "somebody", **{"X-Forwarded-For": "10.0.0.99"})

    assert answer.status_code == 429


@pytest.mark.settings(PORTAL_SERVER_PROXY_HOPS="1", PORTAL_LIMITS_SIGN_IN_ADDRESS="2 per minute")
def test_behind_a_proxy_the_last_hop_says_who_comes(browser):
    def attempt(forwarded):
        return try_to_sign_in(browser, "ada", **{"X-Forwarded-For": forwarded}).status_code

    first = [attempt("198.51.100.1, 203.0.113.5") for _ in range(3)]

    assert first == [200, 200, 429]
    assert attempt("198.51.100.2, 203.0.113.5") == 429, "what the client itself sent is ignored"
    assert attempt("203.0.113.6") == 200


@pytest.mark.settings(
    PORTAL_LIMITS_REGISTRATION_ADDRESS="2 per minute",
    PORTAL_LIMITS_RESEND_ADDRESS="2 per minute",
    PORTAL_LIMITS_RESET_ADDRESS="2 per minute",
)
def test_registration_resend_and_reset_are_each_limited_on_their_own(browser):
    """Mastodon CVE-2025-54879: the limit of one route guarded another."""

    def ask(path, number):
        fields = filled_in.registration(username=f"ada{number}", email=f"ada{number}@example.org")
        return browser.submit(path, **fields).status_code

    for start, path in enumerate(["/register", "/confirm", "/reset"]):
        numbers = range(start * 10, start * 10 + 3)
        assert [ask(path, number) for number in numbers] == [303, 303, 429], path


@pytest.mark.settings(PORTAL_LIMITS_RESET_ADDRESS="2 per minute")
def test_links_cannot_be_guessed_without_end(browser):
    token = browser.token("/reset")

    answers = [
        browser.post(f"/reset/guess{n}", data={"csrf_token": token}).status_code for n in range(3)
    ]

    assert answers == [400, 400, 429]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.settings(PORTAL_LIMITS_MAILS_TO_ONE_ADDRESS="3 per hour")
def test_nobody_can_bury_one_address_under_mails_from_many_places(browser, a_user, known):
    if known:
        a_user(approved=True, email="ada@example.org")
    before = len(outbox.waiting())

    answers = [
        browser.post(
            path,
            data={"csrf_token": browser.token("/reset"), "email": email},
            environ_base={"REMOTE_ADDR": f"203.0.113.{number}"},
        ).status_code
        for number, (path, email) in enumerate(
            [
                ("/reset", "ada@example.org"),
                ("/reset", "ADA@example.org"),
                ("/reset", "ada@EXAMPLE.org"),
                ("/reset", "Ada@example.org"),
                ("/confirm", "ada@example.org"),
            ]
        )
    ]

    assert answers == [303, 303, 303, 429, 303], "a way in is kept apart from what others ask for"
    assert len(outbox.waiting()) - before == (3 if known else 0)


@pytest.mark.settings(PORTAL_LIMITS_MAILS_TO_ONE_ADDRESS="2 per hour")
def test_nobody_can_bury_an_address_by_moving_there_from_their_accounts(
    browser, new_browser, a_user
):
    """Counted with what other forms mail there, and whoever is signed in."""
    for whoever in (browser, new_browser()):
        whoever.sign_in(person(a_user(approved=True)))
        asked = {"email": "eve@example.org", "current_password": PASSWORD}
        assert whoever.submit("/change-email", **asked).status_code == 303

    assert whoever.submit("/change-email", **asked).status_code == 429
    assert browser.submit("/confirm", email="EVE@example.org").status_code == 429


def test_a_mistyped_form_uses_up_nothing_of_what_one_address_may_be_mailed(browser):
    for _ in range(12):
        browser.submit("/register", **filled_in.registration(password_again="other"))

    answer = browser.submit("/register", **filled_in.registration())

    assert answer.status_code == 303


@pytest.mark.settings(PORTAL_LIMITS_CHANGE_ACCOUNT="3 per 10 minutes")
def test_a_borrowed_browser_cannot_guess_the_current_password(browser, a_user):
    browser.sign_in(person(a_user(approved=True)))

    answers = [
        browser.submit(path, current_password="wrong", password="wrong").status_code
        for path in ("/change", "/change-email", "/verify", "/change-username")
    ]

    assert answers[-1] == 429
    assert 429 not in answers[:-1]


@pytest.mark.settings(
    PORTAL_LIMITS_SIGN_IN_ADDRESS="1 per minute",
    PORTAL_LIMITS_REGISTRATION_ADDRESS="1 per minute",
    PORTAL_LIMITS_RESEND_ADDRESS="1 per minute",
    PORTAL_LIMITS_RESET_ADDRESS="1 per minute",
)
def test_looking_at_pages_is_never_limited(browser):
    for path in ("/login", "/register", "/reset", "/confirm", "/reset/x", "/confirm/x"):
        assert 429 not in [browser.get(path).status_code for _ in range(3)], path


@pytest.mark.settings(PORTAL_LIMITS_SIGN_IN_ADDRESS="1000 per minute")
def test_guesses_made_at_the_same_moment_all_count(app, new_browser, a_user):
    """Parallel guesses are no way around the count (devise CVE-2019-5421)."""
    ada = person(a_user(approved=True))
    browsers = [new_browser() for _ in range(16)]
    tokens = [browser.token("/login") for browser in browsers]

    def guess(browser, token):
        fields = {"csrf_token": token, "identity": ada.username, "password": "wrong"}
        return lambda: browser.post("/login", data=fields).status_code

    answers = together(map(guess, browsers, tokens))

    assert sorted(answers) == [200] * 5 + [429] * 11
    assert try_to_sign_in(new_browser(), ada.username, PASSWORD).status_code == 429


@pytest.mark.parametrize("known", [True, False])
def test_spellings_count_alike_whether_or_not_anybody_has_the_name(browser, a_user, known):
    """Else a stranger learns who has an account from what is limited and what is not (H)."""
    if known:
        a_user(approved=True, username="ada", email="ada@example.org")

    by_name = [
        try_to_sign_in(browser, name).status_code for name in ("ada", "ADA", "ａｄａ", "Ada")
    ]
    by_name += statuses(browser, "aDa", 2)
    by_address = try_to_sign_in(browser, "ada@example.org").status_code

    assert (by_name, by_address) == ([200] * 5 + [429], 200)


@pytest.mark.settings(
    PORTAL_LIMITS_SIGN_IN_ACCOUNT_ANYWHERE="6",
    PORTAL_LIMITS_SIGN_IN_ADDRESS="1000 per minute",
)
def test_guessing_from_many_places_is_limited_and_keeps_no_owner_out(browser, new_browser, a_user):
    """By account over all addresses together; a browser that was signed in before gets through."""
    ada = person(a_user(approved=True))
    browser.sign_in(ada)
    browser.submit("/account", to="/logout")
    stranger = new_browser()

    guesses = [
        try_to_sign_in(stranger, ada.username, at=f"203.0.113.{number}").status_code
        for number in range(7)
    ]

    assert guesses == [200] * 6 + [429]
    assert try_to_sign_in(browser, ada.username, ada.password).status_code == 302


@pytest.mark.settings(PORTAL_LIMITS_SIGN_IN_ADDRESS="3 per minute")
def test_one_customers_whole_ipv6_network_counts_as_one_address(browser):
    same = [
        try_to_sign_in(browser, f"somebody{n}", at=f"2001:db8:0:1::{n}").status_code
        for n in range(4)
    ]

    assert same == [200, 200, 200, 429]
    assert try_to_sign_in(browser, "somebody", at="2001:db8:0:2::1").status_code == 200
