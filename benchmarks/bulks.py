"""Many approved at once: how many a second, beside writing and sealing their letters alone."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import event, select

from benchmarks.measuring import Figure, rate
from benchmarks.people import ADMINISTRATOR
from portal.accounts import access
from portal.accounts.user import Status, User
from portal.database import db, transaction
from portal.desk import bulk_asking, bulk_round
from portal.desk.bulk import Deed
from portal.mail import messages, outbox

MOST = 1_000


def figures(seconds: float) -> list[Figure]:
    """Approve those who wait, a thousand at most, as the worker does, and tell what that took."""
    waiting = select(User).where(User.status == Status.PENDING.value).limit(MOST)
    people = db.session.scalars(waiting).unique().all()
    level = access.levels()[0]
    letters = rate(lambda: outbox.sealed(messages.welcome(people[0], level)), seconds)
    asked: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    began = time.perf_counter()
    _approve([user.id for user in people])
    took = time.perf_counter() - began
    event.remove(db.engine, "before_cursor_execute", note)
    name = f"{len(people)} approved, {len(asked)} statements"
    return [
        Figure("a letter alone", letters, letters, "letter"),
        Figure(name, len(people) / took, letters, "letter"),
    ]


def _approve(ids: list[int]) -> None:
    with transaction():
        by = db.session.scalars(select(User).filter_by(username=ADMINISTRATOR)).unique().one()
        bulk_asking.ask(Deed.APPROVAL, ids, by=by, level=access.levels()[0])
    while bulk_round.work():
        pass
