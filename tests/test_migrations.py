"""Migrations (M19): up, down and up again, with people in it, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import create_engine, exc, inspect, select, text

from portal import revisions
from portal.accounts import directory
from portal.accounts.access import AccessLevel
from portal.accounts.roles import Role
from portal.accounts.user import Status, User
from portal.database import MIGRATIONS, db, transaction
from portal.desk import traces
from tests.conftest import make_settings
from wsgi import create_site

pytestmark = [
    pytest.mark.both_databases,
    pytest.mark.own_site,
    pytest.mark.filterwarnings("ignore:Computed default:UserWarning"),
]


def structure() -> dict[str, object]:
    """Everything that the database says about its tables, by name."""
    look = inspect(db.engine)
    found: dict[str, object] = {}
    for table in sorted(look.get_table_names()):
        if table.startswith("users_search"):
            continue
        found[table] = {
            "columns": {
                c["name"]: (str(c["type"]), c["nullable"]) for c in look.get_columns(table)
            },
            "primary": look.get_pk_constraint(table)["name"],
            "unique": sorted(u["name"] for u in look.get_unique_constraints(table)),
            "checks": sorted(c["name"] for c in look.get_check_constraints(table)),
            "foreign": sorted(
                (k["name"], k["referred_table"], k["options"].get("ondelete"))
                for k in look.get_foreign_keys(table)
            ),
            "indexes": sorted(i["name"] for i in look.get_indexes(table) if i["name"]),
        }
    if db.engine.dialect.name == "sqlite":
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
        found["triggers"] = [tuple(row) for row in db.session.execute(text(query))]
    db.session.rollback()
    return found


def test_the_migrations_make_what_the_models_say(app):
    """Nothing that autogenerate would still want to change."""
    flask_migrate.check()


def test_down_to_nothing_and_up_again_gives_the_same_database(app, people):
    people.user(approved=True)
    people.staff("manager")
    before = structure()
    db.session.remove()

    flask_migrate.downgrade(revision="base")
    left = set(inspect(db.engine).get_table_names())
    flask_migrate.upgrade()

    assert left <= {"alembic_version"}
    assert structure() == before
    assert {role.name for role in db.session.scalars(select(Role))} == {
        "reviewer",
        "manager",
        "administrator",
    }
    assert db.session.scalars(select(User)).all() == []


def test_every_migration_goes_down_and_up_with_people_in_the_database(app, people):
    """Each step alone, last first: what is older than it keeps every row."""
    for facts in ({}, {"confirmed": True}, {"approved": True}, {"rejected": True}):
        people.user(**facts)
    people.staff("administrator")
    kept = {user.id: (user.username, user.status) for user in db.session.scalars(select(User))}
    roles = {
        user.id: [role.name for role in user.roles] for user in db.session.scalars(select(User))
    }
    before = structure()
    db.session.remove()
    chain = [revision.name for revision in sorted(Path(MIGRATIONS, "versions").glob("0*.py"))]

    for _ in chain[1:]:
        flask_migrate.downgrade(revision="-1")
    flask_migrate.upgrade()

    users = db.session.scalars(select(User)).all()
    assert {user.id: (user.username, user.status) for user in users} == kept
    assert {user.id: [role.name for role in user.roles] for user in users} == roles
    assert structure() == before


def test_the_search_still_finds_people_after_the_migrations_ran_down_and_up(app, people):
    ada_id = people.user(full_name="Ada Lovelace", approved=True).id
    db.session.remove()
    chain = sorted(Path(MIGRATIONS, "versions").glob("0*.py"))

    for _ in chain[1:]:
        flask_migrate.downgrade(revision="-1")
    flask_migrate.upgrade()

    assert [user.id for user in directory.page(search="lovel").rows] == [ada_id]


def test_whoever_has_left_no_traces_yet_is_found_by_their_domain_after_the_way_down(app, people):
    ada_id = people.user(email="ada@haworth.example").id
    bob_id = people.user(email="bob@haworth.example", confirmed=True).id
    with transaction():
        db.session.execute(
            text("UPDATE reviews SET network = '203.0.113.0/24' WHERE user_id = :id"),
            {"id": ada_id},
        )
    db.session.remove()

    flask_migrate.downgrade(revision="0014")

    kinds = "SELECT user_id, kind, value FROM request_traces WHERE kind IN ('domain', 'network')"
    assert sorted(tuple(row) for row in db.session.execute(text(kinds))) == [
        (ada_id, "domain", "haworth.example"),
        (ada_id, "network", "203.0.113.0/24"),
        (bob_id, "domain", "haworth.example"),
    ]
    db.session.remove()

    flask_migrate.upgrade()

    assert traces.due(most=10) == [], "they have left what there is"


def test_every_constraint_has_a_name_that_a_migration_can_drop(app):
    for name, table in structure().items():
        if not isinstance(table, dict):
            continue
        assert table["primary"] or db.engine.dialect.name == "sqlite", name
        for kind in ("unique", "checks"):
            assert all(table[kind]), (name, kind)
        assert all(key[0] for key in table["foreign"]), name


def test_the_code_knows_which_revision_it_needs(app):
    assert db.session.scalar(text("SELECT version_num FROM alembic_version")) == revisions.head()


def test_a_new_person_gets_a_status_by_the_database_and_is_found_by_it(app, people):
    people.user(confirmed=True)

    rows = db.session.execute(text("SELECT status, search_text FROM users")).all()

    assert [(row.status, "person 1" in row.search_text) for row in rows] == [("pending", True)]
    with pytest.raises(exc.IntegrityError), transaction():
        db.session.execute(
            text("UPDATE users SET confirmed_at = NULL, approved_at = registered_at")
        )


def test_references_are_kept_by_the_database(app, people):
    """A level in use cannot go; a person's notifications go with them; the trail stays."""
    people.user(approved="guest")
    guest = db.session.scalars(select(AccessLevel).filter_by(name="guest")).one().id
    db.session.rollback()

    with pytest.raises(exc.IntegrityError), transaction():
        db.session.execute(text("DELETE FROM access_levels WHERE id = :id"), {"id": guest})
    with pytest.raises(exc.IntegrityError), transaction():
        db.session.execute(text("DELETE FROM users"))  # the trail names them


@contextmanager
def another_site(folder: Path, url: str) -> Iterator[Flask]:
    site = create_site(make_settings(folder, url))
    with site.app_context():
        yield site
        db.session.remove()
        db.engine.dispose()


def test_an_empty_database_is_brought_up_by_one_command(app, tmp_path):
    if db.engine.dialect.name == "postgresql":
        pytest.skip("the template of every PostgreSQL test is made that way")
    path = tmp_path / "empty.sqlite3"

    with another_site(tmp_path / "other", f"sqlite:///{path}"):
        flask_migrate.upgrade()
        assert db.session.scalars(select(User)).all() == []

    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    engine.dispose()


def test_all_five_kinds_of_people_survive_with_their_status(app, people):
    for facts in ({}, {"confirmed": True}, {"approved": True}, {"rejected": True}):
        people.user(**facts)
    people.user(suspended=True)

    counts = directory.counts_by_status()

    assert {status for status, number in counts.items() if number} == set(Status) - {Status.ERASED}
