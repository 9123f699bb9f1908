"""Forgotten password, and changing password, address and username (M8)."""

import re
import unicodedata
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from portal import clock
from portal.accounts.suspension import suspend
from portal.accounts.user import User
from portal.audit import Action, AuditEntry
from portal.database import db, transaction
from portal.mail import outbox
from tests.crowd import together
from tests.pages import filled_in
from tests.pages.letters import kinds_to, link_in_last_mail, texts_to
from tests.people import PASSWORD, Person, person

NEW = "Quiet-harbour 77"


def actions() -> list[str]:
    db.session.expire_all()
    return list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


@pytest.fixture
def ada(a_user) -> User:
    return a_user(approved=True, username="ada", email="ada@example.org")


def reset_link(browser, email="ada@example.org") -> str:
    browser.submit("/reset", email=email)
    return link_in_last_mail("ada@example.org", "password_reset")


# Forgotten password


@pytest.mark.both_databases(everyday="sqlite")
def test_a_forgotten_password_is_replaced_through_a_mailed_link(browser, new_browser, ada):
    elsewhere = new_browser()
    elsewhere.sign_in(person(ada))

    link = reset_link(browser)
    answer = browser.submit(link, **filled_in.new_password(NEW))

    assert answer.headers["Location"] == "/login"
    assert elsewhere.get("/").status_code == 302, "every session ends"
    assert browser.submit("/login", identity="ada", password=PASSWORD).status_code == 200
    browser.sign_in(Person("ada", NEW))
    assert kinds_to("ada@example.org")[-1] == "password_changed"
    assert actions()[-1] == Action.PASSWORD_RESET


def test_looking_at_a_reset_link_changes_nothing(browser, ada):
    link = reset_link(browser)
    before = ada.password

    for _ in range(2):
        assert browser.get(link).status_code == 200
        assert browser.head(link).status_code == 200
    assert browser.post(link, data=filled_in.new_password(NEW)).status_code == 400

    db.session.refresh(ada)
    assert ada.password == before


def test_choosing_a_new_password_signs_nobody_in(browser, ada):
    browser.submit(reset_link(browser), **filled_in.new_password(NEW))

    assert browser.get("/").status_code == 302


def test_a_reset_link_works_once(browser, ada):
    link = reset_link(browser)
    browser.submit(link, **filled_in.new_password(NEW))

    again = browser.post(
        link, data={"csrf_token": browser.token("/reset"), **filled_in.new_password(PASSWORD)}
    )

    assert again.status_code == 400
    browser.sign_in(Person("ada", NEW))


def test_using_one_reset_link_ends_every_other(browser, ada):
    first, second = reset_link(browser), reset_link(browser)
    assert browser.get(first).status_code == browser.get(second).status_code == 200

    browser.submit(second, **filled_in.new_password(NEW))

    assert browser.get(first).status_code == 400


def test_a_reset_link_lasts_thirty_minutes(browser, ada):
    link = reset_link(browser)

    with time_machine.travel(clock.now() + timedelta(minutes=29)):
        assert browser.get(link).status_code == 200
    with time_machine.travel(clock.now() + timedelta(minutes=31)):
        late = browser.get(link)
    assert late.status_code == 400
    assert 'href="/reset"' in late.get_data(as_text=True)


@pytest.mark.parametrize("change", ["password", "address", "suspension"])
def test_a_change_of_what_one_signs_in_with_kills_outstanding_reset_links(
    browser, new_browser, ada, manager, change
):
    """Links to an old address do not stay alive (Discourse #43863)."""
    link = reset_link(browser)
    browser.sign_in(person(ada))

    if change == "password":
        browser.submit("/change", current_password=PASSWORD, **filled_in.new_password(NEW))
    elif change == "address":
        browser.submit("/change-email", email="new@example.org")
        browser.submit(link_in_last_mail("new@example.org", "address_change"))
    else:
        with transaction():
            suspend(ada, by=manager)

    assert new_browser().get(link).status_code == 400


def test_a_suspended_person_cannot_reset(browser, ada, manager):
    """What was shown before the suspension no longer works after it (Discourse #43833)."""
    link = reset_link(browser)
    token = browser.token(link)
    with transaction():
        suspend(ada, by=manager)

    answer = browser.post(link, data={"csrf_token": token, **filled_in.new_password(NEW)})

    assert answer.status_code == 400
    assert kinds_to("ada@example.org")[-1] == "suspended"


