"""The way back: the owner, whom an alarm shut out too, is in again, with their own address."""

from __future__ import annotations

from portal import audit
from portal.accounts import alarm
from portal.accounts.erasure import erase
from portal.accounts.user import User
from portal.audit import Action, Way
from portal.database import db


def come_back(user: User, address: str) -> None:
    """Settle the alarms of an account; `address` is where its owner read the link.

    The account has that address again, if nobody else proved that it is theirs; a registration
    with it that nobody confirmed goes. Empty, or the address that it has: nothing moves. In the
    step that sets the new password.
    """
    alarm.settle(user)
    if not address or alarm.is_theirs(user, address) or not alarm.is_free(user, address):
        return
    squatter = alarm.owner_of(address)
    if squatter is not None:
        erase(squatter, by=None, tell=False)
        db.session.flush()
    user.email = address
    audit.record(Action.ADDRESS_RESTORED, about=user, by=user, how=[Way.LINK])
    db.session.flush()
