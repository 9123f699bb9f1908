"""The trail, asked: bounded questions, each answered from an index on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from portal import audit, clock, trail
from portal.accounts.user import User
from portal.audit import Action
from portal.database import db, transaction
from tests import plans

pytestmark = pytest.mark.both_databases(everyday="postgresql")

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def written(a_user, manager) -> list[User]:
    """Entries of three people by one member of staff, an hour apart."""
    people = [a_user() for _ in range(3)]
    with transaction():
        for hour in range(9):
            with clock.at(START + timedelta(hours=hour)):
                audit.record(
                    Action.REASON_EDITED if hour % 2 else Action.PREFERENCES_CHANGED,
                    about=db.session.merge(people[hour % 3]),
                    by=db.session.merge(manager),
                    hour=hour,
                )
    return people


def hours(**asked: Any) -> list[list[int]]:
    """The hours on each page of entries that the fixture wrote, newest first."""
    found: list[list[int]] = []
    cursor = ""
    while len(found) < 10:
        page = trail.page(cursor=cursor, per_page=2, until=START + timedelta(days=1), **asked)
        found.append([entry.details["hour"] for entry in page.rows])
        if page.after is None:
            return found
        cursor = page.after
    raise AssertionError("the pages never end")


def test_the_trail_is_paged_newest_first(written):
    assert hours() == [[8, 7], [6, 5], [4, 3], [2, 1], [0]]


def test_people_are_found_by_what_they_did_and_what_was_done_to_them(written, manager):
    first, second, _third = written

    assert hours(people=[first.id]) == [[6, 3], [0]]
    assert hours(people=[first.id, second.id]) == [[7, 6], [4, 3], [1, 0]]
    assert hours(people=[manager.id], action=Action.REASON_EDITED) == [[7, 5], [3, 1]]
    assert hours(people=[first.id, manager.id], since=START + timedelta(hours=7)) == [[8, 7]]
    assert hours(people=[]) == [[]]


def test_no_question_reads_the_whole_trail(written, manager):
    cursor = trail.page(per_page=1).after or ""
    boss, ids = manager.id, [user.id for user in written]
    questions: list[dict[str, Any]] = [
        {},
        {"action": Action.REGISTERED},
        {"since": START, "until": START + timedelta(days=1)},
        {"people": ids[:1]},
        {"people": ids, "action": Action.REASON_EDITED},
        {"cursor": cursor},
        {"people": [boss], "cursor": cursor},
    ]
    with plans.asked() as found:
        for asked in questions:
            assert trail.page(**asked).rows

    assert len(found) == len(questions)
    assert plans.whole_reads(found, "audit_entries", "users") == []
    assert plans.sorts(each for each in found if "UNION" not in each[0]) == []


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "deed", ["UPDATE audit_entries SET by_id = NULL", "DELETE FROM audit_entries WHERE id = 1"]
)
def test_the_database_takes_no_change_and_no_removal_of_an_entry(written, deed):
    """ASVS 16.4.2: not by a step with a mistake in it, nor by a statement that was slipped in."""
    before = db.session.execute(text("SELECT * FROM audit_entries ORDER BY id")).all()
    db.session.rollback()

    with pytest.raises(IntegrityError, match="added and never changed"), transaction():
        db.session.execute(text(deed))

    after = db.session.execute(text("SELECT * FROM audit_entries ORDER BY id")).all()
    assert after == before != []
