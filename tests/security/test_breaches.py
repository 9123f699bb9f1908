"""Breaches (ASVS 6.2.12): a server is asked that learns five digits, and waited for briefly."""

import sqlite3
import time
from dataclasses import replace
from hashlib import sha1
from typing import Any

import pytest

from portal import settings
from portal.accounts import staff_invitation
from portal.accounts.roles import Role
from portal.database import db, transaction
from portal.mail import outbox
from portal.security import breaches
from tests.conftest import make_settings
from tests.pages import filled_in, letters
from tests.people import PASSWORD, person
from tests.security.ranges import Ranges

KNOWN = "Quiet-harbour 77"
SENTENCE = "This password is known from a data breach elsewhere. Choose another one."


@pytest.fixture
def ranges(app):
    """A server that knows one password, and that the portal asks."""
    with Ranges(KNOWN) as server:
        ask(app, server.url)
        yield server


def ask(app, url: str) -> None:
    ours = settings.of(app)
    known = replace(ours.passwords, breach_check_url=url, breach_check_seconds=1)
    app.extensions["portal.settings"] = replace(ours, passwords=known)


def test_a_known_password_is_told_from_an_unknown_one(ranges):
    assert breaches.know(KNOWN)
    assert not breaches.know(PASSWORD)


def test_five_digits_of_a_hash_leave_and_nothing_else(ranges):
    breaches.know(KNOWN)

    ((path, headers),) = ranges.asked
    digits = sha1(KNOWN.encode()).hexdigest().upper()
    assert path == f"/range/{digits[:5]}"
    assert digits[5:15] not in repr((path, headers))
    assert headers.pop("Host").startswith("127.0.0.1:")
    assert headers == {
        "Accept": "text/plain",
        "Accept-Encoding": "identity",
        "Add-Padding": "true",
        "User-Agent": "portal",
    }


def test_a_name_that_is_padding_stands_for_nothing(ranges):
    ranges.count = 0

    assert not breaches.know(KNOWN)


def test_two_spellings_are_one_password(app):
    with Ranges("Z\u00fcrich-Br\u00fccke 7") as server:
        ask(app, server.url)

        assert breaches.know("Zu\u0308rich-Bru\u0308cke 7")


def test_nobody_is_asked_by_default(app):
    assert settings.of(app).passwords.breach_check_url == ""
    assert not breaches.know(KNOWN)


@pytest.mark.parametrize("wrong", ["500", "404", "elsewhere", "endless", "noise", "gone"])
def test_without_a_right_answer_a_password_counts_as_unknown(ranges, app, wrong):
    """It has passed the rules that need no network, and nobody is kept out (fails open)."""
    if wrong.isdecimal():
        ranges.number = int(wrong)
    elif wrong == "elsewhere":
        ranges.number, ranges.location = 302, ranges.url
    elif wrong == "endless":
        ranges.text = "A" * (breaches.MOST_READ + 1)
    elif wrong == "noise":
        ranges.text = "\ufffd:::\r\n\r\nnull{}\r\n" + ":" * 9
    else:
        ask(app, "http://127.0.0.1:9/range/")

    assert not breaches.know(KNOWN)
    assert len(ranges.asked) == (0 if wrong == "gone" else 1), "nobody is followed elsewhere"


def test_a_server_that_hangs_is_not_waited_for_and_left_alone_for_a_while(ranges, caplog):
    ranges.hangs = True
    began = time.monotonic()

    assert [breaches.know(KNOWN) for _ in range(20)] == [False] * 20

    assert time.monotonic() - began < 15, "one second, and not twenty"
    assert len(ranges.asked) == 1
    assert caplog.text.count("nobody says which passwords are known") == 1
    assert KNOWN not in caplog.text


def test_a_server_that_was_away_is_asked_again_after_a_while(ranges, app, monkeypatch):
    ranges.number = 503
    assert not breaches.know(KNOWN)
    ranges.number = 200
    assert not breaches.know(KNOWN)

    monkeypatch.setattr(breaches, "PAUSE", -1)
    ranges.number = 503
    breaches.init_app(app)
    assert not breaches.know(KNOWN)
    ranges.number = 200

    assert breaches.know(KNOWN)


@pytest.mark.both_databases(everyday="postgresql")
def test_no_lock_and_no_connection_is_held_while_it_is_asked(ranges, app, browser, database_url):
    pool: Any = db.engine.pool
    seen = []

    def look() -> None:
        seen.append(pool.checkedout())
        if database_url.startswith("sqlite"):
            other = sqlite3.connect(database_url.removeprefix("sqlite:///"), timeout=0)
            other.execute("BEGIN IMMEDIATE")
            other.close()

    ranges.meanwhile = look

    answer = browser.submit("/register", **filled_in.registration())

    assert answer.status_code == 303
    assert seen == [0]


def test_nobody_asks_while_something_waits_to_be_committed(ranges, a_user):
    ada = a_user(approved=True)

    with transaction():
        ada.full_name = "Ada"
        with pytest.raises(RuntimeError):
            breaches.know(KNOWN)

    assert ranges.asked == []


def test_only_a_password_that_keeps_all_other_rules_is_asked_about(ranges, browser):
    data = filled_in.registration(**filled_in.new_password("Password1!"))

    assert browser.submit("/register", **data).status_code == 400

    assert ranges.asked == []


def refused(answer) -> None:
    page = answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert SENTENCE in page
    assert "Not known from a data breach elsewhere." in page, "the rule is shown with the others"


def test_who_registers_with_a_known_password_is_told_so(ranges, browser):
    data = filled_in.registration(**filled_in.new_password(KNOWN))

    answer = browser.submit("/register", **data)

    refused(answer)
    assert 'value="ada@example.org"' in answer.get_data(as_text=True), "nothing typed is lost"
    assert outbox.waiting() == []


def test_who_changes_to_a_known_password_is_told_so(ranges, browser, a_user):
    browser.sign_in(person(a_user(approved=True)))

    refused(browser.submit("/change", current_password=PASSWORD, **filled_in.new_password(KNOWN)))


def test_who_resets_to_a_known_password_is_told_so(ranges, browser, a_user):
    a_user(approved=True, email="ada@example.org")
    browser.submit("/reset", email="ada@example.org")
    link = letters.link_in_last_mail("ada@example.org", "password_reset")

    refused(browser.submit(link, **filled_in.new_password(KNOWN)))


def test_who_confirms_elsewhere_with_a_known_password_is_told_so(ranges, browser, a_user):
    a_user(email="ada@example.org")

    link = letters.link_in_last_mail("ada@example.org", "confirmation")

    refused(browser.submit(link, **filled_in.confirmation(KNOWN)))


def test_who_joins_the_staff_with_a_known_password_is_told_so(ranges, browser):
    with transaction():
        role = db.session.scalars(db.select(Role).filter_by(name="reviewer")).one()
        token = staff_invitation.invite(role=role)
    data = filled_in.registration(**filled_in.new_password(KNOWN))

    refused(browser.submit(f"/setup/{token}", **data))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://pwned.example.org/range/", "https://"),
        ("https://pwned.example.org/range", "ends in /"),
        ("https://pwned.example.org/?hash=", "ends in /"),
        ("https://a:b@pwned.example.org/range/", "expected an address"),
        ("pwned", "expected an address"),
    ],
)
def test_an_address_that_cannot_be_asked_is_refused_at_the_start(tmp_path, url, sentence):
    with pytest.raises(settings.SettingsError, match="breach_check_url") as refusal:
        make_settings(tmp_path, PORTAL_PASSWORDS_BREACH_CHECK_URL=url)

    assert sentence in str(refusal.value)
