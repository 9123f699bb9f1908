"""Asking for a bulk: it is written down who is in it, and the worker does the rest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from blinker import Namespace
from flask_babel import lazy_gettext as _l
from sqlalchemy import delete, insert, select, update

from portal import audit, clock
from portal.accounts import authority
from portal.accounts.access import AccessLevel
from portal.accounts.user import User
from portal.after_commit import tell_of_new
from portal.audit import Action
from portal.database import db, locked
from portal.desk.bulk import KEPT, MOST, Bulk, BulkItem, Deed
from portal.desk.decision import Decision
from portal.desk.standard_text import StandardText
from portal.errors import StepRefused
from portal.mail import outbox
from portal.mail.mail import Mail

bulk_asked = Namespace().signal("bulk-asked")
"""Sent after a transaction that asked for a bulk was committed.

Receivers must not touch the session: it is between two transactions."""

# Longer than any bulk takes: its letters wait for its end, which says when they leave.
HOLD = timedelta(days=30)


def ask(
    deed: Deed,
    ids: Sequence[int],
    *,
    by: User,
    level: AccessLevel | None = None,
    reason: str = "",
    text: StandardText | None = None,
    tell: bool = True,
) -> Bulk:
    """Write down that a step shall be taken on these people, each of whom is named now.

    Who is refused will be known when it is taken; nobody who comes later is swept in. Of a
    standard text, which replaces the reason, each reads the variant in their language as it is
    now.

    Raises:
        StepRefused: there is nobody, or more than `MOST`; the level is missing or above what
            the giver's roles may give.
    """
    if len(ids) > MOST:
        raise StepRefused(_l("That is more than %(most)s people at once.", most=MOST))
    known = db.session.scalars(select(User.id).where(User.id.in_(ids))).all()
    if not known:
        raise StepRefused(_l("Tick at least one row first."))
    details: dict[str, Any] = {}
    if deed is Deed.APPROVAL:
        if level is None:
            raise StepRefused(_l("Choose an access level."), field="level")
        authority.must_be_granted(by, level)
        details = {"level": level.id}
    if deed is Deed.REJECTION:
        details = {"reason": reason, "tell": tell}
        if text is not None:
            details["variants"] = {each.language: each.body for each in text.variants}
    return _write_down(Bulk(deed=deed.value, details=details), known, by=by)


def ask_for_undo(bulk_id: int, *, by: User) -> Bulk:
    """Let everything that a bulk decided be taken back. One that still runs is stopped first.

    Its letters are held until that is done. Undoing again gives the undo that there is.

    Raises:
        StepRefused: it decides nothing, or it is too late.
    """
    bulk = locked(Bulk, bulk_id)
    if bulk is None or not bulk.kind.decides:
        raise StepRefused(_l("There is no decision to undo."))
    known = db.session.scalar(select(Bulk).where(Bulk.undoes_id == bulk.id))
    if known is not None:
        return known
    if bulk.undoable_until is not None and bulk.undoable_until <= clock.now():
        raise StepRefused(_l("It is too late to undo this: the mails are on their way."))

    if bulk.finished_at is None:
        _stop(bulk)
    release(bulk, at=clock.now() + HOLD)
    decided = select(Decision.user_id).where(Decision.bulk_id == bulk.id, Decision.stands())
    undo = Bulk(deed=Deed.UNDO.value, undoes_id=bulk.id, details={})
    return _write_down(undo, db.session.scalars(decided.distinct()).all(), by=by)


def release(bulk: Bulk, *, at: datetime) -> None:
    """Let the letters of what a bulk decided leave at a moment; until then it can be undone."""
    stands = (Decision.bulk_id == bulk.id, Decision.stands())
    # The mails first, as whoever undoes one decision does: else both could wait for each other.
    outbox.put_off(Mail.id.in_(select(Decision.mail_id).where(*stands)), until=at)
    db.session.execute(
        update(Decision).where(*stands).values(undoable_until=at),
        execution_options={"synchronize_session": False},
    )


def purge() -> None:
    """Forget bulks that ended long ago, in the caller's transaction. What they decided stays."""
    long_ago = Bulk.finished_at < clock.now() - KEPT
    db.session.execute(
        delete(Bulk).where(long_ago), execution_options={"synchronize_session": False}
    )


def _write_down(bulk: Bulk, ids: Sequence[int], *, by: User) -> Bulk:
    bulk.by, bulk.asked_at, bulk.total = by, clock.now(), len(ids)
    db.session.add(bulk)
    db.session.flush()
    if ids:
        db.session.execute(insert(BulkItem), [{"bulk_id": bulk.id, "user_id": id} for id in ids])
    audit.record(Action.BULK_ASKED, by=by, bulk=bulk.id, deed=bulk.deed, people=bulk.total)
    return bulk


def _stop(bulk: Bulk) -> None:
    """Take the step on nobody else. The lock on the row has waited for the batch under way."""
    now = clock.now()
    db.session.execute(
        update(BulkItem)
        .where(*BulkItem.open_of(bulk.id))
        .values(refused_at=now, sentence=str(_l("It was stopped before it came to this person."))),
        execution_options={"synchronize_session": False},
    )
    bulk.finished_at = now


tell_of_new(Bulk, remember=lambda bulk: bulk.id, tell=lambda _ids: bulk_asked.send(None))
