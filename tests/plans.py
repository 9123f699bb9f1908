"""How a database answers a query: what was asked, and whether an index led to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, text

from portal.database import db

Asked = list[tuple[str, Any]]


@contextmanager
def asked() -> Iterator[Asked]:
    """What is asked of the database meanwhile, statements and their values."""
    found: Asked = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, _x: Any, _many: bool) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")):
            found.append((statement, values))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def plan(statement: str, values: Any) -> str:
    """How the database would answer, told not to read whole tables where an index would do."""
    connection = db.session.connection()
    if db.engine.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
        return "\n".join(row[-1] for row in rows)
    for setting in ("enable_seqscan", "enable_sort"):
        connection.execute(text(f"SET LOCAL {setting} = off"))
    rows = connection.exec_driver_sql(f"EXPLAIN {statement}", values).all()
    return "\n".join(row[0] for row in rows)


def whole_reads(found: Iterable[tuple[str, Any]], *tables: str) -> list[str]:
    """The plans among these that read one of the tables from end to end."""
    plans = [plan(statement, values) for statement, values in found]
    return [told for told in plans if any(_reads_whole(told, table) for table in tables)]


def sorts(found: Iterable[tuple[str, Any]]) -> list[str]:
    """The plans among these that sort rows instead of reading them in order."""
    plans = [plan(statement, values) for statement, values in found]
    return [told for told in plans if "TEMP B-TREE FOR ORDER" in told or "Sort Key" in told]


def _reads_whole(told: str, table: str) -> bool:
    for line in told.splitlines():
        if re.search(rf"Seq Scan on {table}( |$)", line):
            return True
        if re.match(rf"SCAN {table}(_\d+)?( |$)", line.strip()) and "INDEX" not in line:
            return True
    return False
