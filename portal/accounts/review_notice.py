"""Review notice: staff who may review are mailed when registrations wait (M10)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from portal import clock
from portal.accounts.permissions import Permission
from portal.accounts.roles import staff_with
from portal.accounts.user import Status, User
from portal.database import db
from portal.desk import queue
from portal.desk.queue import Tab
from portal.mail import messages, outbox

PAUSE = timedelta(minutes=10)


def tell_reviewers() -> int:
    """Mail each reviewer how many wait, when somebody new does. Returns how many were told.

    At most one mail per person in ten minutes; who came in between is in the next one.
    """
    newest = db.session.scalar(
        select(func.max(User.confirmed_at)).where(User.status == Status.PENDING.value)
    )
    since = queue.waiting_since()
    if newest is None or since is None:
        return 0
    waiting = queue.counts(Tab.READY)[Tab.READY]
    told = 0
    for reviewer in staff_with(Permission.REVIEW):
        before = reviewer.reviewer_told_at
        if before is not None and (before >= newest or clock.now() - before < PAUSE):
            continue
        reviewer.reviewer_told_at = clock.now()
        outbox.post(messages.registrations_waiting(reviewer, waiting, since))
        told += 1
    return told
