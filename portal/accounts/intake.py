"""Intake: how many may register, so that nobody buries the staff or fills the disk (ASVS 2.4.1).

Registration closes by itself when too many wait for a decision, or when too many registered within
an hour, and opens by itself when that is well over: at nine tenths, or it would flutter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from flask_babel import lazy_gettext as _l
from sqlalchemy import Index, ScalarSelect, Select, String, delete, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from portal import clock, settings
from portal.accounts.user import Status, User
from portal.database import Model, UtcDateTime, db
from portal.errors import StepRefused
from portal.mail import events
from portal.mail.events import Event

HOUR = timedelta(hours=1)
# What to say where nobody knows: the staff have to decide first.
LATER = timedelta(days=1)
_OPENS_AT = 0.9


class Why(StrEnum):
    """What there is too much of."""

    WAITING = "waiting"
    HURRY = "hurry"


class Attempt(Model):
    """One registration that was sent, for as long as it counts.

    Whoever it was from, and whether or not it came to be an account: else what is left of the
    hour would tell strangers who was known.
    """

    __tablename__ = "registration_attempts"
    __table_args__ = (Index("ix_registration_attempts_at", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Closure(Model):
    """A time in which nobody could register. Open at the end while that is so; one at most."""

    __tablename__ = "registration_closures"
    __table_args__ = (
        Index(
            "uq_registration_closures_open",
            "door",
            unique=True,
            sqlite_where=text("opened_at IS NULL"),
            postgresql_where=text("opened_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # The same for all, so that the index lets no second one be open.
    door: Mapped[str] = mapped_column(String(16))
    why: Mapped[str] = mapped_column(String(16))
    closed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Closed:
    """Why nobody can register now, and how long that may last."""

    why: Why
    again_in: timedelta


class RegistrationClosed(StepRefused):
    """Nobody can register now."""

    def __init__(self, closed: Closed) -> None:
        super().__init__(_l("Nobody can register at the moment. Come back later."))
        self.closed = closed


def closed() -> Closed | None:
    """Why nobody can register now; None while somebody can. One query, or two."""
    rules, now = settings.current().registration, clock.now()
    waiting = select(User.id).where(User.status == Status.PENDING.value)
    hurry = select(Attempt.id).where(Attempt.at > now - HOUR)
    is_closed, waits, came = db.session.execute(
        select(
            select(Closure.id).where(Closure.opened_at.is_(None)).exists(),
            _count(waiting.limit(rules.most_waiting)),
            _count(hurry.limit(rules.most_an_hour)),
        )
    ).one()
    share = _OPENS_AT if is_closed else 1
    if rules.most_waiting and waits >= rules.most_waiting * share:
        return Closed(Why.WAITING, LATER)
    if rules.most_an_hour and came >= rules.most_an_hour * share:
        return Closed(Why.HURRY, _until_room(int(rules.most_an_hour * _OPENS_AT)))
    return None


def must_be_open() -> None:
    """Refuse a registration while there are too many.

    Those that are sent at the same moment do not see each other: each worker that is under way
    may let one more in.

    Raises:
        RegistrationClosed: nobody can register now.
    """
    found = closed()
    if found is not None:
        raise RegistrationClosed(found)


def note() -> None:
    """Count a registration, in the caller's transaction, and close the door behind the last one."""
    db.session.add(Attempt(at=clock.now()))
    db.session.flush()
    look()


def look() -> None:
    """Write down that registration closed or opened, and tell of it once. Again is quiet."""
    found, now = closed(), clock.now()
    if found is None:
        db.session.execute(
            update(Closure).where(Closure.opened_at.is_(None)).values(opened_at=now),
            execution_options={"synchronize_session": False},
        )
        return
    dialect = sqlite if db.session.get_bind().dialect.name == "sqlite" else postgresql
    added = db.session.execute(
        dialect.insert(Closure)
        .values(door="registration", why=found.why.value, closed_at=now)
        .on_conflict_do_nothing()
        .returning(Closure.id)
    )
    if added.first() is not None:
        events.post(Event.INTAKE_CLOSED, why=found.why.value)


def standing_closure() -> Closure | None:
    """The closure that staff have to know of, if registration is closed."""
    return db.session.scalars(select(Closure).where(Closure.opened_at.is_(None))).one_or_none()


def purge() -> None:
    """Forget what counts no more, in the caller's transaction."""
    db.session.execute(
        delete(Attempt).where(Attempt.at <= clock.now() - HOUR),
        execution_options={"synchronize_session": False},
    )


def _count(rows: Select[int]) -> ScalarSelect[int]:
    return select(func.count()).select_from(rows.subquery()).scalar_subquery()


def _until_room(most: int) -> timedelta:
    """How long until fewer than so many lie within an hour."""
    last = db.session.scalar(
        select(Attempt.at)
        .where(Attempt.at > clock.now() - HOUR)
        .order_by(Attempt.at.desc())
        .offset(max(0, most - 1))
        .limit(1)
    )
    if last is None:
        return timedelta(minutes=1)
    return max(timedelta(minutes=1), last + HOUR - clock.now())