@pytest.mark.parametrize("facts", [{}, {"suspended": True}], ids=["unconfirmed", "suspended"])
def test_who_may_not_sign_in_gets_no_reset_link(browser, a_user, facts):
    a_user(email="eve@example.org", **facts)
    before = kinds_to("eve@example.org")

    answer = browser.submit("/reset", email="eve@example.org")

    assert answer.headers["Location"] == "/reset/sent"
    assert kinds_to("eve@example.org") == before


@pytest.mark.parametrize("facts", [{"confirmed": True}, {"rejected": True}], ids=str)
def test_who_waits_or_was_rejected_may_reset_and_still_gets_no_further(browser, a_user, facts):
    user = a_user(email="ada@example.org", **facts)
    assert user.username

    browser.submit(reset_link(browser), **filled_in.new_password(NEW))
    browser.sign_in(Person(user.username, NEW))

    assert browser.get("/").headers["Location"] == "/status"


def test_the_new_password_obeys_the_rules_and_is_typed_twice(browser, ada):
    link = reset_link(browser)

    for password, again in (("short", "short"), (NEW, PASSWORD), ("Ada-example1", "Ada-example1")):
        answer = browser.submit(link, password=password, password_again=again)
        assert answer.status_code == 400


@pytest.mark.both_databases(everyday="postgresql")
@pytest.mark.settings(PORTAL_LIMITS_ENABLED="false")
def test_a_reset_link_used_by_sixteen_at_once_works_for_one(app, browser, new_browser, ada):
    link = reset_link(browser)
    browsers = [new_browser() for _ in range(16)]
    tokens = [each.token(link) for each in browsers]

    def use(number):
        fields = filled_in.new_password(f"Quiet-harbour {number}77")
        data = {"csrf_token": tokens[number], **fields}
        return lambda: browsers[number].post(link, data=data).status_code

    answers = together(use(number) for number in range(16))

    assert sorted(answers) == [303] + [400] * 15
    assert kinds_to("ada@example.org").count("password_changed") == 1
    new_browser().sign_in(Person("ada", f"Quiet-harbour {answers.index(303)}77"))


# Change of password


@pytest.mark.both_databases(everyday="sqlite")
def test_changing_the_password_keeps_this_browser_and_signs_the_others_out(
    browser, new_browser, ada
):
    elsewhere = new_browser()
    for each in (browser, elsewhere):
        each.sign_in(person(ada))

    answer = browser.submit("/change", current_password=PASSWORD, **filled_in.new_password(NEW))

    assert answer.headers["Location"] == "/account"
    assert browser.get("/account").status_code == 200
    assert elsewhere.get("/account").status_code == 302
    assert kinds_to("ada@example.org")[-1] == "password_changed"
    assert actions()[-1] == Action.PASSWORD_CHANGED
    new_browser().sign_in(Person("ada", NEW))


def test_a_remembered_browser_is_still_remembered_after_the_change_and_no_longer_than_before(
    browser, ada
):
    browser.submit("/login", identity="ada", password=PASSWORD, remember="y")

    with time_machine.travel(clock.now() + timedelta(days=4)):
        answer = browser.submit("/change", current_password=PASSWORD, **filled_in.new_password(NEW))

    (given,) = [
        line for line in answer.headers.getlist("Set-Cookie") if line.startswith("portal_session")
    ]
    days_left = int(re.search(r"Max-Age=(\d+)", given)[1]) / 86400
    assert 9.9 < days_left < 10


@pytest.mark.parametrize(
    "fields",
    [
        {"current_password": "wrong", **filled_in.new_password(NEW)},
        {"current_password": "", **filled_in.new_password(NEW)},
        {"current_password": "x" * 5000, **filled_in.new_password(NEW)},
        {"current_password": "\0", **filled_in.new_password(NEW)},
        {"current_password": PASSWORD, "password": NEW, "password_again": NEW + "x"},
        {"current_password": PASSWORD, **filled_in.new_password("Ada-example1")},
        {**filled_in.new_password(NEW)},
    ],
    ids=["wrong", "empty", "long", "nul", "differ", "personal", "missing"],
)
def test_the_password_changes_only_with_the_current_one_and_by_the_rules(browser, ada, fields):
    browser.sign_in(person(ada))
    before = ada.password

    answer = browser.submit("/change", **fields)

    db.session.refresh(ada)
    assert answer.status_code == 400
    assert ada.password == before


