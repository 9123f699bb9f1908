"""The directory: each question is answered from an index, page by page, whatever is asked."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from portal.accounts import directory
from portal.accounts.directory import Order
from portal.accounts.erasure import erase
from portal.accounts.user import Status
from portal.database import db, transaction
from portal.desk import queue
from portal.paging import Place
from tests import plans
from tests.people import People

pytestmark = pytest.mark.both_databases(everyday="postgresql")

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def everybody(people: People, number: int, *, confirmed: bool = False) -> list[str]:
    """So many people, who registered one minute after the other."""
    names = []
    for minute in range(number):
        with time_machine.travel(START + timedelta(minutes=minute), tick=False):
            names.append(str(people.user(confirmed=confirmed).username))
    return names


def pages(per_page: int, **asked: Any) -> list[list[str]]:
    """The usernames on every page, from the first on."""
    found: list[list[str]] = []
    cursor = ""
    while len(found) < 10:
        page = directory.page(per_page=per_page, cursor=cursor, **asked)
        found.append([str(user.username) for user in page.rows])
        if page.after is None:
            return found
        cursor = page.after
    raise AssertionError("the pages never end")


@pytest.mark.parametrize("order", [Order.OLDEST_REGISTRATION, Order.OLDEST_CONFIRMATION])
def test_every_page_follows_on_the_one_before(people, order):
    names = everybody(people, 7, confirmed=True)

    assert pages(3, order=order) == [names[:3], names[3:6], names[6:]]


def test_one_gets_back_to_the_page_one_came_from(people):
    names = everybody(people, 7)
    first = directory.page(order=Order.OLDEST_REGISTRATION, per_page=3)
    second = directory.page(order=Order.OLDEST_REGISTRATION, per_page=3, cursor=first.after or "")

    back = directory.page(order=Order.OLDEST_REGISTRATION, per_page=3, cursor=second.before or "")

    assert [user.username for user in back.rows] == names[:3]
    assert (back.before, first.before) == (None, None)


def test_people_of_the_same_moment_are_each_listed_once(people):
    with time_machine.travel(START, tick=False):
        names = {str(people.user().username) for _ in range(5)}

    listed = [name for page in pages(2, order=Order.NEWEST_REGISTRATION) for name in page]

    assert sorted(listed) == sorted(names)


def test_a_search_finds_any_part_of_name_address_or_username(people):
    people.user(full_name="Zoë Brontë", username="zb1", email="first@haworth.example.org")
    people.user(full_name="Ada Lovelace", username="countess", email="ada@example.org")

    found = {
        term: [user.username for user in directory.page(search=term).rows]
        for term in ("BRONT", "haworth", "ounte", "ad", "100%", "a_a", '"', "nobody")
    }

    assert found["BRONT"] == found["haworth"] == ["zb1"]
    assert found["ounte"] == found["ad"] == ["countess"]
    assert found["100%"] == found["a_a"] == found['"'] == found["nobody"] == []


@pytest.mark.parametrize(
    ("status", "order"),
    [(Status.PENDING, order) for order in Order]
    # by confirmation only those are listed who wait for the same
    + [(None, order) for order in Order if order is not Order.OLDEST_CONFIRMATION],
)
def test_no_list_reads_the_whole_table_or_sorts_it(people, order, status):
    everybody(people, 3, confirmed=True)
    cursor = directory.page(order=order, status=status, per_page=1).after or ""

    with plans.asked() as found:
        directory.page(order=order, status=status)
        directory.page(order=order, status=status, cursor=cursor, per_page=1)
    lists = [each for each in found if "LIMIT" in each[0]]

    assert lists
    assert plans.whole_reads(found, "users") == []
    assert plans.sorts(lists) == []


def test_a_search_reads_the_index_of_fragments(people):
    everybody(people, 3)

    with plans.asked() as found:
        directory.page(search="erson")
        directory.page(search="pe")
        directory.count(search="erson")

    assert plans.whole_reads(found, "users") == []


def test_counts_and_figures_read_indexes(people):
    everybody(people, 3, confirmed=True)

    with plans.asked() as found:
        counts = directory.counts_by_status()
        since = queue.waiting_since()
        with time_machine.travel(START + timedelta(days=2), tick=False):
            per_day = directory.registrations_per_day(4)

    assert counts[Status.PENDING] == 3
    assert since == START
    assert [number for _day, number in per_day] == [0, 3, 0, 0]
    assert plans.whole_reads(found, "users") == []


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "W10",
        "AAAA",
        "[" * 5000,
        str(Place("after", START, True)),
        str(Place("after", START, 2**31)),
        str(Place("after", START, -1)),
        str(Place("sideways", START, 1)),
        str(Place("after", "a name", 1)),
        str(Place("after", "\0", 1)),
    ],
)
def test_a_cursor_that_means_nothing_shows_the_first_page(people, cursor):
    names = everybody(people, 2)

    page = directory.page(order=Order.OLDEST_REGISTRATION, cursor=cursor)

    assert [user.username for user in page.rows] == names


def test_an_hour_that_utc_has_no_year_for_is_no_place():
    plain = json.dumps(["after", True, "9999-12-31T23:59:59-23:59", 1])

    place = Place.read(base64.urlsafe_b64encode(plain.encode()).decode())

    assert place is None


@pytest.mark.parametrize("order", [Order.NEWEST_REGISTRATION, Order.OLDEST_REGISTRATION])
@pytest.mark.parametrize("status", [None, Status.UNCONFIRMED])
@pytest.mark.parametrize("term", ["erson", "pe"])
def test_a_fragment_that_many_hold_is_paged_like_one_that_few_hold(
    people, monkeypatch, order, status, term
):
    everybody(people, 5)
    people.user(full_name="Ada", username="ada", email="ada@example.org")
    as_few = pages(2, search=term, status=status, order=order)

    monkeypatch.setattr("portal.accounts.search.FEW", 3)
    with plans.asked() as found:
        as_many = pages(2, search=term, status=status, order=order)

    assert as_many == as_few
    assert [len(page) for page in as_many] == [2, 2, 1]
    assert plans.whole_reads(found, "users") == []
    assert plans.sorts(each for each in found if "access_levels" in each[0]) == []


def test_erased_people_are_found_only_by_asking_for_them(people):
    user = people.user(full_name="Ada Lovelace", username="countess")
    with transaction():
        erase(db.session.merge(user), by=None)

    assert not directory.page(search="lovelace").rows
    assert not directory.page().rows
    assert [found.id for found in directory.page(status=Status.ERASED).rows] == [user.id]
