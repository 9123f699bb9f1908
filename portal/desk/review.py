"""The review: how far the staff are with one registration, and whose turn it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Table, insert, select, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal import clock, i18n
from portal.audit import Action, AuditEntry
from portal.database import Model, UtcDateTime, db
from portal.errors import AlreadyDecided

if TYPE_CHECKING:
    from portal.accounts.access import AccessLevel
    from portal.accounts.user import User

NETWORK_LENGTH = 43  # of an IPv6 network, spelled out
_READY = "waiting_since IS NOT NULL AND asked_at IS NULL"


class Review(Model):
    """What the desk knows of one registration. Whoever came by an invitation has none.

    `waiting_since` is there as long as somebody waits for a decision, and `asked_at` while a
    question waits for their answer. An answer moves `waiting_since` on by the time that it
    took, so that the waiting clock pauses while it is the applicant's turn (B2).
    """

    __tablename__ = "reviews"
    __table_args__ = (
        CheckConstraint("asked_at IS NULL OR waiting_since IS NOT NULL", name="asked_in_waiting"),
        Index(
            "ix_reviews_ready",
            "waiting_since",
            "user_id",
            sqlite_where=text(_READY),
            postgresql_where=text(_READY),
        ),
        Index(
            "ix_reviews_asked",
            "asked_at",
            "user_id",
            sqlite_where=text("asked_at IS NOT NULL"),
            postgresql_where=text("asked_at IS NOT NULL"),
        ),
        Index(
            "ix_reviews_untraced",
            "user_id",
            sqlite_where=text("network IS NOT NULL"),
            postgresql_where=text("network IS NOT NULL"),
        ),
    )

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    waiting_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Goes up with everything that changes what a reviewer sees before deciding.
    version: Mapped[int] = mapped_column(default=0)
    # How far the applicant would like to get; no promise.
    wished_level_id: Mapped[int | None] = mapped_column(
        ForeignKey("access_levels.id", ondelete="SET NULL"), index=True
    )
    # How long the form took to fill in, as far as it is known.
    seconds_to_fill_in: Mapped[int | None]
    # The neighbourhood in the network that it came from, "" where that says nothing; None as soon
    # as it has left its traces, see `portal.desk.traces`.
    network: Mapped[str | None] = mapped_column(String(NETWORK_LENGTH))

    user: Mapped[User] = relationship("User", back_populates="review", lazy="select")
    wished_level: Mapped[AccessLevel | None] = relationship("AccessLevel", lazy="select")

    @property
    def has_waited(self) -> timedelta:
        """For how long somebody has waited for the staff, their own time to answer left out."""
        if self.waiting_since is None:
            return timedelta(0)
        until = self.asked_at or clock.now()
        return max(until - self.waiting_since, timedelta(0))

    def wait(self, *, since: datetime | None = None) -> None:
        """Put the registration before the staff, from now on or as it stood before."""
        self.waiting_since = since or clock.now()
        self.asked_at = None
        self.version += 1

    def hand_to_applicant(self) -> None:
        """Let the waiting clock pause: it is the applicant's turn."""
        self.asked_at = clock.now()
        self.version += 1

    def hand_to_staff(self) -> None:
        """Let the waiting clock go on. Handing it back again changes nothing."""
        if self.asked_at is None or self.waiting_since is None:
            return
        self.waiting_since += clock.now() - self.asked_at
        self.asked_at = None
        self.version += 1

    def change(self) -> None:
        """Note that the applicant changed what reviewers read: older pages cannot decide."""
        self.version += 1

    def close(self) -> None:
        """Take the registration out of the queue."""
        self.waiting_since = None
        self.asked_at = None
        self.version += 1


# Nobody holds a review as an object so early, and a row costs a tenth.
_LAID = insert(cast("Table", Review.__table__))


def lay(
    user: User, *, wished_level_id: int | None, seconds_to_fill_in: int | None, network: str
) -> None:
    """Lay a new registration on the desk. The account has its id already."""
    row = {
        "user_id": user.id,
        "version": 0,
        "wished_level_id": wished_level_id,
        "seconds_to_fill_in": seconds_to_fill_in,
        "network": network,
    }
    db.session.execute(_LAID, row)


def of(user: User) -> Review:
    """The review of this person's registration; made where there was none."""
    if user.review is None:
        user.review = Review(version=0)
    return user.review


def must_be_as_seen(user: User, version: int | None) -> None:
    """Refuse to decide from a page that shows what is no longer so. None: nothing was seen.

    Raises:
        AlreadyDecided: naming who did what meanwhile, and when.
    """
    if version is None or user.review is None or user.review.version == version:
        return
    entry = db.session.scalars(
        select(AuditEntry)
        .where(AuditEntry.about_id == user.id)
        .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
        .limit(1)
    ).one()
    by = entry.by_id and db.session.get(type(user), entry.by_id)
    sentence = _l(
        "%(who)s changed this while you looked at it: %(what)s, %(when)s.",
        who=str(by) if by else _l("The portal"),
        what=Action(entry.action).label,
        when=i18n.moment_text(entry.at),
    )
    raise AlreadyDecided(sentence, by=by or None, at=entry.at)
