"""The database: one handle, one way to commit, and the types both engines agree on."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, Engine, MetaData, String, event, inspect, text
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.orm import DeclarativeBase, lazyload
from sqlalchemy.sql.compiler import InsertmanyvaluesSentinelOpts
from sqlalchemy.types import TypeDecorator

from portal import settings

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"

Row = TypeVar("Row", bound="Base")


class Base(DeclarativeBase):
    """What every table shares: names for constraints, so that migrations can drop them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base)

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model
migrate = Migrate()


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. Aware in Python on both engines; naive moments are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone says nothing; use clock.now()")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def folded(length: int) -> String:
    """Text that both engines compare byte by byte, so that no collation decides who is whom."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def init_app(app: Flask) -> None:
    """Bind the handle to the database that the settings name."""
    url = settings.of(app).database_url
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = _engine_options(url)
    db.init_app(app)
    migrate.init_app(app, db, directory=str(MIGRATIONS), render_as_batch=True)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            event.listen(db.engine, "connect", _prepare_sqlite)
            # It numbers the rows of one INSERT in their order (each the greatest id and one
            # more), so that many are written by one statement and none for each.
            db.engine.dialect.insertmanyvalues_implicit_sentinel = (
                InsertmanyvaluesSentinelOpts.ANY_AUTOINCREMENT
            )


# How long a transaction on SQLite waits for another one to end.
PATIENCE = timedelta(seconds=5)


@contextmanager
def transaction(*, patience: timedelta | None = None) -> Iterator[None]:
    """The one way to change the database: all of what is inside, or nothing.

    On SQLite the write lock is taken before the first read, so that what a step
    checks still holds when it writes. Rows loaded earlier are read anew. With `patience` it
    waits for no lock longer than that.

    Raises:
        RuntimeError: something was changed before the transaction began.
        sqlalchemy.exc.OperationalError: a lock was not to be had in time.
    """
    session = db.session
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("a change was made outside of transaction()")
    session.rollback()
    session.expire_all()
    try:
        if session.get_bind().dialect.name == "sqlite":
            _begin_immediate(session.connection(), patience or PATIENCE)
        elif patience is not None:
            session.execute(text(f"SET LOCAL lock_timeout = {_milliseconds(patience)}"))
        yield
        session.commit()
    except BaseException:
        session.rollback()
        raise


def let_go() -> None:
    """Give the connection back, and what was read with it, before something that takes long.

    Nobody then waits for a lock, and nobody lacks a connection, because of who waits for others.

    Raises:
        RuntimeError: something was changed that is not committed.
    """
    session = db.session
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("a change was made outside of transaction()")
    session.rollback()


def locked(model: type[Row], identity: Any, *, patient: bool = True) -> Row | None:
    """The row with this primary key, as it is now, locked until the transaction ends.

    Not patient, it is None where somebody else holds it: they do what has to be done.

    Others may still write rows that point to it (`key_share`): two members of staff who take
    steps on each other would else wait for each other's entry in the audit trail for ever.
    """
    # Related rows are loaded after the lock: in one query PostgreSQL, having waited, would give
    # the new row with the old neighbours.
    return db.session.get(
        model,
        identity,
        options=[lazyload("*")],
        with_for_update={"of": model, "key_share": True, "skip_locked": not patient},
        populate_existing=True,
    )


def read_anew(row: Base, *names: str) -> None:
    """Let these related rows be loaded again, because some were added or changed their place."""
    if inspect(row).persistent:
        db.session.expire(row, names)


def _engine_options(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        # IMMEDIATE: the driver opens a transaction before the first write, never for
        # reads, so that no reader has to be upgraded to a writer and fail as "locked".
        connect = {"isolation_level": "IMMEDIATE", "timeout": PATIENCE.total_seconds()}
        return {"connect_args": connect, "hide_parameters": True}
    # Parameters hold names and hashes: they stay out of errors, and so out of logs (ASVS 16.2.5).
    return {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 10, "hide_parameters": True}


def _begin_immediate(connection: Connection, patience: timedelta) -> None:
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA busy_timeout={_milliseconds(patience)}")
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        driver.execute(f"PRAGMA busy_timeout={_milliseconds(PATIENCE)}")


def _milliseconds(of: timedelta) -> int:
    return int(of.total_seconds() * 1000)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    for pragma in (
        "journal_mode=WAL",
        "foreign_keys=ON",
        f"busy_timeout={_milliseconds(PATIENCE)}",
        "synchronous=FULL",
    ):
        connection.execute(f"PRAGMA {pragma}")


def engine() -> Engine:
    """The engine of the current application."""
    return db.engine
