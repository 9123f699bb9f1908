"""Withdrawal: an applicant takes their registration back, and what is known of them goes (B1)."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _l

from portal import audit
from portal.accounts.erasure import erase
from portal.accounts.user import UNDECIDED, Status, User
from portal.audit import Action, Way
from portal.desk import decision
from portal.errors import StepRefused


def withdraw(user: User, *, how: Sequence[Way] = ()) -> None:
    """Take a registration back, and erase the account for good. Again changes nothing.

    Whoever was rejected has nothing to take back, and erases what is known of them; whoever
    cannot know it yet withdraws.

    Raises:
        StepRefused: the account is approved or suspended: then it is for the staff to erase.
    """
    if user.status is Status.ERASED:
        return
    must_be_withdrawable(user)

    if decision.status_shown(user) is not Status.REJECTED:
        audit.record(Action.WITHDRAWN, about=user, by=user, how=how)
    erase(user, by=user, how=how)


def must_be_withdrawable(user: User) -> None:
    """Refuse to withdraw.

    Raises:
        StepRefused: the account is approved or suspended.
    """
    if user.status is Status.APPROVED:
        decision.must_not_be_kept_back(user)
    if user.status not in (*UNDECIDED, Status.REJECTED):
        raise StepRefused(
            _l("This is a registration no more. Ask the staff to erase your account.")
        )
