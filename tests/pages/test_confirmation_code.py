"""Confirming with the code of the mail (B3): for another device, by the rules of its link."""

import re
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from portal import clock, links
from portal.accounts.approval import reject
from portal.accounts.user import Status, User
from portal.database import db, transaction
from portal.mail import outbox, silence
from portal.mail.mail import Mail
from portal.mail.sealing import unseal
from tests.crowd import together
from tests.pages import filled_in
from tests.pages.letters import kinds_to, texts_to
from tests.people import Person, person

OTHER_PASSWORD = "Quiet-harbour 77"
ADDRESS = "ada@example.org"


def register(browser, **changed):
    return browser.submit("/register", **filled_in.registration(**changed))


def the_code(to=ADDRESS):
    """The code in the newest confirmation mail, as somebody reads it."""
    db.session.expire_all()
    mails = [m for m in outbox.waiting() if m.recipient == to and m.kind.startswith("confirmation")]
    text = unseal(max(mails, key=lambda mail: mail.id).body).text
    return re.search(r"^(\d{6})$", text, re.MULTILINE).group(1)


def wrong(right):
    return f"{(int(right) + 1) % 10**6:06}"


def enter(browser, code, email=ADDRESS, page="/confirm/code"):
    return browser.submit(page, to="/confirm/code", email=email, code=code)


def ada() -> User:
    db.session.expire_all()
    return db.session.scalars(select(User).filter_by(email_canonical=ADDRESS)).one()


@pytest.mark.both_databases(everyday="sqlite")
def test_the_browser_that_registered_confirms_with_the_code_alone(browser):
    register(browser)

    answer = enter(browser, the_code(), page="/register/sent")

    assert answer.headers["Location"] == "/confirm/done"
    assert ada().status is Status.PENDING
    assert kinds_to(ADDRESS) == ["confirmation", "waiting"]


@pytest.mark.both_databases(everyday="sqlite")
def test_any_other_browser_goes_on_to_choose_a_password(browser, new_browser):
    """A squatter who talks the owner into reading a code out has still not the owner's link."""
    register(browser)
    elsewhere = new_browser()

    onward = enter(elsewhere, the_code()).headers["Location"]

    assert ada().status is Status.UNCONFIRMED
    assert 'type="password"' in elsewhere.get(onward).get_data(as_text=True)
    done = elsewhere.submit(onward, **filled_in.confirmation(OTHER_PASSWORD))
    assert done.headers["Location"] == "/confirm/done"
    elsewhere.sign_in(Person("ada", OTHER_PASSWORD))


def test_where_an_address_is_contested_the_code_leads_to_a_password_too(browser, new_browser):
    register(browser)
    register(new_browser())

    onward = enter(browser, the_code()).headers["Location"]

    assert ada().status is Status.UNCONFIRMED
    assert 'type="password"' in browser.get(onward).get_data(as_text=True)


def test_somebody_who_is_signed_in_confirms_nobody_else(browser, a_user):
    register(browser)
    browser.sign_in(person(a_user(approved=True)))

    onward = enter(browser, the_code()).headers["Location"]

    assert "belongs to another account" in browser.get(onward).get_data(as_text=True)
    assert ada().status is Status.UNCONFIRMED


def test_a_code_works_once_and_the_link_says_used_then(browser, new_browser):
    register(browser)
    code = the_code()
    enter(browser, code)

    assert enter(new_browser(), code).status_code == 400
    page = browser.get(links.confirmation(ada()).partition("8000")[2]).get_data(as_text=True)
    assert "confirmed already" in page


def test_a_code_is_dead_once_the_link_was_used(browser):
    register(browser)
    code = the_code()
    browser.submit(links.confirmation(ada()).partition("8000")[2])

    assert enter(browser, code).status_code == 400


@pytest.mark.settings(PORTAL_LIMITS_ENABLED="false")
def test_after_five_wrong_ones_the_right_code_is_none_and_the_link_still_works(browser):
    register(browser)
    code = the_code()

    for _ in range(5):
        assert enter(browser, wrong(code)).status_code == 400

    assert enter(browser, code).status_code == 400
    assert ada().status is Status.UNCONFIRMED
    browser.submit(links.confirmation(ada()).partition("8000")[2])
    assert ada().status is Status.PENDING


