"""Who is asking: a session with its person, beside the same person read without one."""

from __future__ import annotations

from sqlalchemy import insert, select

from benchmarks.measuring import Figure, rate
from benchmarks.people import ADMINISTRATOR
from portal import clock
from portal.accounts import session
from portal.accounts.session import UserSession
from portal.accounts.user import User
from portal.database import db, transaction
from portal.security.datastore import Accounts

OTHERS = 10_000


def figures(seconds: float) -> list[Figure]:
    """Read one of ten thousand sessions, as each request of somebody who is signed in does."""
    by = db.session.scalars(select(User).filter_by(username=ADMINISTRATOR)).unique().one()
    user_id, now = by.id, clock.now()
    facts = {"user_id": user_id, "proved_by": "password", "agent": "", "network": ""}
    moments = dict.fromkeys(("started_at", "last_seen_at", "proved_at"), now)
    others = [{**facts, **moments, "remembered": False} for _ in range(OTHERS)]
    with transaction():
        secret = session.begin(by)
        db.session.flush()
        db.session.execute(
            insert(UserSession),
            [{**row, "digest": session.digest(str(number))} for number, row in enumerate(others)],
        )
    digest, accounts = session.digest(secret), Accounts()

    def person() -> None:
        db.session.expunge_all()
        assert accounts.find_user(id=user_id)

    def with_session() -> None:
        db.session.expunge_all()
        assert session.find(digest)

    alone = rate(person, seconds)
    return [
        Figure("a person alone", alone, alone, "person"),
        Figure("a session and its person", rate(with_session, seconds), alone, "person"),
    ]
