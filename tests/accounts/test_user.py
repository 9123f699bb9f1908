"""What is kept of a person: facts, and a status that nothing else can contradict (M19)."""

from datetime import datetime

import pytest
from sqlalchemy import exc, select, text, update

from portal import clock
from portal.accounts.user import STATUS_SQL, Status, User
from portal.database import db, transaction
from tests.people import level

FACTS = {
    "unconfirmed": {},
    "pending": {"confirmed": True},
    "approved": {"approved": True},
    "rejected": {"rejected": True},
    "suspended": {"suspended": True},
}


@pytest.mark.both_databases
def test_the_status_cannot_be_written_only_derived(a_user):
    ada = a_user(confirmed=True)

    with pytest.raises((exc.OperationalError, exc.ProgrammingError)), transaction():
        db.session.execute(text("UPDATE users SET status = 'approved'"))

    db.session.rollback()
    assert ada.status is Status.PENDING
    assert db.session.scalar(text("SELECT status FROM users")) == "pending"


@pytest.mark.both_databases
def test_every_combination_of_facts_gives_the_same_status_in_both_places(a_user):
    """The column and the property are one derivation, also where facts overlap."""
    ada = a_user(approved=True)
    names = ["erased_at", "suspended_at", "rejected_at", "confirmed_at", "approved_at"]

    for bits in range(2 ** len(names)):
        facts = {n: clock.now() if bits >> i & 1 else None for i, n in enumerate(names)}
        if facts["approved_at"] and not facts["confirmed_at"] and not facts["erased_at"]:
            continue  # the database refuses it
        with transaction():
            db.session.execute(update(User).values(facts))
        db.session.expire_all()
        assert db.session.scalar(text("SELECT status FROM users")) == ada.status.value, facts
    assert "CASE" in STATUS_SQL


@pytest.mark.both_databases
def test_the_database_itself_refuses_what_cannot_be(a_user):
    a_user(approved=True)

    for values in (
        {"confirmed_at": None},
        {"access_level_id": None},
        {"email_canonical": None},
        {"username_canonical": None},
        {"communication": "sometimes"},
        {"theme": "pink"},
        {"full_name": None},
        {"access_level_id": 999},
    ):
        with pytest.raises(exc.IntegrityError), transaction():
            db.session.execute(update(User).values(**values))


@pytest.mark.both_databases
def test_names_are_unique_in_the_database_itself(a_user):
    """H: uniqueness that only a form checks."""
    ada, eve = a_user(), a_user()

    for column in ("email_canonical", "username_canonical", "fs_uniquifier"):
        taken = {column: getattr(ada, column)}
        with pytest.raises(exc.IntegrityError), transaction():
            db.session.execute(update(User).where(User.id == eve.id).values(taken))


def test_changing_a_name_changes_its_one_spelling_and_what_is_searched(a_user):
    ada = a_user(username="ada", email="ada@example.org", full_name="Ada Lovelace")

    with transaction():
        ada.email, ada.username, ada.full_name = "Countess@EXAMPLE.org", "Countess", "A. King"

    assert (ada.email_canonical, ada.username_canonical) == ("countess@example.org", "countess")
    assert ada.search_text == "a. king countess@example.org countess"


@pytest.mark.both_databases
def test_moments_come_back_aware_and_in_utc(a_user):
    """H: naive local time."""
    ada = a_user(approved=True)
    db.session.expire_all()

    for moment in (ada.registered_at, ada.confirmed_at, ada.approved_at):
        assert moment.tzinfo is not None
        assert moment.utcoffset().total_seconds() == 0


def test_a_naive_moment_is_refused(a_user):
    ada = a_user()

    with pytest.raises(exc.StatementError, match="time zone"), transaction():
        ada.confirmed_at = datetime(2026, 1, 1)  # noqa: DTZ001


def test_who_may_hold_a_session_is_said_by_status_alone(a_user):
    open_to = {name: a_user(**facts).is_active for name, facts in FACTS.items()}

    assert open_to == {
        "unconfirmed": False,
        "pending": True,
        "approved": True,
        "rejected": True,
        "suspended": False,
    }


def test_every_status_and_choice_has_a_word_that_people_read(app):
    for status in Status:
        assert str(status.label)
    assert level("guest").name == str(level("guest"))
    assert db.session.scalars(select(User)).all() == []
