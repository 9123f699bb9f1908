"""The audit trail in the panel: filtered by action, person and day; never changed."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
import time_machine

from portal.accounts.approval import approve, reject
from portal.audit import Action
from portal.database import db, transaction
from tests.admin_views.panel import a_busy_portal, words
from tests.conftest import Browser
from tests.people import level

AUDIT = "/admin/audit/"


def actions(browser: Browser, **filters: object) -> list[str]:
    """The actions that the list shows, from the top."""
    page = browser.get(AUDIT, query_string=filters).text
    return re.findall(r'<th scope="row">([^<]*)</th>', page)


def test_what_was_done_is_listed_newest_first_with_who_and_whom(a_user, manager, signed_in):
    ada = a_user(full_name="Ada", confirmed=True)
    with transaction():
        approve(ada, by=manager, level=level("guest"))

    browser = signed_in(manager)
    assert actions(browser)[:3] == ["Approved", "Address confirmed", "Registered"]
    assert f"Approved Ada {manager.full_name} Access level: guest" in words(browser.get(AUDIT))


def test_the_trail_is_filtered_by_action(a_user, manager, signed_in):
    a_busy_portal(a_user)

    assert actions(signed_in(manager), action="account.suspended") == ["Suspended"]


def test_the_trail_is_filtered_by_who_did_it_or_to_whom(a_user, people, manager, signed_in):
    boss = people.staff("manager", username="boss")
    ada = a_user(full_name="Ada Lovelace", username="ada", confirmed=True)
    ray = a_user(full_name="Ray", username="ray", confirmed=True)
    with transaction():
        approve(db.session.merge(ada), by=boss, level=level("guest"))
        reject(db.session.merge(ray), by=boss, reason="No")
    browser = signed_in(manager)

    assert actions(browser, q="lovelace") == ["Approved", "Address confirmed", "Registered"]
    assert actions(browser, account=ada.id) == ["Approved", "Address confirmed", "Registered"]
    assert sorted(actions(browser, q="boss")) == ["Approved", "Rejected", "Staff joined"]
    assert actions(browser, q="boss", action="account.rejected") == ["Rejected"]
    assert actions(browser, q="nobody at all") == []
    assert actions(browser, account=4711) == []


def test_the_trail_is_filtered_by_day_where_the_reader_is(a_user, manager, signed_in):
    with transaction():
        db.session.merge(manager).time_zone = "Asia/Tokyo"
    for hour in (14, 16):  # 23 o'clock in Tokyo, and 1 o'clock of the next day
        with time_machine.travel(datetime(2026, 3, 10, hour, tzinfo=UTC), tick=False):
            a_user(username=f"at{hour}", full_name=f"At {hour}")
    browser = signed_in(manager)

    for since, until, names in (
        ("2026-03-10", "2026-03-10", {"At 14"}),
        ("2026-03-11", "2026-03-11", {"At 16"}),
        ("2026-03-10", "2026-03-11", {"At 14", "At 16"}),
        ("2026-03-12", "2026-03-13", set()),
    ):
        page = words(browser.get(AUDIT, query_string={"since": since, "until": until}))
        assert {name for name in ("At 14", "At 16") if name in page} == names


def test_a_day_that_cannot_be_read_is_said(manager, signed_in):
    page = signed_in(manager).get(AUDIT, query_string={"since": "31.1.2026"})

    assert page.status_code == 200
    assert "A day could not be read." in words(page)


def test_a_long_trail_is_read_page_by_page_with_its_filters(a_user, manager, signed_in):
    for _ in range(27):
        a_user(confirmed=True)
    browser = signed_in(manager)

    for filters in ({}, {"q": "person"}, {"action": "account.registered"}):
        page, seen = browser.get(AUDIT, query_string=filters).text, 0
        for _ in range(10):
            seen += len(re.findall(r'<th scope="row">', page))
            following = re.search(r'rel="next" href="([^"]*)"', page)
            if not following:
                break
            page = browser.get(following.group(1).replace("&amp;", "&")).text
        # ten people are looked up by a part of a name
        assert (
            seen
            == {"": 56, "person": 20, "account.registered": 27}[
                str(next(iter(filters.values()), ""))
            ]
        )


def test_the_trail_outlives_the_name(a_user, manager, signed_in):
    sue = a_user(full_name="Sue Spended", suspended=True)
    browser = signed_in(manager)
    browser.submit("/account", to=f"/admin/accounts/{sue.id}/erasure")

    page = words(browser.get(AUDIT))

    assert f"Erased Erased account {sue.id}" in page
    assert "Sue" not in page


def test_the_trail_has_no_address_that_changes_it(app):
    rules = [r for r in app.url_map.iter_rules() if r.endpoint.startswith("audit_trail.")]

    changing = {"POST", "PUT", "PATCH", "DELETE"}
    assert [rule for rule in rules if rule.methods & changing] == []
    assert rules


@pytest.mark.parametrize("action", list(Action))
def test_every_action_has_words(action):
    assert str(action.label)