def test_a_password_typed_in_another_unicode_form_is_the_same_password(browser, new_browser, ada):
    """NFC and NFD: a keyboard of another make signs in too."""
    composed = "Zürich-Brücke 7 nach Norden"
    decomposed = unicodedata.normalize("NFD", composed)
    browser.sign_in(person(ada))

    answer = browser.submit(
        "/change", current_password=PASSWORD, **filled_in.new_password(decomposed)
    )

    assert answer.status_code == 303
    for spelling in (composed, decomposed):
        new_browser().sign_in(Person("ada", spelling))
    again = browser.submit("/change", current_password=composed, **filled_in.new_password(NEW))
    assert again.status_code == 303


@pytest.mark.parametrize(
    "password",
    [
        "".join(chr(0x1F400 + number * 7 % 64) for number in range(61)) + "aA1",
        " Leading and trailing 1 ",
        "Xk7!pQz9-wR4 ë" * 9 + "zz",
    ],
    ids=["64 emoji", "spaces around", "128"],
)
def test_unusual_passwords_sign_in_and_every_sign_of_them_counts(
    browser, new_browser, ada, password
):
    browser.sign_in(person(ada))

    answer = browser.submit(
        "/change", current_password=PASSWORD, **filled_in.new_password(password)
    )

    assert answer.status_code == 303, len(password)
    new_browser().sign_in(Person("ada", password))
    for other in (password[:-1], password + "x", password.swapcase()):
        refused = new_browser().submit("/login", identity="ada", password=other)
        assert refused.status_code == 200


# Change of address


def ask_to_move(browser, email="new@example.org"):
    return browser.submit("/change-email", email=email)


@pytest.mark.both_databases(everyday="sqlite")
def test_an_address_changes_by_the_button_and_both_addresses_are_told(browser, new_browser, ada):
    browser.sign_in(person(ada))
    elsewhere = new_browser()
    elsewhere.sign_in(person(ada))

    ask_to_move(browser)
    assert kinds_to("new@example.org") == ["address_change"]
    assert kinds_to("ada@example.org")[-1] == "address_change_asked"
    link = link_in_last_mail("new@example.org", "address_change")
    for _ in range(2):
        assert browser.get(link).status_code == browser.head(link).status_code == 200
    db.session.refresh(ada)
    assert ada.email == "ada@example.org", "looking at the link changes nothing"

    answer = browser.submit(link)

    db.session.refresh(ada)
    assert answer.headers["Location"] == "/account"
    assert (ada.email, ada.email_canonical) == ("new@example.org", "new@example.org")
    assert kinds_to("ada@example.org")[-1] == "address_changed"
    assert actions()[-2:] == [Action.ADDRESS_CHANGE_ASKED, Action.ADDRESS_CHANGED]
    assert browser.get("/account").status_code == 200
    assert elsewhere.get("/account").status_code == 302


def test_moving_needs_another_address(browser, ada):
    browser.sign_in(person(ada))

    assert ask_to_move(browser, email="ADA@example.org").status_code == 400
    assert ask_to_move(browser, email="not an address").status_code == 400
    assert kinds_to("new@example.org") == []


def test_only_the_person_who_asked_can_use_the_link_signed_in(browser, new_browser, ada, a_user):
    browser.sign_in(person(ada))
    ask_to_move(browser)
    link = link_in_last_mail("new@example.org", "address_change")

    stranger, visitor = new_browser(), new_browser()
    stranger.sign_in(person(a_user(approved=True)))

    assert stranger.get(link).status_code == 400
    posted = stranger.post(link, data={"csrf_token": stranger.token("/account")})
    assert posted.status_code == 400
    assert visitor.get(link).headers["Location"].startswith("/login")
    db.session.refresh(ada)
    assert ada.email == "ada@example.org"


def test_a_link_to_move_works_once(browser, ada):
    browser.sign_in(person(ada))
    ask_to_move(browser)
    link = link_in_last_mail("new@example.org", "address_change")

    assert browser.submit(link).status_code == 303

    assert browser.get(link).status_code == 400


def test_a_link_to_move_lasts_an_hour(browser, ada):
    browser.sign_in(person(ada))
    ask_to_move(browser)
    link = link_in_last_mail("new@example.org", "address_change")

    with time_machine.travel(clock.now() + timedelta(minutes=59)):
        assert browser.get(link).status_code == 200
    with time_machine.travel(clock.now() + timedelta(minutes=61)):
        assert browser.get(link).status_code == 400


def test_each_link_can_only_confirm_the_address_it_was_mailed_to(browser, ada):
    """Several changes at once leave no token that proves another address (CVE-2026-32700)."""
    browser.sign_in(person(ada))
    ask_to_move(browser, "first@example.org")
    ask_to_move(browser, "second@example.org")

    browser.submit(link_in_last_mail("first@example.org", "address_change"))

    db.session.refresh(ada)
    assert ada.email == "first@example.org"
    second = link_in_last_mail("second@example.org", "address_change")
    assert browser.get(second).status_code == 400, "it was asked for by the old address"


