"""Marks: what catches the eye about a registration, and what is behind it."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from portal import clock
from portal.accounts.approval import reject
from portal.accounts.erasure import erase
from portal.accounts.registration import Application, register
from portal.accounts.user import Communication, User
from portal.database import db, locked, transaction
from portal.demo import cast
from portal.desk import marks
from portal.desk.marks import Mark
from portal.desk.memory import Fingerprint
from portal.desk.traces import likeness, mailbox_key, name_key, network_of
from portal.jobs import rounds
from tests.admin_views.panel import words
from tests.pages import filled_in
from tests.people import password_hash, person

REASON = "I work in the research group of Professor Hopper and need the translator every day."


def registered(number: int, **said: Any) -> User:
    facts: dict[str, Any] = {
        "full_name": f"Somebody Else{number}",
        "username": f"someone{number}",
        "email": f"someone{number}@example.org",
        "password_hash": password_hash(),
        "language": "en",
        "time_zone": "",
        "communication": Communication.ALL,
        "reason": "",
        "terms_version": "1",
    }
    with transaction():
        user = register(Application(**{**facts, **said}))
        assert user is not None
    rounds.trace()
    return user


def marks_of(user: User) -> list[Mark]:
    return marks.marks_of([user.id])[user.id]


@pytest.mark.both_databases(everyday="postgresql")
@pytest.mark.parametrize(
    ("one", "another", "mark"),
    [
        ({"email": "ada.l@example.org"}, {"email": "adal+2@example.org"}, Mark.MAILBOX),
        ({"full_name": "Ada Lovelace"}, {"full_name": "LOVELACE, Áda"}, Mark.NAME),
        ({"network_address": "203.0.113.5"}, {"network_address": "203.0.113.77"}, Mark.NETWORK),
        ({"reason": REASON}, {"reason": REASON.replace("every day", "daily")}, Mark.REASON),
    ],
)
def test_two_registrations_that_are_alike_are_both_marked(app, one, another, mark):
    first, second, third = registered(1, **one), registered(2, **another), registered(3)

    assert [marks_of(user) for user in (first, second, third)] == [[mark], [mark], []]
    behind = marks.evidence(second)
    assert [[other.id for other in each.others] for each in behind] == [[first.id]]


def test_people_who_only_write_the_same_language_do_not_have_the_same_reason():
    reasons = [person.reason for person in cast.read().people if person.reason]
    bands = [set(likeness(reason)) for reason in reasons]

    assert len(reasons) > 40
    assert not any(one & another for one, another in itertools.combinations(bands, 2))


@pytest.mark.parametrize("number", range(5))
def test_a_reason_with_one_word_changed_is_known_again(number):
    words = "I write the monthly newsletter and would like the translator for all six languages"
    changed = words.split()
    changed[number * 2] = "otherwise"

    assert set(likeness(words)) & set(likeness(" ".join(changed)))


@pytest.mark.both_databases(everyday="postgresql")
def test_throw_away_domains_and_forms_filled_in_at_once_are_marked(app):
    user = registered(1, email="ada@mailinator.com", seconds_to_fill_in=1)
    slow = registered(2, email="eve@gmail.con", seconds_to_fill_in=30)

    assert (marks_of(user), marks_of(slow)) == ([Mark.THROWAWAY, Mark.HASTY], [Mark.MISTYPED])
    assert [each.sentence for each in marks.evidence(slow)] == ["Perhaps eve@gmail.com is meant."]


@pytest.mark.both_databases(everyday="postgresql")
def test_whoever_was_rejected_is_known_again_with_when_and_why_after_erasure(app, reviewer):
    first = registered(1, email="ada@example.org", full_name="Ada Lovelace")
    with transaction():
        reject(locked(User, first.id), by=reviewer, reason="Not one of ours")
    assert marks_of(first) == []
    with transaction():
        erase(locked(User, first.id), by=None)

    again = registered(2, email="ada@example.org")

    assert marks_of(again) == [Mark.REJECTED_BEFORE]
    behind = marks.evidence(again)[0]
    assert "Not one of ours" in behind.sentence
    assert behind.others == []


@pytest.mark.both_databases(everyday="postgresql")
def test_what_is_left_of_a_rejected_person_is_fingerprints_alone(app, reviewer):
    first = registered(1, email="ada@example.org", full_name="Ada Lovelace", reason=REASON)
    with transaction():
        reject(locked(User, first.id), by=reviewer, reason="")
    with transaction():
        erase(locked(User, first.id), by=reviewer)

    left = db.session.scalars(select(Fingerprint)).all()

    assert [(each.user_id, len(each.value)) for each in left] == [(None, 64)] * 2
    assert not any(word in repr(vars(each)) for each in left for word in ("Ada", "ada@"))


def test_an_account_that_erases_itself_leaves_no_fingerprint(app):
    first = registered(1)
    with transaction():
        erase(locked(User, first.id), by=locked(User, first.id))

    assert db.session.scalars(select(Fingerprint)).all() == []


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2ff::9", "2001:db8:1:200::/56"),
        ("10.1.2.3", ""),
        ("127.0.0.1", ""),
        ("no address", ""),
    ],
)
def test_neighbourhoods_of_the_network_are_those_of_providers(address, network):
    assert network_of(address) == network


def test_spellings_of_one_name_and_of_one_mailbox_are_one():
    assert name_key("Ada Lovelace") == name_key("lovelace,  ÁDA") == "ada lovelace"
    assert mailbox_key("a.da+x@example.org") == mailbox_key("ada@example.org")


def test_different_reasons_share_nothing_and_short_ones_are_not_compared():
    other = "Please let me try the agent for invoices, my manager told me about it last week."

    assert not set(likeness(REASON)) & set(likeness(other))
    assert likeness("To work") == []


def test_the_form_tells_how_long_it_took_and_believes_nobody_elses_word(browser, app):
    page = browser.get("/register").text
    shown = page.partition('name="shown"')[2].partition('value="')[2].partition('"')[0]
    assert shown

    with time_machine.travel(clock.now() + timedelta(seconds=90)):
        browser.submit(
            "/register", **filled_in.registration(username="ada", email="ada@x.org"), shown=shown
        )
    browser.submit(
        "/register",
        **filled_in.registration(username="eve", email="eve@x.org"),
        shown=".YjM5Yg.made-up",
    )

    found = {user.username: user for user in db.session.scalars(select(User))}
    assert 89 <= found["ada"].review.seconds_to_fill_in <= 95
    assert found["eve"].review.seconds_to_fill_in is None


def test_marks_stand_in_the_list_and_what_is_behind_them_on_the_page(people, reviewer, new_browser):
    first = people.user(full_name="Ada Lovelace", confirmed=True)
    people.user(full_name="Lovelace Ada", confirmed=True)
    browser = new_browser()
    browser.sign_in(person(reviewer))

    page = words(browser.get("/admin/registrations/"))
    assert page.count("Same name") == 3  # a choice of the filters, and both rows
    page = words(browser.get(f"/admin/accounts/{first.id}"))
    assert "What catches the eye" in page
    assert "Lovelace Ada" in page