def test_a_code_is_dead_after_ten_minutes_and_a_fresh_mail_brings_another(browser):
    register(browser)
    code = the_code()

    with time_machine.travel(clock.now() + timedelta(minutes=11)):
        assert enter(browser, code).status_code == 400
        browser.submit("/confirm", email=ADDRESS)
        assert enter(browser, the_code()).headers["Location"] == "/confirm/done"


def test_a_wrong_code_says_what_to_do_and_keeps_the_address(browser):
    register(browser)

    page = enter(browser, wrong(the_code()), page="/register/sent").get_data(as_text=True)

    assert "not the code that works now" in page
    assert f'value="{ADDRESS}"' in page
    assert 'href="/confirm"' in page


@pytest.mark.parametrize("kind", ["unknown", "confirmed", "rejected", "silenced"])
def test_the_right_code_of_nobody_who_may_confirm_is_a_wrong_one(browser, new_browser, kind):
    register(browser)
    code = the_code()
    if kind == "confirmed":
        browser.submit(links.confirmation(ada()).partition("8000")[2])
    with transaction():
        if kind == "rejected":
            reject(ada(), by=None)
        if kind == "silenced":
            silence.silence(ADDRESS, "confirmation")
    stranger = new_browser()

    answer = enter(stranger, code, email="eve@example.org" if kind == "unknown" else ADDRESS)

    assert answer.status_code == 400
    assert "not the code that works now" in answer.get_data(as_text=True)


def test_a_code_for_one_address_is_none_for_another(browser, new_browser):
    register(browser)
    register(new_browser(), email="eve@example.org", username="eve")

    assert enter(browser, the_code(), email="eve@example.org").status_code == 400


def test_wrong_codes_for_one_address_are_limited_from_wherever_they_come(app, new_browser):
    register(new_browser())
    right = the_code()

    def guess(number):
        guesser = new_browser()
        data = {"csrf_token": guesser.token("/terms"), "email": ADDRESS, "code": wrong(right)}
        where = {"REMOTE_ADDR": f"198.51.100.{number}"}
        return guesser.post("/confirm/code", data=data, environ_base=where).status_code

    answers = [guess(number) for number in range(21)]

    assert answers == [400] * 20 + [429]


def test_guesses_from_one_place_are_limited_whatever_addresses_they_are_for(browser):
    answers = [enter(browser, "123456", email=f"a{n}@example.org").status_code for n in range(21)]

    assert answers == [400] * 20 + [429]


@pytest.mark.both_databases(everyday="postgresql")
@pytest.mark.settings(PORTAL_LIMITS_ENABLED="false")
def test_a_code_entered_by_many_at_once_lets_one_through(app, browser, new_browser):
    register(browser)
    code = the_code()
    browsers = [new_browser() for _ in range(16)]
    tokens = [each.token("/confirm/code") for each in browsers]

    def press(each, token):
        data = {"csrf_token": token, "email": ADDRESS, "code": code}
        return lambda: each.post("/confirm/code", data=data).status_code

    assert sorted(together(map(press, browsers, tokens))) == [303] + [400] * 15


def test_what_is_mailed_and_what_is_entered_is_noted_as_used(browser):
    register(browser)

    enter(browser, the_code())

    mail = db.session.scalars(select(Mail).filter_by(kind="confirmation")).one()
    assert mail.used_at is not None


def test_the_code_stands_in_no_address_and_not_in_the_database(browser, new_browser):
    register(browser)
    code = the_code()

    onward = enter(new_browser(), code).headers["Location"]

    assert code not in onward
    assert code in texts_to(ADDRESS)
    rows = [
        repr(tuple(row))
        for table in db.metadata.sorted_tables
        for row in db.session.execute(select(table))
    ]
    assert not [row for row in rows if re.search(rf"\b{code}\b", row)]


@pytest.mark.parametrize("code", ["", " ", "\0", "٦" * 6, "1" * 5000, "<b>1</b>", "{{7*7}}"])
def test_wild_codes_are_wrong_codes(browser, code):
    register(browser)

    assert enter(browser, code).status_code == 400
