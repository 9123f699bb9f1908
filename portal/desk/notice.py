"""Notices: staff are told by mail of what waits, as each of them likes to be told (M10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from portal import clock
from portal.accounts import intake
from portal.accounts.intake import Closure
from portal.accounts.permissions import Permission
from portal.accounts.roles import staff_with
from portal.accounts.user import User
from portal.database import db, locked
from portal.desk import queue, waiting, workplace
from portal.desk.waiting import Waiting
from portal.desk.workplace import Notice, Workplace
from portal.mail import outbox, staff_messages
from portal.mail.mail import Mail, MailState
from portal.mail.message import Message
from portal.notifications import TO_DECIDE, Notification

PAUSE = timedelta(minutes=10)
REMIND_EVERY = timedelta(days=1)
# Of these, a newer one says what an older one says.
OF_WHAT_WAITS = ("registrations_waiting", "registrations_overdue", "digest")
LETTERS = (*OF_WHAT_WAITS, "registration_closed")

_AT_ALL = (Waiting.READY, Waiting.OVERDUE, Waiting.ANSWERED)


@dataclass(frozen=True)
class News:
    """What there is to tell one member of staff."""

    ready: int
    overdue: int
    answered: int
    mentions: int
    # Since when the first one waits, and when the last thing came that is worth a mail.
    since: datetime | None
    newest: datetime | None
    # What keeps everybody from registering, as long as it does.
    closure: Closure | None


def due() -> list[int]:
    """Whom of the staff to tell something now, by id. As many questions for many as for few."""
    reviewers = staff_with(Permission.REVIEW)
    ids = [user.id for user in reviewers]
    places, news = workplace.of_each(ids), _news(ids)
    return [
        user.id for user in reviewers if _letter(user, places[user.id], news[user.id]) is not None
    ]


def tell(user_id: int) -> bool:
    """Mail one member of staff what is due. Returns whether there was something.

    Locked, so that of two workers one tells; the other one finds nobody, or nothing due. A
    mail that still waits for a server says what is no longer so: this one takes its place. That
    registration closed is said once, by a mail of its own or in the digest, and only while it is
    so; that it opened again, by no mail.
    """
    user = locked(User, user_id, patient=False)
    if user is None or not user.may(Permission.REVIEW):
        return False
    place, news = workplace.of(user), _news([user.id])[user.id]
    letter = _letter(user, place, news)
    if letter is None:
        return False

    is_worth_a_mail = bool(news.ready or news.mentions or _untold(place, news))
    letter.note(user, workplace.kept(user))
    if letter is not _CLOSED:
        theirs = (Mail.user_id == user.id) & Mail.kind.in_(OF_WHAT_WAITS)
        outbox.drop(theirs & Mail.stands(MailState.WAITING))
    if is_worth_a_mail:
        outbox.post(letter.write(user, news))
    return True


@dataclass(frozen=True)
class _Letter:
    """A mail that is due: how it is written, and what it means for the next one."""

    write: Callable[[User, News], Message]
    note: Callable[[User, Workplace], None]


def _letter(user: User, place: Workplace, news: News) -> _Letter | None:
    """The one mail that is due to somebody now, if any is."""
    now = clock.now()
    local = workplace.local_time(user, now)
    if place.is_quiet(local.hour):
        return None
    if place.notice == Notice.DIGEST:
        before = place.digest_at and workplace.local_time(user, place.digest_at).date()
        is_time = local.hour >= place.digest_hour and (before is None or local.date() > before)
        return _DIGEST if is_time else None
    if place.notice == Notice.MAIL and _untold(place, news):
        return _CLOSED
    told = user.reviewer_told_at
    if place.notice != Notice.MAIL or (told is not None and now - told < PAUSE):
        return None
    reminded = place.overdue_told_at
    if news.overdue and (reminded is None or now - reminded >= REMIND_EVERY):
        return _OVERDUE
    has_news = news.newest is not None and (told is None or told < news.newest)
    return _WAITING if has_news and (news.ready or news.mentions) else None


def _untold(place: Workplace, news: News) -> bool:
    """Whether registration is closed, and they have not been told of that."""
    told = place.closure_told_at
    return news.closure is not None and (told is None or told < news.closure.closed_at)


def _news(ids: Sequence[int]) -> dict[int, News]:
    """What there is to tell each of these members of staff. Five queries."""
    counted, since = waiting.counts(*_AT_ALL), queue.waiting_since()
    open_for_all = (Notification.settled_at.is_(None), Notification.for_id.is_(None))
    newest = db.session.scalar(
        select(Notification.raised_at)
        .where(*open_for_all, Notification.kind.in_(TO_DECIDE))
        .order_by(Notification.raised_at.desc())
        .limit(1)
    )
    mentions = {row.for_id: row for row in db.session.execute(_mentions(ids))}
    closure = intake.standing_closure()
    found = {}
    for user_id in ids:
        own = mentions.get(user_id)
        moments: list[datetime] = [newest] if newest else []
        if own:
            moments.append(own.newest)
        found[user_id] = News(
            ready=counted[Waiting.READY],
            overdue=counted[Waiting.OVERDUE],
            answered=counted[Waiting.ANSWERED],
            mentions=own.number if own else 0,
            since=since,
            newest=max(moments, default=None),
            closure=closure,
        )
    return found


def _mentions(ids: Sequence[int]) -> Any:
    return (
        select(
            Notification.for_id,
            func.count().label("number"),
            func.max(Notification.raised_at).label("newest"),
        )
        .where(Notification.for_id.in_(ids), Notification.settled_at.is_(None))
        .group_by(Notification.for_id)
    )


def _note_told(user: User, _place: Workplace) -> None:
    user.reviewer_told_at = clock.now()


def _note_reminded(user: User, place: Workplace) -> None:
    user.reviewer_told_at = place.overdue_told_at = clock.now()


def _note_digest(user: User, place: Workplace) -> None:
    user.reviewer_told_at = place.digest_at = place.closure_told_at = clock.now()


def _note_closed(_user: User, place: Workplace) -> None:
    # Not as told of who waits: that is another mail, with a pause of its own.
    place.closure_told_at = clock.now()


_WAITING = _Letter(
    lambda user, news: staff_messages.registrations_waiting(
        user, news.ready, news.since, mentions=news.mentions
    ),
    _note_told,
)
_OVERDUE = _Letter(
    lambda user, news: staff_messages.registrations_overdue(
        user,
        news.overdue,
        after=timedelta(hours=waiting.overdue_hours()),
        ready=news.ready,
        since=news.since,
    ),
    _note_reminded,
)
_DIGEST = _Letter(
    lambda user, news: staff_messages.digest(
        user,
        ready=news.ready,
        overdue=news.overdue,
        answered=news.answered,
        mentions=news.mentions,
        since=news.since,
        closure=news.closure,
    ),
    _note_digest,
)
_CLOSED = _Letter(
    lambda user, news: staff_messages.registration_closed(user, news.closure), _note_closed
)