def test_somebody_elses_address_is_not_revealed_and_its_owner_is_told(browser, ada, a_user):
    a_user(approved=True, email="eve@example.org")
    browser.sign_in(person(ada))

    known = ask_to_move(browser, "eve@example.org")
    unknown = ask_to_move(browser, "nobody@example.org")

    assert known.status_code == unknown.status_code == 303
    assert known.headers["Location"] == unknown.headers["Location"]
    assert kinds_to("eve@example.org")[-1] == "already_registered"
    assert "address_change" not in kinds_to("eve@example.org")


def test_an_address_that_got_taken_meanwhile_says_so(browser, ada, a_user):
    browser.sign_in(person(ada))
    ask_to_move(browser)
    link = link_in_last_mail("new@example.org", "address_change")
    token = browser.token(link)
    a_user(approved=True, email="NEW@example.org")

    answer = browser.post(link, data={"csrf_token": token})

    db.session.refresh(ada)
    assert answer.status_code == 400
    assert ada.email == "ada@example.org"


def test_the_new_address_stands_in_no_mail_before_it_is_proved_but_the_notice(browser, ada):
    browser.sign_in(person(ada))

    ask_to_move(browser)

    assert "ada@example.org" not in texts_to("new@example.org")
    assert "new@example.org" in texts_to("ada@example.org")


@pytest.mark.both_databases(everyday="postgresql")
@pytest.mark.settings(PORTAL_LIMITS_ENABLED="false")
def test_two_people_who_move_to_one_address_at_once_do_not_both_get_there(app, new_browser, a_user):
    movers = [a_user(approved=True) for _ in range(6)]
    browsers = [new_browser() for _ in movers]
    links = []
    for mover, browser in zip(movers, browsers, strict=True):
        browser.sign_in(person(mover))
        ask_to_move(browser)
        links.append(link_in_last_mail("new@example.org", "address_change"))
    tokens = [browser.token(link) for browser, link in zip(browsers, links, strict=True)]

    def move(browser, link, token):
        return lambda: browser.post(link, data={"csrf_token": token}).status_code

    answers = together(map(move, browsers, links, tokens))

    db.session.expire_all()
    assert sorted(answers) == [303] + [400] * 5
    assert [mover.email for mover in movers].count("new@example.org") == 1


# Change of username


@pytest.mark.both_databases(everyday="sqlite")
def test_a_username_changes_in_the_one_spelling_that_is_kept(browser, new_browser, ada):
    browser.sign_in(person(ada))

    answer = browser.submit("/change-username", username="Countess")

    db.session.refresh(ada)
    assert answer.headers["Location"] == "/account"
    assert (ada.username, ada.username_canonical) == ("countess", "countess")
    assert kinds_to("ada@example.org")[-1] == "username_changed"
    assert actions()[-1] == Action.USERNAME_CHANGED
    new_browser().sign_in(Person("countess"))


@pytest.mark.parametrize("name", ["EVE", "ｅｖｅ", "admin", "a b", "x", ""])
def test_a_taken_reserved_or_odd_username_is_refused(browser, ada, a_user, name):
    a_user(approved=True, username="eve")
    browser.sign_in(person(ada))

    answer = browser.submit("/change-username", username=name)

    db.session.refresh(ada)
    assert answer.status_code == 400
    assert ada.username == "ada"


def test_keeping_the_same_username_mails_nobody(browser, ada):
    browser.sign_in(person(ada))
    before = len(outbox.waiting())

    browser.submit("/change-username", username="ADA")

    assert len(outbox.waiting()) == before


@pytest.mark.both_databases(everyday="postgresql")
@pytest.mark.settings(PORTAL_LIMITS_ENABLED="false")
def test_two_people_who_want_one_username_at_once_do_not_both_get_it(app, new_browser, a_user):
    people = [a_user(approved=True) for _ in range(6)]
    browsers = [new_browser() for _ in people]
    for whoever, browser in zip(people, browsers, strict=True):
        browser.sign_in(person(whoever))
    tokens = [browser.token("/change-username") for browser in browsers]

    def want(browser, token):
        data = {"csrf_token": token, "username": "countess"}
        return lambda: browser.post("/change-username", data=data).status_code

    answers = together(map(want, browsers, tokens))

    db.session.expire_all()
    assert sorted(answers) == [303] + [400] * 5
    assert [whoever.username for whoever in people].count("countess") == 1
