"""A mistyped address is corrected by the browser that registered, and by no other (B1)."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from portal.accounts.user import Status, User
from portal.audit import Action, AuditEntry
from portal.database import db, transaction
from portal.desk.traces import RequestTrace, Trace
from portal.mail import silence
from tests.pages import filled_in
from tests.pages.letters import kinds_to, link_in_last_mail, texts_to
from tests.pages.test_withdrawal import actions_about

PAGE, WRONG, RIGHT = "/register/address", "adaa@example.com", "ada@example.org"


def register(browser, **changed):
    return browser.submit("/register", **filled_in.registration(**{"email": WRONG, **changed}))


def correct(browser, email=RIGHT):
    return browser.submit(PAGE, email=email)


def registered(username="ada") -> User:
    db.session.expire_all()
    return db.session.scalars(select(User).filter_by(username_canonical=username)).one()


@pytest.mark.both_databases(everyday="sqlite")
def test_the_browser_that_registered_corrects_the_address(browser):
    register(browser)
    old_link = link_in_last_mail(WRONG, "confirmation")
    assert PAGE in browser.get("/register/sent").text

    answer = correct(browser)

    assert (answer.status_code, answer.location) == (303, "/register/sent")
    assert RIGHT in browser.get("/register/sent").text
    ada = registered()
    assert (ada.email, ada.status) == (RIGHT, Status.UNCONFIRMED)
    assert actions_about(ada) == [Action.REGISTERED, Action.ADDRESS_CORRECTED]
    assert kinds_to(WRONG) == [], "what had not left yet never does"
    assert "does not work" in browser.get(old_link).text

    browser.submit(link_in_last_mail(RIGHT, "confirmation"))

    assert registered().status is Status.PENDING, "by the button, as the password is theirs"
    domains = select(RequestTrace.value).filter_by(user_id=ada.id, kind=Trace.DOMAIN)
    assert db.session.scalars(domains).all() == ["example.org"]


def test_a_domain_that_looks_mistyped_is_asked_about_alike_for_those_known_and_unknown(
    browser, new_browser, a_user
):
    a_user(email="ada@gmial.com")
    said = []
    for window, address in ((browser, "ada@gmial.com"), (new_browser(), "eve@gmial.com")):
        register(window, username=address[:3], email=address)
        page = window.get("/register/sent").text
        assert f'Did you mean <bdi class="address" dir="ltr">{address[:3]}@gmail.com' in page
        assert f'value="{address[:3]}@gmail.com"' in window.get(PAGE).text
        said.append(page.count(PAGE))

    assert said[0] == said[1]
    assert registered("eve").email == "eve@gmial.com", "it is only asked"
    register(browser, username="may", email=RIGHT)
    assert "Did you mean" not in browser.get("/register/sent").text


def test_no_other_browser_can(browser, new_browser):
    register(browser)
    stranger, another = new_browser(), new_browser()
    register(another, username="eve", email="eve@example.org")

    token = stranger.token("/register")
    refused = stranger.post(PAGE, data={"csrf_token": token, "email": "mallory@example.org"})
    correct(another, "mallory@example.org")

    assert "Only the browser in which you registered" in refused.text
    assert registered().email == WRONG
    assert registered("eve").email == "mallory@example.org", "its own, and nobody else's"


def test_a_confirmed_address_is_not_corrected(browser, new_browser):
    register(browser)
    link = link_in_last_mail(WRONG, "confirmation")
    new_browser().submit(link, **filled_in.confirmation("Quiet-harbour 77"))
    assert registered().status is Status.PENDING

    correct(browser)

    assert registered().email == WRONG
    assert kinds_to(RIGHT) == []


def test_whoever_squats_an_address_cannot_take_the_registration_of_its_owner_along(
    browser, new_browser
):
    """The owner of the address registered after them, and the link that they got goes on."""
    register(browser)
    register(new_browser(), username="augusta")
    owners_link = link_in_last_mail(WRONG, "confirmation_again")

    correct(browser)

    assert registered().email == WRONG
    assert "Press the button to confirm it." in browser.get(owners_link).text


@pytest.mark.both_databases(everyday="sqlite")
def test_an_address_that_somebody_has_is_told_and_nothing_moves(browser, a_user):
    a_user(approved=True, email=RIGHT, username="countess")
    register(browser)

    correct(browser)

    assert registered().email == WRONG
    assert kinds_to(RIGHT)[-1] == "already_registered"


def test_a_silenced_address_is_not_mailed_by_way_of_a_correction(browser):
    with transaction():
        silence.silence(RIGHT, "confirmation")
    register(browser)

    correct(browser)

    assert kinds_to(RIGHT) == []
    assert registered().email == WRONG, "it can be corrected again"
    assert correct(browser, "ada@example.net").status_code == 303
    assert registered().email == "ada@example.net"


def test_the_owner_of_the_wrong_address_silences_it_and_nobody_else(browser):
    register(browser)
    found = [line for line in texts_to(WRONG).splitlines() if line.endswith("/not-me")]
    not_me = found[0].partition("8000")[2]
    correct(browser)

    browser.submit(not_me)

    assert registered().email == RIGHT
    assert silence.is_silenced(WRONG)
    assert not silence.is_silenced(RIGHT)


def test_a_nonsensical_address_stays_typed(browser):
    register(browser)

    answer = correct(browser, "ada@")

    assert answer.status_code == 400
    assert 'value="ada@"' in answer.text
    assert registered().email == WRONG


def test_corrections_are_limited(browser):
    register(browser)

    statuses = [correct(browser, f"ada{number}@example.org").status_code for number in range(11)]

    assert statuses == [303] * 10 + [429]
    assert db.session.scalars(select(AuditEntry.action)).all().count(Action.ADDRESS_CORRECTED) == 10
