"""The round of a bulk: batch by batch, each in one transaction that also says who is done.

So whatever stops it, at whatever moment, it goes on with those who are left: a step and the mark
that it was taken are in the database together or not at all. Letters are written and sealed
before the transaction, because that takes longer than everything else; who changed meanwhile
gets a fresh one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from flask_babel import lazy_gettext as _l
from sqlalchemy import inspect, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import lazyload

from portal import clock, i18n
from portal.accounts.permissions import Permission
from portal.accounts.user import User
from portal.database import db, transaction
from portal.desk import deeds, gathering
from portal.desk.bulk import Bulk, BulkItem, grace, progress
from portal.desk.bulk_asking import HOLD, release
from portal.desk.decision import Decision
from portal.desk.deeds import Work
from portal.desk.gathering import AT_ONCE
from portal.errors import StepRefused
from portal.logs import caused_by
from portal.mail import events, outbox
from portal.mail.events import Event
from portal.mail.mail import Mail

log = logging.getLogger(__name__)

TRIES = 3  # of a batch that the database was too busy for

# In one process nobody writes letters for people whom another thread is about to mail.
_one_at_a_time = threading.Lock()


class Draft(NamedTuple):
    """A letter that was written before its transaction, and what was known of its reader then."""

    letter: Mail | None
    facts: tuple[Any, ...]


def work(*, stop: Callable[[], bool] = lambda: False, at_once: int = AT_ONCE) -> bool:
    """Take one batch of the bulk that has waited longest, if any does. Commits.

    Returns whether there may be more to do. Somebody else being at it, there is not.
    """
    if not _one_at_a_time.acquire(blocking=False):
        return False
    try:
        waits = select(Bulk).where(Bulk.finished_at.is_(None)).order_by(Bulk.asked_at, Bulk.id)
        bulk = db.session.scalars(waits.limit(1)).first()
        if bulk is None or stop():
            return False
        bulk_id = bulk.id
        some = select(BulkItem.user_id).where(*BulkItem.open_of(bulk_id)).order_by(BulkItem.user_id)
        ids = db.session.scalars(some.limit(at_once)).all()
        with caused_by(bulk.request_id):
            if ids and not _take_or_halve(bulk_id, ids):
                return False
            return True if len(ids) == at_once else _finish(bulk_id)
    finally:
        db.session.rollback()
        _one_at_a_time.release()


def _take_or_halve(bulk_id: int, ids: Sequence[int]) -> bool:
    """Take the step on all of them at once; where that fails, find out on whom it does.

    Half by half, so that one account that cannot be written fails alone, and the others do not
    wait for it. Returns whether the bulk was ours to go on with.
    """
    try:
        return _persistently(lambda: _take(bulk_id, ids))
    except OperationalError:
        raise  # the database is away, which is nobody's fault: the next round comes back
    except Exception as trouble:
        if len(ids) > 1:
            middle = len(ids) // 2
            halves = ids[:middle], ids[middle:]
            return all(_take_or_halve(bulk_id, half) for half in halves)
        if not isinstance(trouble, IntegrityError):
            log.exception("the step of bulk %s failed on account %s", bulk_id, ids[0])
        failed = trouble
        return _persistently(lambda: _mark_failed(bulk_id, ids[0], failed))


def _persistently(piece: Callable[[], bool]) -> bool:
    """Do a piece of work, again where the database was too busy for it or two waited in a ring."""
    for _ in range(TRIES - 1):
        try:
            return piece()
        except OperationalError:
            db.session.rollback()
    return piece()


def _take(bulk_id: int, ids: Sequence[int]) -> bool:
    step = deeds.of(db.session.get_one(Bulk, bulk_id))
    drafts = _drafts(step, ids)
    with transaction():
        bulk = _locked(bulk_id)
        if bulk is None or bulk.finished_at is not None:
            return False  # somebody else is at it, or stopped it
        step.by = db.session.get_one(User, bulk.by_id)
        may = step.by.may(Permission.REVIEW)
        open_items = select(BulkItem).where(*BulkItem.open_of(bulk_id), BulkItem.user_id.in_(ids))
        items = {item.user_id: item for item in db.session.scalars(open_items)}
        users = gathering.lock(list(items), step)
        with i18n.mail_locale(step.by.language, step.by.time_zone), events.silence():
            step.begin(users if may else [])
            for user in users:
                _take_on(user, step if may else None, drafts.get(user.id), items[user.id], bulk)
            step.end()
    return True


def _take_on(
    user: User, step: Work | None, draft: Draft | None, item: BulkItem, bulk: Bulk
) -> None:
    """Take the step on one of them, or write down why not."""
    try:
        if step is None:
            raise StepRefused(_l("Whoever asked for this may no longer decide about people."))
        made = step.take(user, _letter(step, user, draft))
    except StepRefused as refused:
        item.refused_at, item.sentence = clock.now(), str(refused)
        return
    item.done_at = clock.now()
    if made is not None:
        _hold(made, bulk)


def _hold(made: Decision, bulk: Bulk) -> None:
    """Let a decision be undone, and its letter wait, until the bulk is over."""
    until = clock.now() + HOLD
    made.bulk_id = bulk.id
    made.undoable_until = until
    if made.mail is not None:
        made.mail.due_at = until
        made.mail.give_up_at = outbox.when_to_give_up(until)


def _finish(bulk_id: int) -> bool:
    """End a bulk of which nobody is left, and let its letters leave once it cannot be undone.

    Returns whether somebody is left after all.
    """
    with transaction():
        bulk = _locked(bulk_id)
        if bulk is None or bulk.finished_at is not None:
            return False
        left = select(BulkItem.user_id).where(*BulkItem.open_of(bulk_id))
        if db.session.scalar(left.limit(1)) is not None:
            return True
        bulk.finished_at = clock.now()
        _tell(bulk)
        if bulk.kind.decides:
            release(bulk, at=bulk.finished_at + grace())
        if bulk.undoes_id is not None:
            undone = db.session.get_one(Bulk, bulk.undoes_id)
            release(undone, at=bulk.finished_at)  # what could not be undone
    return True


def _tell(bulk: Bulk) -> None:
    """Tell programs that listen, once for all of the people."""
    came = progress(bulk)
    events.post(
        Event.BULK_FINISHED,
        bulk_id=bulk.id,
        deed=bulk.deed,
        total=came.total,
        done=came.done,
        refused=came.refused,
    )


def _mark_failed(bulk_id: int, user_id: int, trouble: Exception) -> bool:
    with transaction():
        item = db.session.get_one(BulkItem, (bulk_id, user_id))
        by = db.session.get_one(User, db.session.get_one(Bulk, bulk_id).by_id)
        with i18n.mail_locale(by.language, by.time_zone):
            sentence = (
                _l("Somebody changed this at the same moment. Look again and repeat it.")
                if isinstance(trouble, IntegrityError)
                else _l("The portal failed at this. Its log says more; tell whoever runs it.")
            )
            item.refused_at, item.sentence = clock.now(), str(sentence)
    return True


def _locked(bulk_id: int) -> Bulk | None:
    """The bulk, ours until the transaction ends; None while another worker is at it."""
    return db.session.scalars(
        select(Bulk)
        .where(Bulk.id == bulk_id)
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()


def _drafts(step: Work, ids: Sequence[int]) -> dict[int, Draft]:
    users = select(User).where(User.id.in_(ids)).options(lazyload("*"))
    return {user.id: Draft(step.letter(user), _facts(user)) for user in db.session.scalars(users)}


def _letter(step: Work, user: User, draft: Draft | None) -> Mail | None:
    if draft is None or draft.facts != _facts(user):
        return step.letter(user)
    return draft.letter


def _facts(user: User) -> tuple[Any, ...]:
    """All that is known of a person. What the letters say depends on nothing else."""
    columns = (each.key for each in inspect(User).column_attrs if not each.deferred)
    return tuple(getattr(user, name) for name in columns)
