"""Suspension: staff close an account, and open it again."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal import audit, clock
from portal.accounts import authority, roles
from portal.accounts.user import Status, User
from portal.audit import Action
from portal.desk import decision
from portal.errors import StepRefused
from portal.mail import messages, outbox


def suspend(user: User, *, by: User | None, reason: str = "") -> None:
    """Close an approved account at once. Its open sessions end. Suspending again changes nothing.

    Raises:
        StepRefused: it is oneself, somebody above, or the last administrator; the account
            is not approved.
    """
    if user.status is Status.SUSPENDED:
        return
    must_be_suspendable(user, by=by)
    if roles.is_administrator(user):
        roles.must_leave_an_administrator(user)

    decision.take_letter_back(user)
    user.suspended_at = clock.now()
    user.end_sessions()
    audit.record(Action.SUSPENDED, about=user, by=by, reason=reason)
    outbox.post(messages.suspended(user, reason))


def must_be_suspendable(user: User, *, by: User | None) -> None:
    """Refuse to suspend. Whether it is the last administrator, the step itself looks at last.

    Raises:
        StepRefused: the account is not approved; it is oneself or somebody above.
    """
    if user.status is not Status.APPROVED:
        raise StepRefused(_l("Only an approved account can be suspended."))
    authority.must_outrank(by, user)


def reinstate(user: User, *, by: User | None) -> None:
    """Open a suspended account again, as it was. Sessions of before stay ended.

    Raises:
        StepRefused: it is not suspended; it is oneself or somebody above.
    """
    if user.status is Status.APPROVED:
        return
    must_be_reinstatable(user, by=by)

    user.suspended_at = None
    user.end_sessions()
    audit.record(Action.REINSTATED, about=user, by=by)
    outbox.post(messages.reinstated(user))


def must_be_reinstatable(user: User, *, by: User | None) -> None:
    """Refuse to reinstate.

    Raises:
        StepRefused: it is not suspended; it is oneself or somebody above.
    """
    if user.status is not Status.SUSPENDED:
        raise StepRefused(_l("Only a suspended account can be reinstated."))
    authority.must_outrank(by, user)
