"""Decisions: who let somebody in or did not, when, and how long that had taken."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, select, text
from sqlalchemy.orm import Mapped, joinedload, mapped_column, raiseload, relationship

from portal import clock, settings
from portal.accounts.user import Status
from portal.database import Model, UtcDateTime, db, read_anew
from portal.desk import review
from portal.errors import StepRefused
from portal.mail import events, outbox
from portal.mail.events import Event
from portal.mail.mail import Mail
from portal.mail.message import Message

if TYPE_CHECKING:
    from portal.accounts.access import AccessLevel
    from portal.accounts.user import User


class Verdict(StrEnum):
    """What was decided."""

    APPROVED = "approved"
    REJECTED = "rejected"

    @property
    def label(self) -> Any:
        """The word for it that staff read."""
        return _LABELS[self]


_LABELS = {Verdict.APPROVED: _l("Approved"), Verdict.REJECTED: _l("Rejected")}
_STANDS = "undone_at IS NULL"


class Decision(Model):
    """One decision about one registration. It stands unless it was undone.

    `waited_seconds` is what the applicant waited for the staff, the time that they themselves
    took to answer questions left out.
    """

    __tablename__ = "decisions"
    __table_args__ = (
        CheckConstraint("verdict IN ('approved', 'rejected')", name="verdict"),
        CheckConstraint("waited_seconds >= 0", name="waited"),
        Index(
            "ix_decisions_at_id",
            "at",
            "id",
            sqlite_where=text(_STANDS),
            postgresql_where=text(_STANDS),
        ),
        Index("ix_decisions_user_id_at", "user_id", "at"),
        Index("ix_decisions_by_id_at", "by_id", "at"),
        Index("ix_decisions_mail_id", "mail_id"),
        Index("ix_decisions_level_id", "level_id"),
        Index("ix_decisions_bulk_id", "bulk_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    verdict: Mapped[str] = mapped_column(String(12))
    by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    waiting_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    waited_seconds: Mapped[int] = mapped_column(default=0)
    level_id: Mapped[int | None] = mapped_column(
        ForeignKey("access_levels.id", ondelete="SET NULL")
    )
    mail_id: Mapped[int | None] = mapped_column(ForeignKey("mails.id", ondelete="SET NULL"))
    undoable_until: Mapped[datetime] = mapped_column(UtcDateTime)
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # One of many, made by one click; see `portal.desk.bulk`.
    bulk_id: Mapped[int | None] = mapped_column(ForeignKey("bulks.id", ondelete="SET NULL"))

    user: Mapped[User] = relationship("User", foreign_keys=[user_id], lazy="raise")
    by: Mapped[User | None] = relationship("User", foreign_keys=[by_id], lazy="raise")
    level: Mapped[AccessLevel | None] = relationship("AccessLevel", lazy="raise")
    mail: Mapped[Mail | None] = relationship(Mail, lazy="select")

    @classmethod
    def stands(cls) -> Any:
        """For a query: it was not undone."""
        return cls.undone_at.is_(None)


def note(
    user: User,
    verdict: Verdict,
    *,
    by: User | None,
    level: AccessLevel | None = None,
    letter: Message | Mail | None = None,
) -> Decision:
    """Write down a decision, close the review, and post its letter so that it can be undone.

    The letter waits in the outbox for `desk.undo_seconds`, in which the decision can be taken
    back as if it had never been (B4).
    """
    now = clock.now()
    waits = review.of(user)
    grace = timedelta(seconds=settings.current().desk.undo_seconds)
    decision = Decision(
        user=user,
        verdict=verdict.value,
        by=by,
        at=now,
        waiting_since=waits.waiting_since,
        waited_seconds=int(waits.has_waited.total_seconds()),
        level=level,
        undoable_until=now + grace,
        mail=outbox.post(letter, hold=grace) if letter else None,
    )
    db.session.add(decision)
    read_anew(user, "decisions")
    waits.close()
    events.post(Event.DECIDED, user, hold=grace, verdict=verdict.value)
    return decision


def last(user: User) -> Decision | None:
    """The decision that stands about this person, if any."""
    return next(iter(user.decisions), None)


def status_shown(user: User) -> Status:
    """Where an account stands as far as its owner may read it.

    As long as a decision can be undone its mail waits, and so does their page: else undoing
    would take back what they have read.
    """
    if not is_kept_back(user):
        return user.status
    return Status.UNCONFIRMED if user.confirmed_at is None else Status.PENDING


def is_kept_back(user: User) -> bool:
    """Whether something is decided about this person that they are not to know yet."""
    if user.status not in (Status.APPROVED, Status.REJECTED):
        return False
    stands = last(user)
    return stands is not None and stands.undoable_until > clock.now()


def must_not_be_kept_back(user: User) -> None:
    """Refuse what could only be answered by telling the decision.

    Raises:
        StepRefused: something is decided, and can still be undone.
    """
    if is_kept_back(user):
        raise StepRefused(
            _l("Our staff are at your registration at this moment. Try again in a few minutes.")
        )


def take_letter_back(user: User) -> None:
    """Let nobody read of a decision that holds no longer, where its letter still waits.

    In a bulk that may be long after: it would come behind the letters of what was done since.
    """
    stands = last(user)
    if stands is not None and stands.mail_id is not None:
        outbox.take_back([stands.mail_id])


def decisions_of(user: User, *, most: int = 20) -> list[Decision]:
    """What was decided about this person, undone ones too, the newest first, each with by whom."""
    return list(
        db.session.scalars(
            select(Decision)
            .where(Decision.user_id == user.id)
            .options(
                joinedload(Decision.by).options(raiseload("*")),
                joinedload(Decision.level),
            )
            .order_by(Decision.at.desc(), Decision.id.desc())
            .limit(most)
        ).unique()
    )


def undoable(*, by: User, most: int = 20) -> list[Decision]:
    """What this member of staff decided and can still undo, the newest first, each with whom.

    Whoever was erased meanwhile is left out: about them nothing can be undone.
    What was decided about many at once is undone as one: see `portal.desk.bulk`.
    """
    return list(
        db.session.scalars(
            select(Decision)
            .where(
                Decision.by_id == by.id,
                Decision.stands(),
                Decision.bulk_id.is_(None),
                Decision.at > clock.now() - timedelta(seconds=settings.current().desk.undo_seconds),
                Decision.undoable_until > clock.now(),
                Decision.user.has(erased_at=None),
            )
            .options(joinedload(Decision.user).options(raiseload("*")))
            .order_by(Decision.at.desc(), Decision.id.desc())
            .limit(most)
        ).unique()
    )
