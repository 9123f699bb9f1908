"""The people of a benchmark: one administrator, and as many accounts as asked for.

They are written in bulk, past the steps: what is measured is reading among many.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import count, islice

from sqlalchemy import insert

from portal import clock
from portal.accounts import access, roles, staff_invitation
from portal.accounts.user import User
from portal.database import db, transaction
from portal.security.passwords import hashed

ADMINISTRATOR = "operations"
APPLICANTS = (f"newcomer{number}" for number in count(1))
AT_ONCE = 5_000


def password_of(username: str) -> str:
    """The password of somebody who exists in a benchmark only."""
    return f"Measured by {username}: 4711"


def make_administrator() -> None:
    """Somebody who may see every list."""
    password_hash = hashed(password_of(ADMINISTRATOR))
    with transaction():
        token = staff_invitation.invite(role=roles.administrator_role())
        invitation = staff_invitation.find(token)
        assert invitation is not None
        staff_invitation.accept(
            invitation,
            full_name="Olga Operations",
            username=ADMINISTRATOR,
            email=f"{ADMINISTRATOR}@example.net",
            password_hash=password_hash,
            language="en",
        )


def fill(accounts: int) -> None:
    """Add accounts: nine in ten approved, the others waiting, one a minute."""
    level = access.levels()[0].id
    first = clock.now() - timedelta(minutes=accounts)
    rows = (_row(number, first + timedelta(minutes=number), level) for number in range(accounts))
    while some := list(islice(rows, AT_ONCE)):
        with transaction():
            db.session.execute(insert(User), some)


def _row(number: int, registered_at: object, level: int) -> dict[str, object]:
    username, email = f"applicant{number}", f"applicant{number}@example.org"
    approved = number % 10 != 0
    return {
        "fs_uniquifier": f"bench-{number}",
        "email": email,
        "email_canonical": email,
        "username": username,
        "username_canonical": username,
        "full_name": f"Applicant {number}",
        "search_text": f"applicant {number} {email} {username}",
        "registered_at": registered_at,
        "confirmed_at": registered_at,
        "approved_at": registered_at if approved else None,
        "access_level_id": level if approved else None,
    }
