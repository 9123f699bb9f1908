"""The timeline: what happened to an account, what it was mailed, asked, and answered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from portal.accounts import directory
from portal.accounts.user import User
from portal.audit import Action, AuditEntry
from portal.desk import question
from portal.desk.question import Question
from portal.mail import listing, opening
from portal.mail.mail import Mail
from portal.mail.opening import Looks

# Told in full by the question itself.
_IN_FULL = frozenset({Action.ASKED.value, Action.ANSWERED.value})
_QUESTIONS = 100


class Event(NamedTuple):
    """One thing in a timeline: a line of the trail, a mail, a question, its answer or its end."""

    at: datetime
    entry: AuditEntry | None = None
    mail: Mail | None = None
    looks: Looks | None = None
    asked: Question | None = None
    answered: Question | None = None
    closed: Question | None = None


def of(user: User) -> list[Event]:
    """What happened to an account, newest first. Four queries, however much it is.

    Read `user.review` before: the people in what this finds come without what hangs on them.
    """
    events = [*_in_the_trail(user), *_mailed(user), *_asked(user)]
    return sorted(events, key=lambda event: event.at, reverse=True)


def _in_the_trail(user: User) -> Iterator[Event]:
    for entry in directory.timeline(user):
        if entry.action not in _IN_FULL:
            yield Event(entry.at, entry=entry)


def _mailed(user: User) -> Iterator[Event]:
    mails = listing.of_person(user.id)
    looks = opening.looks([mail.id for mail in mails])
    for mail in mails:
        yield Event(mail.posted_at, mail=mail, looks=looks.get(mail.id))


def _asked(user: User) -> Iterator[Event]:
    for each in question.questions_of(user, most=_QUESTIONS):
        yield Event(each.asked_at, asked=each)
        if each.answered_at is not None:
            yield Event(each.answered_at, answered=each)
        elif each.closed_at is not None:
            yield Event(each.closed_at, closed=each)
