"""Figures: how much is decided, how long applicants wait, by week and by reviewer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select

from portal import clock
from portal.accounts.user import User
from portal.database import db
from portal.desk.decision import Decision, Verdict
from portal.desk.percentiles import wait_at

WEEK = timedelta(days=7)
# Nothing is drawn from more decisions than these, the newest ones: a page must not take long.
MOST = 100_000


@dataclass
class Tally:
    """What was decided, and what those who were decided about had waited."""

    approved: int = 0
    rejected: int = 0
    waited_seconds: list[int] = field(default_factory=list)

    @property
    def decided(self) -> int:
        """How many were decided."""
        return self.approved + self.rejected

    @property
    def median(self) -> timedelta | None:
        """What half of them waited at most; None where nothing was decided."""
        return wait_at(0.5, self.waited_seconds)

    @property
    def ninetieth(self) -> timedelta | None:
        """What nine of ten waited at most; None where nothing was decided."""
        return wait_at(0.9, self.waited_seconds)

    def add(self, verdict: str, waited_seconds: int) -> None:
        """Count one decision."""
        if verdict == Verdict.APPROVED:
            self.approved += 1
        else:
            self.rejected += 1
        self.waited_seconds.append(waited_seconds)


@dataclass(frozen=True)
class Figures:
    """The decisions of some weeks. `by_reviewer` has None for what the portal itself decided."""

    since: datetime
    in_all: Tally
    by_week: list[tuple[datetime, Tally]]
    by_reviewer: list[tuple[User | None, Tally]]


def of_last(weeks: int) -> Figures:
    """The figures of this week and those before it, oldest first. Two queries.

    A week begins on Monday in UTC (ISO 8601). Decisions that were undone do not count.
    """
    this_week = monday_of(clock.now())
    starts = [this_week - WEEK * back for back in reversed(range(weeks))]
    in_all, by_week = Tally(), {start: Tally() for start in starts}
    by_reviewer: defaultdict[int | None, Tally] = defaultdict(Tally)
    found = db.session.execute(
        select(Decision.at, Decision.by_id, Decision.verdict, Decision.waited_seconds)
        .where(Decision.stands(), Decision.at >= starts[0])
        .order_by(Decision.at.desc(), Decision.id.desc())
        .limit(MOST)
    )
    for at, by_id, verdict, waited in found:
        for tally in (in_all, by_week[monday_of(at)], by_reviewer[by_id]):
            tally.add(verdict, waited)
    people = _named(by_reviewer)
    ranked = sorted(by_reviewer.items(), key=lambda item: (-item[1].decided, item[0] or 0))
    return Figures(
        since=starts[0],
        in_all=in_all,
        by_week=list(by_week.items()),
        by_reviewer=[(people.get(by_id), tally) for by_id, tally in ranked],
    )


def monday_of(moment: datetime) -> datetime:
    """When the week of a moment began, in UTC."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=midnight.weekday())


def _named(ids: Iterable[int | None]) -> dict[int | None, User]:
    wanted = [by_id for by_id in ids if by_id is not None]
    found = db.session.scalars(select(User).where(User.id.in_(wanted))).unique()
    return {user.id: user for user in found}
