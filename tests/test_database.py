"""The database: one way to commit, and the same promises on both engines."""

import threading
import time

import pytest
from sqlalchemy import exc, select, text

from portal.accounts.approval import approve
from portal.accounts.user import User
from portal.database import db, locked, transaction
from tests.crowd import together
from tests.people import level

both = pytest.mark.both_databases


def name_of(user_id: int) -> str | None:
    db.session.expire_all()
    return db.session.scalar(select(User.full_name).where(User.id == user_id))


@both
def test_a_transaction_keeps_all_or_nothing(a_user):
    ada, eve = a_user(full_name="Ada"), a_user(full_name="Eve")

    with pytest.raises(ZeroDivisionError), transaction():
        ada.full_name = "Countess"
        db.session.flush()
        eve.full_name = str(1 / 0)

    assert [name_of(ada.id), name_of(eve.id)] == ["Ada", "Eve"]
    with transaction():
        ada.full_name = "Countess"
    assert name_of(ada.id) == "Countess"


@both
def test_a_change_made_outside_of_a_transaction_is_an_error_not_a_surprise(a_user):
    ada = a_user(full_name="Ada")

    ada.full_name = "Countess"
    with pytest.raises(RuntimeError, match="outside"), transaction():
        pass

    db.session.rollback()
    assert name_of(ada.id) == "Ada"


@both
def test_what_was_read_before_a_transaction_is_read_anew_in_it(app, a_user):
    ada = a_user(full_name="Ada")
    ada_id = ada.id

    def elsewhere():
        with app.app_context(), transaction():
            db.session.get(User, ada_id).full_name = "Countess"

    assert ada.full_name == "Ada"
    db.session.rollback()
    together([elsewhere])
    with transaction():
        assert ada.full_name == "Countess"
        assert locked(User, ada_id) is ada


@both
def test_a_locked_row_makes_others_wait_so_that_no_change_is_lost(app, a_user):
    """Read, think, write: twelve at once count to twelve."""
    ada_id = a_user().id

    def count_up():
        with app.app_context(), transaction():
            user = locked(User, ada_id)
            number = user.login_count
            time.sleep(0.005)
            user.login_count = number + 1

    together([count_up] * 12)

    assert db.session.scalar(select(User.login_count).where(User.id == ada_id)) == 12


@both
def test_a_locked_row_comes_with_its_present_relations(app, a_user, administrator):
    """Whoever waited for the lock sees the new row with its new level, not with the old one."""
    ada_id = a_user(confirmed=True).id
    level_id = level("standard").id
    has_lock, seen = threading.Event(), []

    def approve_slowly():
        with app.app_context(), transaction():
            user = locked(User, ada_id)
            has_lock.set()
            time.sleep(0.1)
            approve(user, by=None, level=level("standard"))

    def look():
        has_lock.wait(10)
        with app.app_context(), transaction():
            found = locked(User, ada_id)
            seen.append(found.access_level.id if found.access_level else None)

    together([approve_slowly, look])

    assert seen == [level_id]


def test_nothing_is_found_under_an_id_that_nobody_has(app):
    with transaction():
        assert locked(User, 999) is None


def test_sqlite_keeps_what_was_committed_and_its_references(app):
    pragmas = {
        name: db.session.scalar(text(f"PRAGMA {name}"))
        for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
    }

    assert pragmas == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "synchronous": 2,
    }


def test_readers_do_not_wait_for_a_writer(app, a_user):
    ada_id = a_user(full_name="Ada").id
    db.session.rollback()

    with transaction():
        db.session.get(User, ada_id).full_name = "Countess"
        db.session.flush()
        started = time.monotonic()
        read = together([lambda: in_a_context(app, lambda: name_of(ada_id))])
        assert time.monotonic() - started < 2

    assert read == ["Ada"]


def in_a_context(app, deed):
    with app.app_context():
        return deed()


@both
def test_an_error_of_the_database_tells_no_values(app):
    """ASVS 16.2.5: what goes to a log holds no name, address or hash."""
    query = text("SELECT * FROM nowhere WHERE password = :p")

    with pytest.raises((exc.OperationalError, exc.ProgrammingError)) as failed:
        db.session.execute(query, {"p": "hunter2-hash"})

    db.session.rollback()
    assert "nowhere" in str(failed.value)
    assert "hunter2-hash" not in str(failed.value)


@both
def test_a_database_that_is_away_is_said_with_a_time_to_come_back(app, browser, monkeypatch):
    def away(*_args, **_kwargs):
        raise exc.OperationalError("SELECT 1", {}, Exception("gone"))

    app.view_functions["pages.terms"] = away

    answer = browser.get("/terms")

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "gone" not in answer.get_data(as_text=True)
