"""The outbox, asked: which mails there are in a state, and to whom. Never what they say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, and_, func, or_, select, union
from sqlalchemy.orm import InstrumentedAttribute

from portal import clock
from portal.database import db
from portal.mail import budget
from portal.mail.mail import Channel, Mail, MailState
from portal.mail.trouble import Trouble
from portal.paging import COUNTED, PER_PAGE, Keyset, Page


class Shelf(Enum):
    """Where staff look for mails; each is sorted by a moment that has an index."""

    ALL = "all"
    WAITING = "waiting"
    FAILED = "failed"
    DELIVERED = "delivered"
    DROPPED = "dropped"
    HELD_BACK = "held-back"

    @property
    def key(self) -> InstrumentedAttribute[Any]:
        """The moment it is sorted by."""
        key: InstrumentedAttribute[Any] = getattr(Mail, _KEYS[self])
        return key

    @property
    def holds(self) -> list[ColumnElement[bool]]:
        """Which mails and events lie here. Decoys, which are for nobody, lie nowhere."""
        states: dict[Shelf, ColumnElement[bool]] = {
            Shelf.WAITING: Mail.is_open(),
            Shelf.FAILED: Mail.stands(MailState.FAILED),
            Shelf.DELIVERED: Mail.stands(MailState.DELIVERED),
            Shelf.DROPPED: Mail.stands(MailState.DROPPED),
            Shelf.HELD_BACK: and_(
                Mail.stands(MailState.DROPPED), Mail.last_error == Trouble.HELD_BACK.value
            ),
        }
        real = or_(Mail.recipient.is_not(None), Mail.channel == Channel.WEBHOOK.value)
        return [states[self], real] if self in states else [real]


_KEYS = {
    Shelf.ALL: "posted_at",
    Shelf.WAITING: "due_at",
    Shelf.FAILED: "failed_at",
    Shelf.DELIVERED: "delivered_at",
    Shelf.DROPPED: "dropped_at",
    Shelf.HELD_BACK: "dropped_at",
}


def page(
    shelf: Shelf,
    *,
    people: Sequence[int] | None = None,
    address: str = "",
    cursor: str = "",
    per_page: int = PER_PAGE,
) -> Page[Mail]:
    """One page of mails: what waits by when it is due, all else the newest first. One query.

    `people` are ids of accounts, and `address` one address as it was mailed: mails to any of
    them. Nobody and no address given, with `people` an empty list, finds nothing.
    """
    keyset = Keyset(
        shelf.key,
        Mail.id,
        descending=shelf is not Shelf.WAITING,
        cursor=cursor,
        per_page=per_page,
    )
    query = select(Mail).where(*shelf.holds)
    if people is not None:
        query = query.where(Mail.id.in_(_sent_to(people, address)))
    return keyset.page(query)


def of_person(user_id: int, limit: int = 50) -> list[Mail]:
    """The mails to one person, newest first."""
    return list(
        db.session.scalars(
            select(Mail)
            .where(Mail.user_id == user_id, Mail.channel == Channel.MAIL.value)
            .order_by(Mail.posted_at.desc(), Mail.id.desc())
            .limit(limit)
        )
    )


def latest_to(people: Collection[int]) -> dict[int, Mail]:
    """The last mail to each of these people, if any. One query."""
    if not people:
        return {}
    last = (
        select(func.max(Mail.id))
        .where(Mail.user_id.in_(people), Mail.channel == Channel.MAIL.value)
        .group_by(Mail.user_id)
    )
    found = db.session.scalars(select(Mail).where(Mail.id.in_(last)))
    return {mail.user_id: mail for mail in found if mail.user_id is not None}


def counts() -> dict[Shelf, int]:
    """How many wait, failed, or were held back within a day. One query.

    Each is counted up to `COUNTED` + 1.
    """
    counted = {
        Shelf.WAITING: Shelf.WAITING.holds,
        Shelf.FAILED: Shelf.FAILED.holds,
        Shelf.HELD_BACK: [*Shelf.HELD_BACK.holds, Mail.dropped_at > clock.now() - budget.DAY],
    }
    columns = [
        select(func.count())
        .select_from(select(Mail.id).where(*which).limit(COUNTED + 1).subquery())
        .scalar_subquery()
        for which in counted.values()
    ]
    row = db.session.execute(select(*columns)).one()
    return dict(zip(counted, row, strict=True))


def _sent_to(people: Sequence[int], address: str) -> CompoundSelect[int]:
    found = [select(Mail.id).where(Mail.user_id == person) for person in people]
    found.append(select(Mail.id).where(Mail.recipient == address.replace("\0", "")))
    return union(*found)
