"""Gathering: many people at once with all that a step reads of them, to look at or to lock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import lazyload, selectinload

from portal.accounts.user import User
from portal.database import db
from portal.desk import deeds
from portal.desk.bulk import Deed
from portal.desk.decision import Decision
from portal.desk.deeds import Work
from portal.errors import why_not
from portal.notifications import Notification

AT_ONCE = 334  # people in one transaction, and in one question to the database


class Refusal(NamedTuple):
    """Somebody on whom a step cannot be taken, and the sentence that says why."""

    user: User
    sentence: str


@dataclass
class Preview:
    """On whom a step would be taken if it were now, and who would be refused."""

    able: list[User] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    @property
    def ids(self) -> list[int]:
        """Everybody who was asked about and exists."""
        return [user.id for user in self.able] + [refusal.user.id for refusal in self.refused]


def preview(deed: Deed, ids: Iterable[int], *, by: User) -> Preview:
    """On whom a step could be taken, in the order of `ids`. Asks nothing for each person."""
    wanted = list(ids)
    found = Preview()
    step = deeds.work(deed)
    step.by = by
    for first in range(0, len(wanted), AT_ONCE):
        some = wanted[first : first + AT_ONCE]
        people = {user.id: user for user in db.session.scalars(_with_all_that_is_read(some, step))}
        for user in (people[user_id] for user_id in some if user_id in people):
            sentence = why_not(step.guard, user)
            if sentence is None:
                found.able.append(user)
            else:
                found.refused.append(Refusal(user, sentence))
    return found


def lock(ids: Sequence[int], step: Work) -> Sequence[User]:
    """These people, locked in the order of their ids, with all that the step reads of them."""
    people = _with_all_that_is_read(ids, step).with_for_update(of=User, key_share=True)
    return db.session.scalars(people).all()


def _with_all_that_is_read(ids: Sequence[int], step: Work) -> Select[User]:
    # What belongs to them is loaded by further queries, and so after the lock; see
    # `portal.database.locked`.
    return (
        select(User)
        .where(User.id.in_(ids))
        .order_by(User.id)
        .options(
            selectinload(User.access_level),
            selectinload(User.roles),
            selectinload(User.review),
            selectinload(User.open_questions),
            selectinload(User.open_notifications).options(lazyload(Notification.about)),
            selectinload(User.decisions).selectinload(Decision.by).options(lazyload("*")),
            *step.loads(),
        )
    )
