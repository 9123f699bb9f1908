"""The queue: who stands in which list, under which filters, and who comes next."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
import time_machine

from portal.accounts.approval import approve, reject, reopen
from portal.accounts.erasure import erase
from portal.accounts.user import User
from portal.database import db, transaction
from portal.desk import claim, question, queue, review
from portal.desk.decision import Verdict
from portal.desk.marks import Mark
from portal.desk.queue import NOBODY, Filters, Tab
from portal.desk.undo import undo
from portal.paging import Page
from tests import plans
from tests.people import level

pytestmark = pytest.mark.both_databases(everyday="postgresql")

NOON = datetime.fromisoformat("2026-05-04T12:00:00+00:00")
TABLES = ("users", "reviews", "decisions", "claims", "request_traces", "fingerprints", "questions")


@pytest.fixture(autouse=True)
def clock_hands():
    """A clock that stands still until a test moves it."""
    with time_machine.travel(NOON, tick=False) as hands:
        yield hands


@pytest.fixture
def waiting(a_user, clock_hands) -> list[User]:
    """Three who wait, one more hour each than the next."""
    found = []
    for name, language in (("Ada", "en"), ("Bob", "de"), ("Cem", "en")):
        domain = "haworth.example" if name == "Bob" else "example.org"
        address = f"{name.lower()}@{domain}"
        found.append(a_user(full_name=name, email=address, language=language, confirmed=True))
        clock_hands.shift(timedelta(hours=1))
    return found


def wish(user: User, name: str) -> None:
    with transaction():
        review.of(db.session.get_one(User, user.id)).wished_level_id = level(name).id


def names(tab: Tab, **filters: Any) -> list[str]:
    """Who is found, by the list, by its ids and by its count alike."""
    wanted = Filters(**filters)
    if tab is Tab.DECIDED:
        users = [decision.user for decision in queue.decided(wanted).rows]
    else:
        users = list(queue.page(tab, wanted).rows)
    assert queue.ids(tab, wanted, most=100) == [user.id for user in users]
    assert queue.count(tab, wanted) == len(users)
    return [user.full_name for user in users]


def test_each_stands_in_the_list_of_whose_turn_it_is(a_user, reviewer, waiting, clock_hands):
    ada, bob, _cem = waiting
    with transaction():
        question.ask(ada, by=reviewer, question="Which team?")
        approve(bob, by=reviewer, level=level("guest"))
    clock_hands.shift(timedelta(hours=1))
    a_user(full_name="Una")
    a_user(full_name="Ray", rejected="No")

    assert names(Tab.READY) == ["Cem"]
    assert names(Tab.ASKED) == ["Ada"]
    assert names(Tab.UNCONFIRMED) == ["Una"]
    assert names(Tab.DECIDED) == ["Ray", "Bob"]
    assert list(queue.counts(*Tab).values()) == [1, 1, 1, 2]


def test_who_waits_longest_comes_first_and_pages_follow_on_each_other(waiting):
    first = queue.page(Tab.READY, per_page=2)
    second = queue.page(Tab.READY, per_page=2, cursor=first.after or "")

    assert [user.full_name for user in [*first.rows, *second.rows]] == ["Ada", "Bob", "Cem"]
    assert queue.ids(Tab.READY, most=2) == [user.id for user in waiting[:2]]


def test_filters_leave_those_who_fit_all_of_them(waiting):
    assert names(Tab.READY, search="bOB") == ["Bob"]
    assert names(Tab.READY, search="x-x") == []
    assert names(Tab.READY, domain="haworth.example") == ["Bob"]
    assert names(Tab.READY, domain=" @Haworth.Example") == ["Bob"]
    assert names(Tab.READY, domain="example.org", language="en") == ["Ada", "Cem"]
    assert names(Tab.READY, domain="example") == []
    assert names(Tab.READY, language="de") == ["Bob"]
    assert names(Tab.READY, hours=2) == ["Ada", "Bob"]
    assert names(Tab.READY, hours=3) == ["Ada"]
    assert names(Tab.READY, mark=Mark.NAME) == []
    assert names(Tab.READY, verdict=Verdict.REJECTED) == ["Ada", "Bob", "Cem"]


def test_a_domain_that_many_have_is_found_like_one_that_few_have(waiting, monkeypatch):
    as_few = names(Tab.READY, domain="example.org")

    monkeypatch.setattr("portal.accounts.search.FEW", 2)

    assert names(Tab.READY, domain="example.org") == as_few == ["Ada", "Cem"]


def test_the_level_wished_and_marks_narrow_a_list(a_user, waiting):
    wish(waiting[1], "extended")
    a_user(full_name="Cem", confirmed=True)

    assert names(Tab.READY, level_id=level("extended").id) == ["Bob"]
    assert names(Tab.READY, mark=Mark.NAME) == ["Cem", "Cem"]


def test_a_lapsed_claim_counts_as_nobodys(waiting, people, clock_hands):
    ann, tim = people.staff("reviewer"), people.staff("reviewer")
    ada, bob, _cem = waiting
    with transaction():
        claim.hold(ada.id, by_id=ann.id)
    clock_hands.shift(timedelta(minutes=5))
    with transaction():
        claim.hold(bob.id, by_id=tim.id)

    assert names(Tab.READY, claimed=NOBODY) == ["Ada", "Cem"]
    assert names(Tab.READY, claimed=tim.id) == ["Bob"]
    assert names(Tab.READY, claimed=ann.id) == []


def test_of_each_person_the_last_decision_is_listed_unless_it_was_taken_back(
    a_user, reviewer, waiting, clock_hands
):
    ada, bob, cem = waiting
    with transaction():
        reject(ada, by=reviewer, reason="No")
        reject(bob, by=reviewer, reason="No")
        reject(cem, by=reviewer, reason="No")
        undo(cem, by=reviewer)
    clock_hands.shift(timedelta(hours=1))
    with transaction():
        reopen(ada, by=reviewer)
        reopen(bob, by=reviewer)
        approve(bob, by=reviewer, level=level("guest"))

    assert names(Tab.DECIDED) == ["Bob"]
    assert names(Tab.DECIDED, verdict=Verdict.REJECTED) == []
    decision = queue.decided().rows[0]
    assert (decision.by, decision.level) == (reviewer, level("guest"))


def test_what_was_decided_about_somebody_erased_stays_without_a_name(a_user):
    ray = a_user(full_name="Ray", rejected="No")
    with transaction():
        erase(db.session.merge(ray), by=None)

    assert names(Tab.DECIDED) == [""]


def test_the_next_one_is_the_neighbour_in_the_queue_under_its_filters(waiting):
    ada, bob, cem = waiting
    english = Filters(language="en")

    assert queue.next_after(Filters(), ada) == bob.id
    assert queue.next_after(english, ada) == cem.id
    assert queue.next_after(english, bob) == cem.id
    assert queue.next_after(english, cem) is None
    assert queue.next_after(english, cem, backwards=True) == ada.id
    assert queue.next_after(english, ada, backwards=True) is None
    assert queue.next_after(english, None) == ada.id
    assert queue.next_after(Filters(search="nobody"), None) is None


def test_after_a_decision_the_queue_goes_on_from_there_and_then_begins_anew(waiting, reviewer):
    ada, bob, cem = waiting
    with transaction():
        approve(bob, by=reviewer, level=level("guest"))
    assert queue.next_after(Filters(), bob) == cem.id

    with transaction():
        question.ask(cem, by=reviewer, question="Which team?")

    assert queue.next_after(Filters(), cem) == ada.id


def test_after_somebody_who_never_stood_in_the_queue_it_begins(waiting, a_user):
    una = a_user(full_name="Una")

    assert queue.next_after(Filters(), una) == waiting[0].id


FILTERS = [
    Filters(),
    Filters(domain="example.org"),
    Filters(language="en", hours=1),
    Filters(level_id=1),
    Filters(claimed=NOBODY),
    Filters(claimed=1),
    *(Filters(mark=mark) for mark in Mark),
]


def test_no_list_reads_a_table_whole_or_sorts_it(waiting, a_user, monkeypatch):
    a_user()
    a_user(rejected=True)
    monkeypatch.setattr("portal.accounts.search.FEW", 1)

    for tab, filters in product(Tab, FILTERS):
        with plans.asked() as lists:
            _first_two_pages(tab, filters)
            queue.ids(tab, filters, most=5)
        with plans.asked() as others:
            queue.count(tab, filters)

        assert plans.whole_reads(lists + others, *TABLES) == [], (tab, filters)
        assert plans.sorts(lists) == [], (tab, filters)


def test_neighbours_and_counts_read_no_table_whole(waiting):
    with plans.asked() as found:
        for filters in FILTERS:
            queue.next_after(filters, waiting[0])
        queue.counts(*Tab)
        queue.waiting_since()

    assert plans.whole_reads(found, *TABLES) == []


def test_a_page_is_asked_for_with_what_it_shows(waiting, a_user):
    a_user()
    a_user(rejected=True)

    for tab in Tab:
        db.session.expire_all()
        with plans.asked() as asked:
            for row in _page(tab, Filters()).rows:
                user = row.user if tab is Tab.DECIDED else row
                assert user.review is None or user.review.wished_level is None
                assert tab is not Tab.DECIDED or (row.by, row.level) == (None, None)

        assert len(asked) == 1


def _first_two_pages(tab: Tab, filters: Filters) -> None:
    first = _page(tab, filters)
    if first.after:
        _page(tab, filters, cursor=first.after)


def _page(tab: Tab, filters: Filters, **wanted: Any) -> Page[Any]:
    if tab is Tab.DECIDED:
        return queue.decided(filters, per_page=1, **wanted)
    return queue.page(tab, filters, per_page=1, **wanted)
