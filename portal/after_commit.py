"""After the commit: what is told of new rows once they are there for good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection, event, inspect
from sqlalchemy.orm import Mapper, Session, object_session

from portal.database import Model, db

Row = TypeVar("Row", bound=Model)
Told = TypeVar("Told")


def tell_of_new(
    model: type[Row],
    *,
    remember: Callable[[Row], Told | None],
    tell: Callable[[Sequence[Told]], object],
) -> None:
    """Have `tell` called once per committed transaction that inserted rows of this model.

    It is given what `remember` made of each when it was inserted, because a row cannot be read in
    that moment; None is left out, and `tell` is not called for nothing. Rows of a transaction or
    of a savepoint that was rolled back are not told of.
    """
    key = f"new {model.__tablename__}"

    def note(_mapper: Mapper[Row], _connection: Connection, row: Row) -> None:
        session, told = object_session(row), remember(row)
        if session is not None and told is not None:
            session.info.setdefault(key, []).append((row, told))

    def committed(session: Session) -> None:
        if session.in_nested_transaction():
            return  # a savepoint: whether its rows stay is not decided yet
        # A row of a savepoint that was rolled back is no longer persistent.
        new = [told for row, told in session.info.pop(key, []) if inspect(row).persistent]
        if new:
            tell(new)

    def rolled_back(session: Session) -> None:
        if not session.in_nested_transaction():
            session.info.pop(key, None)

    event.listen(model, "after_insert", note)
    event.listen(db.session, "after_commit", committed)
    event.listen(db.session, "after_rollback", rolled_back)
