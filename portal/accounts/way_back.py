"""The way back: the owner, whom an alarm shut out too, is in again, and nobody else with them.

They have their own address again, and what a thief may have added to sign in with is gone.
"""

from __future__ import annotations

from portal import audit
from portal.accounts import alarm
from portal.accounts.erasure import erase
from portal.accounts.factors import removal
from portal.accounts.user import User
from portal.audit import Action, Way
from portal.database import db


def come_back(user: User, address: str) -> list[str]:
    """Settle the alarms of an account; `address` is where its owner read the link.

    Second factors and recovery codes that were added or renewed since the notice that was used,
    the earliest of several, are removed; returns their kinds. Without an alarm none are. In the
    step that sets the new password, which tells the owner and has ended the sessions.
    """
    since = alarm.stands_since(user)
    removed = removal.remove_since(user, since) if since is not None else []
    alarm.settle(user)
    _give_back(user, address)
    return removed


def _give_back(user: User, address: str) -> None:
    """Let the account have an address again, if nobody else proved that it is theirs.

    A registration with it that nobody confirmed goes. Empty, or the address that it has: nothing
    moves.
    """
    if not address or alarm.is_theirs(user, address) or not alarm.is_free(user, address):
        return
    squatter = alarm.owner_of(address)
    if squatter is not None:
        erase(squatter, by=None, tell=False)
        db.session.flush()
    user.email = address
    audit.record(Action.ADDRESS_RESTORED, about=user, by=user, how=[Way.LINK])
    db.session.flush()
