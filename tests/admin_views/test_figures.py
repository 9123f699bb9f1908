"""Figures: what the desk decides and how long people wait, by week and by reviewer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portal import clock
from portal.accounts.approval import approve, reject
from portal.accounts.user import User
from portal.database import db, locked, transaction
from portal.desk import figures
from portal.desk.percentiles import wait_at
from portal.desk.undo import undo
from tests.admin_views.panel import words
from tests.people import level

HOUR = timedelta(hours=1)
WEDNESDAY = datetime(2026, 7, 15, 12, tzinfo=UTC)


def decided(people, by, *, waited, at, rejected=False):
    """Somebody whose registration was decided then, after a wait."""
    with clock.at(at - waited):
        user = people.user(confirmed=True)
    with clock.at(at), transaction():
        found = locked(User, user.id)
        if rejected:
            reject(found, by=by, reason="No")
        else:
            approve(found, by=by, level=level("standard"))
    return user


@pytest.mark.parametrize(
    ("waited", "median", "ninetieth"),
    [([5], 5, 5), ([1, 2, 3, 4], 2, 4), (list(range(1, 11)), 5, 9), ([9, 1, 5], 5, 9)],
)
def test_percentiles_are_those_of_the_nearest_rank(waited, median, ninetieth):
    assert wait_at(0.5, waited) == timedelta(seconds=median)
    assert wait_at(0.9, waited) == timedelta(seconds=ninetieth)


def test_nothing_has_no_percentile():
    assert wait_at(0.5, []) is None


@pytest.mark.both_databases(everyday="postgresql")
def test_decisions_are_counted_by_week_and_by_reviewer(people):
    ada, grace = people.staff("reviewer"), people.staff("manager")
    decided(people, ada, waited=2 * HOUR, at=WEDNESDAY)
    decided(people, ada, waited=4 * HOUR, at=WEDNESDAY - timedelta(days=7), rejected=True)
    decided(people, grace, waited=6 * HOUR, at=WEDNESDAY - timedelta(days=2, hours=12))

    with clock.at(WEDNESDAY + HOUR):
        found = figures.of_last(2)

    assert [
        (str(start.date()), tally.approved, tally.rejected) for start, tally in found.by_week
    ] == [("2026-07-06", 0, 1), ("2026-07-13", 2, 0)]
    assert [(by.id, tally.decided) for by, tally in found.by_reviewer] == [
        (ada.id, 2),
        (grace.id, 1),
    ]
    assert (found.in_all.median, found.in_all.ninetieth) == (4 * HOUR, 6 * HOUR)


def test_what_was_undone_does_not_count(people):
    ada = people.staff("reviewer")
    user = decided(people, ada, waited=HOUR, at=WEDNESDAY)
    with clock.at(WEDNESDAY + timedelta(seconds=5)), transaction():
        undo(locked(User, user.id), by=ada)

    with clock.at(WEDNESDAY + HOUR):
        assert figures.of_last(4).in_all.decided == 0


def test_the_page_shows_the_figures_and_says_when_there_are_none(people, reviewer, signed_in):
    browser = signed_in(reviewer)
    assert "Nothing was decided in this time" in words(browser.get("/admin/figures/"))

    decided(people, reviewer, waited=3 * HOUR, at=clock.now())

    page = words(browser.get("/admin/figures/?weeks=4"))
    assert "3 hours" in page
    assert str(db.session.get(User, reviewer.id)) in page
    assert browser.get("/admin/figures/?weeks=5").status_code == 404
