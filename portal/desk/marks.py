"""Marks: what catches the eye about a registration, and what is behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, or_, select
from sqlalchemy.orm import aliased, lazyload

from portal import i18n
from portal.accounts import mistyped
from portal.accounts.user import User
from portal.database import db
from portal.desk.memory import Fingerprint, Past
from portal.desk.question import Question
from portal.desk.traces import RequestTrace, Trace

OTHERS = 5  # shown beside a mark; more would say no more


class Mark(StrEnum):
    """One thing that catches the eye. No proof: a reason to look twice."""

    REJECTED_BEFORE = "rejected"
    THROWAWAY = "throwaway"
    MISTYPED = "mistyped"
    REASON = "reason"
    MAILBOX = "address"
    HASTY = "hasty"
    NAME = "name"
    UNANSWERED = "unanswered"
    ERASED_BEFORE = "erased"
    NETWORK = "network"

    @property
    def label(self) -> Any:
        """The word or two on its badge."""
        return _WORDS[self].label

    @property
    def sentence(self) -> Any:
        """What it means, in a sentence."""
        return _WORDS[self].sentence

    @property
    def weight(self) -> int:
        """How much it says, for putting several in order; never for deciding."""
        return _WORDS[self].weight


class _Words(NamedTuple):
    weight: int
    label: Any
    sentence: Any


_WORDS = {
    Mark.REJECTED_BEFORE: _Words(
        90, _l("Rejected before"), _l("Somebody with this address or name was rejected before.")
    ),
    Mark.THROWAWAY: _Words(
        80,
        _l("Throw-away address"),
        _l("The domain hands out addresses that anybody can use for a few minutes."),
    ),
    Mark.MISTYPED: _Words(
        75,
        _l("Mistyped domain?"),
        _l("The domain differs by one sign from one that many people use."),
    ),
    Mark.REASON: _Words(
        70, _l("Same reason"), _l("The reason reads almost like the one of another request.")
    ),
    Mark.MAILBOX: _Words(
        60,
        _l("Same mailbox"),
        _l("Mail to this address reaches the same mailbox as that of another request."),
    ),
    Mark.HASTY: _Words(
        50,
        _l("Filled in at once"),
        _l("The form was sent faster than most people can fill it in."),
    ),
    Mark.NAME: _Words(40, _l("Same name"), _l("Another request has the same name or nearly so.")),
    Mark.UNANSWERED: _Words(
        30, _l("Left unanswered"), _l("The last question was closed without an answer.")
    ),
    Mark.ERASED_BEFORE: _Words(
        20,
        _l("Erased before"),
        _l("An earlier account with this address or name was erased."),
    ),
    Mark.NETWORK: _Words(
        10,
        _l("Same network"),
        _l("Another request came from the same neighbourhood of the network."),
    ),
}

# Marks that come from being like another request, and what is compared.
_LIKE = {
    Mark.MAILBOX: Trace.MAILBOX,
    Mark.NETWORK: Trace.NETWORK,
    Mark.NAME: Trace.NAME,
    Mark.REASON: Trace.REASON,
}
_LEFT = {
    Mark.THROWAWAY: Trace.THROWAWAY,
    Mark.MISTYPED: Trace.MISTYPED,
    Mark.HASTY: Trace.HASTY,
}
_BEFORE = {Mark.REJECTED_BEFORE: Past.REJECTED, Mark.ERASED_BEFORE: Past.ERASED}
_PRINTS = (Trace.ADDRESS_FINGERPRINT.value, Trace.NAME_FINGERPRINT.value)


@dataclass(frozen=True)
class Evidence:
    """What is behind one mark of one registration."""

    mark: Mark
    sentence: str
    others: Sequence[User] = ()
    past: Sequence[Fingerprint] = ()


def carries(mark: Mark, user_id: Any) -> ColumnElement[bool]:
    """For a query: the registration of this user has the mark.

    Each looks for one row and stops, so that a network or a reason that thousands share
    costs no more than one that two do.
    """
    if mark in _LIKE:
        return _is_like_another(_LIKE[mark], user_id)
    if mark in _BEFORE:
        return _was_here_before(_BEFORE[mark], user_id)
    if mark is Mark.UNANSWERED:
        return _left_the_last_question_open(user_id)
    return _has_left(_LEFT[mark], user_id)


def marks_of(user_ids: Sequence[int]) -> dict[int, list[Mark]]:
    """The marks of each of these registrations, the weightiest first. One query."""
    if not user_ids:
        return {}
    ordered, question = _marks_asked()
    rows = db.session.execute(question, {"ids": list(user_ids)})
    return {
        row[0]: [mark for mark, is_there in zip(ordered, row[1:], strict=True) if is_there]
        for row in rows
    }


@cache
def _marks_asked() -> tuple[list[Mark], Select[*tuple[Any, ...]]]:
    """The query of `marks_of`, and the marks in its order.

    Put together once: that costs more than the answer, a fifth of what a page of the list does.
    """
    ordered = sorted(Mark, key=lambda mark: -mark.weight)
    columns = [carries(mark, User.id) for mark in ordered]
    question = select(User.id, *columns).where(User.id.in_(bindparam("ids", expanding=True)))
    return ordered, question


def evidence(user: User) -> list[Evidence]:
    """What is behind each mark of one registration, the weightiest first.

    At most one query for each kind of mark, and five other people beside each.
    """
    return [_behind(mark, user) for mark in marks_of([user.id]).get(user.id, [])]


def _has_left(trace: Trace, user_id: Any) -> ColumnElement[bool]:
    mine = aliased(RequestTrace)
    return exists().where(mine.user_id == user_id, mine.kind == trace.value)


def _is_like_another(trace: Trace, user_id: Any) -> ColumnElement[bool]:
    mine, theirs = aliased(RequestTrace), aliased(RequestTrace)
    another = exists().where(
        theirs.kind == trace.value, theirs.value == mine.value, theirs.user_id != mine.user_id
    )
    return exists().where(mine.user_id == user_id, mine.kind == trace.value, another)


def _was_here_before(past: Past, user_id: Any) -> ColumnElement[bool]:
    mine = aliased(RequestTrace)
    earlier = exists().where(_is_earlier(mine, past))
    return exists().where(mine.user_id == user_id, mine.kind.in_(_PRINTS), earlier)


def _is_earlier(mine: Any, past: Past) -> ColumnElement[bool]:
    # The rejection of this very registration says nothing about it.
    of_another = or_(Fingerprint.user_id.is_(None), Fingerprint.user_id != mine.user_id)
    return and_(Fingerprint.value == mine.value, Fingerprint.past == past.value, of_another)


def _left_the_last_question_open(user_id: Any) -> ColumnElement[bool]:
    last, later = aliased(Question), aliased(Question)
    is_last = ~exists().where(later.user_id == last.user_id, later.asked_at > last.asked_at)
    return exists().where(
        last.user_id == user_id, last.closed_at.is_not(None), last.answered_at.is_(None), is_last
    )


def _behind(mark: Mark, user: User) -> Evidence:
    if mark in _LIKE:
        return Evidence(mark, str(mark.sentence), others=_others_like(_LIKE[mark], user))
    if mark in _BEFORE:
        past = _earlier(_BEFORE[mark], user)
        return Evidence(mark, _told(past), others=_still_here(past), past=past)
    if mark is Mark.MISTYPED and (meant := mistyped.meant(user.email or "")):
        return Evidence(mark, str(_("Perhaps %(address)s is meant.", address=meant)))
    return Evidence(mark, str(mark.sentence))


def _others_like(trace: Trace, user: User) -> Sequence[User]:
    mine, theirs = aliased(RequestTrace), aliased(RequestTrace)
    like = (
        select(theirs.user_id)
        .join(mine, and_(mine.kind == theirs.kind, mine.value == theirs.value))
        .where(mine.user_id == user.id, mine.kind == trace.value, theirs.user_id != user.id)
        .distinct()
        .order_by(theirs.user_id.desc())
        .limit(OTHERS)
    )
    return _named(like)


def _earlier(past: Past, user: User) -> Sequence[Fingerprint]:
    mine = aliased(RequestTrace)
    return db.session.scalars(
        select(Fingerprint)
        .where(
            exists().where(mine.user_id == user.id, mine.kind.in_(_PRINTS), _is_earlier(mine, past))
        )
        .order_by(Fingerprint.at.desc(), Fingerprint.id.desc())
        .limit(OTHERS)
    ).all()


def _told(past: Sequence[Fingerprint]) -> str:
    """When it was and why, of the latest."""
    latest = past[0]
    day = i18n.date_text(latest.at)
    if latest.past == Past.ERASED:
        return str(_("An account with this address or name was erased on %(day)s.", day=day))
    if not latest.reason:
        return str(_("Rejected on %(day)s, without a reason.", day=day))
    return str(_("Rejected on %(day)s. The reason: %(reason)s", day=day, reason=latest.reason))


def _still_here(past: Sequence[Fingerprint]) -> Sequence[User]:
    return _named([each.user_id for each in past if each.user_id is not None])


def _named(ids: Any) -> Sequence[User]:
    found = select(User).where(User.id.in_(ids)).options(lazyload("*")).order_by(User.id.desc())
    return db.session.scalars(found.limit(OTHERS)).all()
