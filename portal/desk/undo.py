"""Undo: a decision is taken back as if it had never been, while its mail still waits (B4)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from flask_babel import lazy_gettext as _l

from portal import audit, clock, notifications
from portal.accounts import authority
from portal.accounts.user import Status
from portal.audit import Action
from portal.database import db, read_anew
from portal.desk import decision as decisions
from portal.desk import memory, review
from portal.desk.decision import Decision, Verdict
from portal.errors import StepRefused
from portal.mail import events, outbox
from portal.mail.events import Event
from portal.notifications import Kind

if TYPE_CHECKING:
    from portal.accounts.user import User


def undo(user: User, *, by: User | None, taken_back: Collection[int] | None = None) -> Decision:
    """Take the last decision about somebody back, and its mail out of the outbox.

    The registration stands in the queue again where it stood before, and has waited as long.
    Whoever undoes many takes the mails of all of them out at once, and says which were still
    there (`taken_back`).

    Raises:
        StepRefused: nothing is decided; the time to undo is over, or the mail has left; the
            person has become staff meanwhile; it is oneself or somebody above.
    """
    decision = must_be_undoable(user, by=by)
    if decision.mail_id is not None:
        if taken_back is None:
            taken_back = outbox.take_back([decision.mail_id])
        if decision.mail_id not in taken_back:
            raise StepRefused(_too_late(decision))

    events.take_back(Event.DECIDED, user, since=decision.at)
    decision.undone_at = clock.now()
    read_anew(user, "decisions")
    if decision.verdict == Verdict.APPROVED:
        user.approved_at = None
        # Sessions stay, and with them the links in earlier mails: the gate asks for the status.
        user.access_level = None
    else:
        user.rejected_at = None
        user.rejection_reason = ""
        memory.take_back(user)
    audit.record(Action.DECISION_UNDONE, about=user, by=by, verdict=decision.verdict)
    if user.confirmed_at is not None:
        review.of(user).wait(since=decision.waiting_since)
        notifications.raise_for(user, Kind.NEW_REGISTRATION)
    return decision


def must_be_undoable(user: User, *, by: User | None) -> Decision:
    """Refuse to undo. Returns the decision that may be taken back.

    Raises:
        StepRefused: nothing is decided; the time to undo is over; the person has become staff
            meanwhile; it is oneself or somebody above.
    """
    decision = decisions.last(user)
    if decision is None or user.status not in (Status.APPROVED, Status.REJECTED):
        raise StepRefused(_l("There is no decision to undo."))
    authority.must_outrank(by, user)
    if decision.undoable_until <= clock.now():
        raise StepRefused(_too_late(decision))
    if user.roles:
        raise StepRefused(_l("This person has become a member of staff. Change the roles first."))
    return decision


def _too_late(decision: Decision) -> object:
    db.session.expire(decision, ["mail"])
    if decision.verdict == Verdict.REJECTED:
        return _l("It is too late to undo this: the mail is on its way. Reopen it instead.")
    return _l("It is too late to undo this: the mail is on its way. Suspend the account instead.")
