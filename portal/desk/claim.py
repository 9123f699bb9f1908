"""Claims: who is looking at a registration right now, so that two do not do one work."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, and_, case, delete, exists, literal, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, joinedload, lazyload, mapped_column, relationship

from portal import clock, settings
from portal.accounts.user import UNDECIDED, User
from portal.database import Model, UtcDateTime, db


class Claim(Model):
    """Somebody has been looking at a registration since a moment, and was last seen at another.

    It lapses by itself: see `desk.claim_lapses_after_seconds`.
    """

    __tablename__ = "claims"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    by_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)

    by: Mapped[User] = relationship("User", foreign_keys=[by_id], lazy="joined")

    @property
    def lasts(self) -> timedelta:
        """For how long they have been looking."""
        return clock.now() - self.since


def hold(user_id: int, *, by_id: int, take: bool = False) -> None:
    """Let colleagues see that somebody looks at a registration, or still does.

    What a colleague looks at stays theirs until their claim lapses, unless `take` takes it over.
    What is decided is not claimed. Nothing is refused: ask `held` who has it. One statement, so
    that of two who begin to look at the same moment one has it.
    """
    now = clock.now()
    dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    undecided = select(
        User.id, literal(by_id), literal(now, UtcDateTime), literal(now, UtcDateTime)
    ).where(User.id == user_id, User.status.in_([each.value for each in UNDECIDED]))
    wanted = dialect.insert(Claim).from_select(["user_id", "by_id", "since", "seen_at"], undecided)
    goes_on = and_(Claim.by_id == by_id, ~has_lapsed())
    db.session.execute(
        wanted.on_conflict_do_update(
            index_elements=[Claim.user_id],
            set_={
                "by_id": wanted.excluded.by_id,
                "since": case((goes_on, Claim.since), else_=wanted.excluded.since),
                "seen_at": wanted.excluded.seen_at,
            },
            where=None if take else or_(Claim.by_id == by_id, has_lapsed()),
        )
    )


def release(user_id: int, *, by_id: int) -> None:
    """Stop looking at a registration. A colleague's claim stays."""
    db.session.execute(delete(Claim).where(Claim.user_id == user_id, Claim.by_id == by_id))


def held(user_ids: Collection[int]) -> dict[int, Claim]:
    """Which of these registrations somebody looks at now, and who. One query."""
    if not user_ids:
        return {}
    found = db.session.scalars(
        select(Claim)
        .where(Claim.user_id.in_(user_ids), ~has_lapsed())
        .options(joinedload(Claim.by).options(lazyload("*")))
        .execution_options(populate_existing=True)
    )
    return {claim.user_id: claim for claim in found}


def lookers(most: int = 50) -> list[User]:
    """Who looks at some registration now, by name. One query."""
    now = select(Claim.by_id).where(~has_lapsed())
    found = select(User).where(User.id.in_(now)).options(lazyload("*"))
    return list(db.session.scalars(found.order_by(User.full_name, User.id).limit(most)))


def is_looked_at(user_id: Any, *, by_id: int | None = None) -> ColumnElement[bool]:
    """For a query: somebody looks at the registration of this user now, or this colleague does."""
    looks = exists().where(Claim.user_id == user_id, ~has_lapsed())
    return looks.where(Claim.by_id == by_id) if by_id is not None else looks


def has_lapsed() -> ColumnElement[bool]:
    """For a query: the claim no longer counts."""
    lapse = timedelta(seconds=settings.current().desk.claim_lapses_after_seconds)
    return Claim.seen_at <= clock.now() - lapse
