"""Saved filters: one's own lists stand above the queue under the names that one gave them."""

from __future__ import annotations

import re
from html import unescape

import pytest

from portal.accounts.erasure import erase
from portal.accounts.suspension import suspend
from portal.accounts.user import User
from portal.database import db, transaction
from portal.desk import saved_filter
from portal.desk.saved_filter import MOST, SavedFilter
from portal.errors import StepRefused
from tests.admin_views.panel import words

LIST = "/admin/registrations/"
FILTERS = "/admin/registrations/filters/"
GERMAN = "tab=asked&language=de"


@pytest.fixture
def browser(reviewer, signed_in):
    return signed_in(reviewer)


def saved() -> list[tuple[int, str, str]]:
    db.session.expire_all()
    found = db.session.scalars(db.select(SavedFilter).order_by(SavedFilter.id))
    return [(each.by_id, each.name, each.query) for each in found]


def save(name: str, by: User, query: str = GERMAN) -> int:
    with transaction():
        made = saved_filter.save(query, name=name, by=by)
    return made.id


def test_what_narrows_the_list_is_saved_and_comes_back_as_a_link(a_user, reviewer, browser):
    a_user(full_name="Ada", language="de", confirmed=True)
    a_user(full_name="Bob", confirmed=True)
    link = re.search(r'href="([^"]*/filters/new[^"]*)"', browser.get(f"{LIST}?language=de").text)
    assert link
    path = unescape(link.group(1))

    answer = browser.submit(path, name=" German ones ")

    assert (answer.status_code, answer.location) == (303, f"{LIST}?language=de")
    assert saved() == [(reviewer.id, "German ones", "language=de")]
    page = browser.get(LIST).text
    chip = re.search(r'<a class="chip" href="([^"]*)">.*?<bdi>German ones</bdi>', page)
    assert chip
    there = browser.get(unescape(chip.group(1))).text
    assert "Bob" not in there
    assert 'aria-current="page">' in there[there.index("Saved filters") :]
    assert "/filters/new" not in there


def test_only_what_says_something_about_the_list_is_saved(reviewer, browser):
    browser.submit(f"{FILTERS}new?{GERMAN}&cursor=abc&back=/x&q=", name="Mine")

    assert saved() == [(reviewer.id, "Mine", GERMAN)]


def test_a_name_is_taken_once_by_each(people, reviewer, browser):
    save("German", people.staff("reviewer"))
    save("Mine", reviewer)

    taken = browser.submit(f"{FILTERS}new?{GERMAN}", name="MINE")
    free = browser.submit(f"{FILTERS}new?{GERMAN}", name="German")

    assert (taken.status_code, free.status_code) == (400, 303)
    assert "This name is taken. Choose another one." in words(taken)
    assert 'value="MINE"' in taken.text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "Enter a name."),
        ("x" * 61, "Shorten this to 60 characters."),
    ],
)
def test_a_name_is_short_and_there(browser, name, said):
    answer = browser.submit(f"{FILTERS}new?{GERMAN}", name=name)

    assert answer.status_code == 400
    assert said in words(answer)
    assert saved() == []


def test_the_list_as_it_always_is_cannot_be_saved_nor_one_filter_too_many(reviewer, browser):
    nothing = browser.submit(f"{FILTERS}new", name="All")
    for number in range(MOST):
        save(f"Number {number}", reviewer)
    one_more = browser.submit(f"{FILTERS}new?{GERMAN}", name="One more")

    assert "There is nothing to save" in words(nothing)
    assert f"You have {MOST} saved filters." in words(one_more)
    assert len(saved()) == MOST


def test_one_renames_and_removes_ones_own(reviewer, browser):
    mine = save("Mine", reviewer)
    save("Other", reviewer)

    taken = browser.submit(f"{FILTERS}{mine}", name="other")
    renamed = browser.submit(f"{FILTERS}{mine}", name="Renamed")
    assert [name for _by, name, _query in saved()] == ["Renamed", "Other"]
    removed = browser.submit(FILTERS, to=f"{FILTERS}{mine}/removal")

    assert (taken.status_code, renamed.status_code, removed.status_code) == (400, 303, 303)
    assert [name for _by, name, _query in saved()] == ["Other"]


def test_a_colleagues_filters_are_not_there(people, browser):
    hers = save("Hers", people.staff("reviewer"))

    answers = [
        browser.get(f"{FILTERS}{hers}"),
        browser.submit("/account", to=f"{FILTERS}{hers}", name="Mine"),
        browser.submit("/account", to=f"{FILTERS}{hers}/removal"),
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert "Hers" not in browser.get(LIST).text + browser.get(FILTERS).text
    assert [name for _by, name, _query in saved()] == ["Hers"]


@pytest.mark.both_databases(everyday="postgresql")
def test_they_go_with_the_data_of_whoever_saved_them(a_user, people):
    ann = a_user(approved=True)
    save("Hers", ann)
    save("His", people.staff("reviewer"))

    with transaction():
        suspend(db.session.get_one(User, ann.id), by=None)
        erase(db.session.get_one(User, ann.id), by=None)

    assert [name for _by, name, _query in saved()] == ["His"]


def test_filters_that_no_row_can_hold_are_refused(reviewer):
    with pytest.raises(StepRefused, match="too long"):
        saved_filter.save("q=" + "x" * 1000, name="Long", by=reviewer)
