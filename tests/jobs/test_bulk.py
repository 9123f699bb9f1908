"""A bulk in a real worker: rung for at once, and finished correctly whatever kills it."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from portal import jobs, settings
from portal.accounts.user import Status, User
from portal.audit import Action, AuditEntry
from portal.database import db, transaction
from portal.desk import bulk, bulk_asking
from portal.desk.bulk import Bulk, Deed, Progress
from portal.jobs import rounds
from portal.mail import outbox
from portal.mail.mail import Mail
from tests.jobs.process import Worker, until
from tests.people import People, level

Environ = Callable[..., dict[str, str]]


def ask(ids: list[int], by: User) -> int:
    with transaction():
        asked = bulk_asking.ask(
            Deed.APPROVAL, ids, by=db.session.get_one(User, by.id), level=level("standard")
        )
        return asked.id


def progress(bulk_id: int) -> Progress:
    """How far it is, as other processes see it."""
    db.session.rollback()
    db.session.expire_all()
    return bulk.progress(db.session.get_one(Bulk, bulk_id))


def is_finished(bulk_id: int) -> bool:
    db.session.rollback()
    return db.session.scalar(select(Bulk.finished_at).where(Bulk.id == bulk_id)) is not None


@pytest.mark.long
@pytest.mark.both_databases
def test_a_bulk_begins_moments_after_it_was_asked_for(
    app: Flask, database_kind: str, environ: Environ, people: People, reviewer: User
) -> None:
    ids = people.crowd(5)
    with Worker(environ()):
        bulk_id = ask(ids, reviewer)
        began = time.monotonic()
        until(lambda: is_finished(bulk_id))
        took = time.monotonic() - began

    assert took < rounds.SWEEP_EVERY.total_seconds()  # so it was the bell
    assert progress(bulk_id) == Progress(total=5, done=5, refused=0)


@pytest.mark.long
def test_the_rounds_find_what_nobody_rang_for(
    app: Flask, environ: Environ, people: People, reviewer: User
) -> None:
    bulk_id = ask(people.crowd(2), reviewer)
    (Path(settings.of(app).instance) / jobs.QUEUE_FILE).unlink()

    with Worker(environ()):
        until(lambda: is_finished(bulk_id))

    assert progress(bulk_id).done == 2


@pytest.mark.long
@pytest.mark.both_databases
@pytest.mark.timeout(1800)
def test_killing_the_worker_leaves_nobody_out_and_decides_about_nobody_twice(
    app: Flask, database_kind: str, environ: Environ, people: People, reviewer: User
) -> None:
    ids = people.crowd(1000)
    with transaction():
        outbox.drop()  # of what they were mailed on the way here there is nothing to see
    bulk_id = ask(ids, reviewer)

    kills = 0
    while not is_finished(bulk_id):
        worker = Worker(environ())
        try:
            worker.ready()
            threading.Event().wait(random.uniform(0, 3 + kills))
        finally:
            worker.kill()
        kills += 1

    assert progress(bulk_id) == Progress(total=1000, done=1000, refused=0)
    db.session.expire_all()
    assert {user.status for user in people_of(ids)} == {Status.APPROVED}
    approved = select(AuditEntry.about_id).where(AuditEntry.action == Action.APPROVED.value)
    assert Counter(db.session.scalars(approved)) == Counter(ids)
    assert Counter(welcomed(ids)) == Counter(ids)
    print(f"{kills} kills")


def people_of(ids: list[int]) -> list[User]:
    return list(db.session.scalars(select(User).where(User.id.in_(ids))).unique())


def welcomed(ids: list[int]) -> list[int | None]:
    """Who was mailed a welcome, as often as they were."""
    mails = select(Mail.user_id).where(Mail.kind == "welcome", Mail.user_id.in_(ids))
    return list(db.session.scalars(mails))
