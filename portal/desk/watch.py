"""The watch: what an open page of a registration asks again and again, and so must cost little."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, select
from sqlalchemy.orm import aliased

from portal import clock
from portal.accounts.user import UNDECIDED, Status, User
from portal.database import db
from portal.desk import claim
from portal.desk.claim import Claim
from portal.desk.review import Review


@dataclass(frozen=True)
class Sight:
    """How a registration stands at a moment, and which colleague looks at it."""

    user_id: int
    status: Status
    version: int | None
    by_id: int | None = None
    name: str = ""
    since: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is anything left to decide."""
        return self.status in UNDECIDED

    @property
    def lasts(self) -> timedelta:
        """For how long somebody has been looking."""
        return clock.now() - self.since if self.since else timedelta(0)


def sight(user_id: int) -> Sight | None:
    """How a registration stands now. One query."""
    colleague = aliased(User)
    row = db.session.execute(
        select(
            User.status,
            Review.version,
            Claim.by_id,
            colleague.full_name,
            colleague.username,
            Claim.since,
        )
        .outerjoin(Review, Review.user_id == User.id)
        .outerjoin(Claim, and_(Claim.user_id == User.id, ~claim.has_lapsed()))
        .outerjoin(colleague, colleague.id == Claim.by_id)
        .where(User.id == user_id)
    ).one_or_none()
    if row is None:
        return None
    status, version, by_id, full_name, username, since = row
    return Sight(user_id, Status(status), version, by_id, full_name or username or "", since)
