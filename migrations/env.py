"""How migrations run: on the application's own engine, on SQLite with foreign keys held back.

SQLite rebuilds a table to change it. With foreign keys on, dropping the old one would delete
the rows that point to it; so they are off meanwhile, and checked before the end.
"""

from alembic import context
from flask import current_app
from sqlalchemy import Connection, text

from portal.database import db


def run() -> None:
    """Bring the database to the asked-for revision, one transaction for each migration."""
    with db.engine.connect() as connection:
        on_sqlite = connection.dialect.name == "sqlite"
        if on_sqlite:
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.commit()
        context.configure(
            connection=connection,
            target_metadata=db.metadata,
            transaction_per_migration=True,
            include_object=_is_ours,
            **current_app.extensions["migrate"].configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()
        if on_sqlite:
            _check_foreign_keys(connection)
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")
        connection.commit()


def _check_foreign_keys(connection: Connection) -> None:
    orphans = connection.execute(text("PRAGMA foreign_key_check")).all()
    if orphans:
        raise RuntimeError(f"the migration left rows that point nowhere: {orphans[:5]}")


def _is_ours(_object: object, name: str | None, *_rest: object) -> bool:
    """Leave the search out of comparisons: only migrations know how each database does it."""
    found = name or ""
    return found != "ix_users_search_text" and not found.startswith("users_search")


run()
