"""Alarm: the owner says, by the link of a notice, that a change of their account was not theirs.

A thief who has the password first moves the address, so that every link goes to them. Each notice
therefore names the address that the account had before, in a token that no later change makes
worthless, and the way back leads there: a link to a new password, by which the account also gets
that address back. Who holds a forwarded notice reads no mail there: they can end sessions and have
that link mailed, and nothing else.

The earliest notice counts. Its use makes every later one worthless, those that went to the thief's
own address among them, and never an earlier one (ASVS 6.3.7). What was added since to sign in with
goes when the owner is back (see `portal.accounts.way_back`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, delete, func, select, update
from sqlalchemy.orm import Mapped, mapped_column

from portal import audit, canonical, clock, notifications, settings
from portal.accounts import code
from portal.accounts.code import Purpose
from portal.accounts.user import Status, User
from portal.audit import Action, Way
from portal.database import Model, UtcDateTime, db
from portal.links import Notice
from portal.mail import messages, outbox
from portal.notifications import Kind


class AlarmState(StrEnum):
    """What there is to say to whoever opens the link."""

    READY = "ready"
    DONE = "done"
    EXPIRED = "expired"
    CLOSED = "closed"


class Alarm(Model):
    """One alarm. Until it is settled, and no longer than `until`, the way back leads to `address`.

    `notice_at` is when the notice was written whose link was used. Both are kept until the owner
    is back, and the address not longer than it leads anywhere.
    """

    __tablename__ = "alarms"
    __table_args__ = (Index("ix_alarms_user_id_at", "user_id", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    address: Mapped[str] = mapped_column(String(254))
    notice_at: Mapped[datetime] = mapped_column(UtcDateTime)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


def state_of(notice: Notice) -> AlarmState:
    """What pressing the button behind this link would do."""
    if _is_void(notice):
        return AlarmState.DONE
    if clock.now() >= _end_of(notice):
        return AlarmState.EXPIRED
    return AlarmState.READY if notice.user.active else AlarmState.CLOSED


def raise_alarm(notice: Notice) -> None:
    """Shut everybody out, and mail the owner of the notice's address the way back in.

    Ends every session and, with it, every link and code that was mailed, also the link that would
    confirm another address. No password opens the account until its owner chooses one. Staff are
    told. Take the account locked. Again changes nothing, and neither does a link that is too old.
    """
    if state_of(notice) is not AlarmState.READY:
        return
    user, now = notice.user, clock.now()
    user.password = None
    user.end_sessions()
    for purpose in Purpose:
        code.forget(user.id, purpose)
    db.session.add(
        Alarm(
            user_id=user.id,
            address=notice.address,
            notice_at=notice.at,
            at=now,
            until=_end_of(notice),
        )
    )
    audit.record(Action.ALARM_RAISED, about=user, by=user, how=[Way.LINK])
    if not notifications.is_open(user, Kind.ALARM):
        notifications.raise_for(user, Kind.ALARM)
    if not is_theirs(user, notice.address):
        outbox.post(messages.alarm_elsewhere(user, until=_end_of(notice)))
    if is_free(user, notice.address):
        outbox.post(messages.way_back(user, notice.address, until=_end_of(notice)))


def leads_elsewhere(user: User | None) -> bool:
    """Whether the way back to this account leads to another address than the one it has now.

    Then no link to a new password goes to the one it has. One question, whoever is known.
    """
    address = db.session.scalar(
        select(Alarm.address)
        .where(
            Alarm.user_id == (user.id if user else 0),
            Alarm.settled_at.is_(None),
            Alarm.until > clock.now(),
        )
        .order_by(Alarm.notice_at)
        .limit(1)
    )
    return address is not None and user is not None and not is_theirs(user, address)


def stands_since(user: User) -> datetime | None:
    """When the earliest notice was written that was used and is not settled; None without one.

    From then on, whatever was added to sign in with may be a thief's.
    """
    return db.session.scalar(
        select(func.min(Alarm.notice_at)).where(
            Alarm.user_id == user.id, Alarm.settled_at.is_(None)
        )
    )


def settle(user: User) -> None:
    """Let no alarm stand any more, because the owner is back."""
    db.session.execute(
        update(Alarm)
        .where(Alarm.user_id == user.id, Alarm.settled_at.is_(None))
        .values(settled_at=clock.now()),
        execution_options={"synchronize_session": False},
    )


def forget(user: User) -> None:
    """Remove the addresses that alarms name, in the caller's transaction."""
    db.session.execute(delete(Alarm).where(Alarm.user_id == user.id))


def acknowledge(user: User, *, by: User) -> None:
    """Note that staff have seen it. Again changes nothing."""
    notifications.settle(user, Kind.ALARM, by=by)


def purge() -> None:
    """Forget alarms once every notice that they made worthless is too old, too.

    One whose owner is not back yet says from when on factors are a thief's: of that, the address
    alone is forgotten. In the caller's transaction.
    """
    days = timedelta(days=settings.current().sessions.alarm_days)
    old, quietly = Alarm.at < clock.now() - days, {"synchronize_session": False}
    db.session.execute(
        delete(Alarm).where(old, Alarm.settled_at.is_not(None)), execution_options=quietly
    )
    db.session.execute(
        update(Alarm).where(old, Alarm.address != "").values(address=""), execution_options=quietly
    )


def is_theirs(user: User, address: str) -> bool:
    """Whether the account has this address now."""
    return canonical.email(address) == user.email_canonical


def is_free(user: User, address: str) -> bool:
    """Whether the account may have this address: nobody else proved that it is theirs.

    Who only registered with it, and did not confirm, may be the thief, who keeps the owner out.
    """
    owner = owner_of(address)
    return owner is None or owner.id == user.id or owner.status is Status.UNCONFIRMED


def owner_of(address: str) -> User | None:
    """Who has this address now."""
    return db.session.scalars(
        select(User).filter_by(email_canonical=canonical.email(address))
    ).one_or_none()


def _end_of(notice: Notice) -> datetime:
    return notice.at + timedelta(days=settings.current().sessions.alarm_days)


def _is_void(notice: Notice) -> bool:
    used = select(Alarm.id).where(
        Alarm.user_id == notice.user.id, Alarm.notice_at <= notice.at, Alarm.at >= notice.at
    )
    return db.session.scalar(used.limit(1)) is not None
