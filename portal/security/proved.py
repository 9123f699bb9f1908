"""Proof: when somebody last showed that it is them, kept in the row of their session.

A password does it, at the sign-in or later, and so does a passkey (`passkey_proof`). Whoever adds
another proof checks it and calls `note_proved` with its name; nothing else has to change.
"""

from __future__ import annotations

from datetime import timedelta

from portal import clock, settings
from portal.accounts import session
from portal.accounts.session import PASSWORD
from portal.accounts.user import User
from portal.database import transaction
from portal.security import sessions


def recently_proved() -> bool:
    """Whether the person in this session showed within `sessions.fresh_minutes` that it is them.

    False for a visitor (ASVS 7.5.1, 7.5.3).
    """
    row = sessions.standing()
    if row is None:
        return False
    within = timedelta(minutes=settings.current().sessions.fresh_minutes)
    return clock.now() - row.proved_at < within


def note_proved(user: User, *, by: str = PASSWORD) -> bool:
    """Note that the person who is signed in has just shown that it is them. Commits.

    `by` says with what, in at most forty characters. The session gets another id (ASVS 7.2.4).
    False where it ended at the same moment: then nobody is signed in here any more.
    """
    row = sessions.standing()
    if row is None:
        return False
    with transaction():
        secret = session.note_proved(row.digest, by=by)
    if secret is None:
        return False
    sessions.keep(secret, user, proved_by=by)
    return True
