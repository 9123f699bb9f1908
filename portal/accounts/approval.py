"""Approval: staff open the portal to a confirmed account, or do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext as _l

from portal import audit, clock, notifications
from portal.accounts import authority
from portal.accounts.user import Status, User
from portal.audit import Action, Way
from portal.database import db
from portal.desk import decision, memory, question, review, traces
from portal.desk.decision import Decision, Verdict
from portal.desk.memory import Past
from portal.errors import StepRefused, decided_by
from portal.mail import messages
from portal.notifications import TO_DECIDE, Kind

if TYPE_CHECKING:
    from portal.accounts.access import AccessLevel
    from portal.mail.mail import Mail


def approve(
    user: User, *, by: User | None, level: AccessLevel, letter: Mail | None = None
) -> Decision | None:
    """Open the portal to a person whose address is confirmed, at an access level.

    The same approval again changes nothing (None). An address that nobody confirmed is
    refused: it could belong to someone else. The letter may be sealed already, which saves
    time for whoever approves many.

    Raises:
        AlreadyDecided: somebody decided otherwise, or at another level.
        StepRefused: the address is unconfirmed; the account is suspended or erased; it is
            oneself; the level is above what the giver's roles may give.
    """
    if user.status is Status.APPROVED and user.access_level == level:
        return None
    if user.status is Status.APPROVED:
        raise _decided(user, _l("%(who)s approved this at another level on %(when)s."))
    must_be_approvable(user, by=by)
    authority.must_be_granted(by, level)

    user.approved_at = clock.now()
    user.access_level = level
    audit.record(Action.APPROVED, about=user, by=by, level=level.name)
    _clear_the_desk(user, by=by)
    return decision.note(
        user, Verdict.APPROVED, by=by, level=level, letter=letter or messages.welcome(user)
    )


def must_be_approvable(user: User, *, by: User | None) -> None:
    """Refuse to approve, at whatever level.

    Raises:
        AlreadyDecided: somebody approved or rejected it.
        StepRefused: the address is unconfirmed; the account is suspended or erased; it is
            oneself or somebody above.
    """
    if user.status is Status.APPROVED:
        raise _decided(user, _l("%(who)s approved this on %(when)s."))
    if user.status is Status.REJECTED:
        raise _decided(user, _l("%(who)s rejected this on %(when)s. Reopen it first."))
    if user.status is not Status.PENDING:
        raise StepRefused(_why_not_pending(user))
    authority.must_outrank(by, user)


def reject(
    user: User,
    *,
    by: User | None,
    reason: str = "",
    tell: bool = True,
    letter: Mail | None = None,
) -> Decision | None:
    """Do not let somebody in. The reason goes to the person, unless `tell` is off (spam).

    The same rejection again changes nothing (None). Open sessions go on: they show nothing but
    the status page, and their end would tell of it while it can be undone. The letter may be
    sealed already, which saves time for whoever rejects many.

    Raises:
        AlreadyDecided: somebody approved it.
        StepRefused: the account is suspended or erased; it is oneself.
    """
    if user.status is Status.REJECTED and user.rejection_reason == reason:
        return None
    if user.status is Status.REJECTED:
        raise _decided(user, _l("%(who)s rejected this for another reason on %(when)s."))
    must_be_rejectable(user, by=by)

    tell = tell and is_told(user)
    user.rejected_at = clock.now()
    user.rejection_reason = reason
    audit.record(Action.REJECTED, about=user, by=by, reason=reason, told=tell)
    _clear_the_desk(user, by=by)
    memory.remember(user, Past.REJECTED, reason=reason)
    told = (letter or messages.rejected(user, reason)) if tell else None
    return decision.note(user, Verdict.REJECTED, by=by, letter=told)


def is_told(user: User) -> bool:
    """Whether a rejection is mailed to this person at all.

    Nobody proved that an unconfirmed address is theirs: it may belong to a stranger.
    """
    return user.status is Status.PENDING


def must_be_rejectable(user: User, *, by: User | None) -> None:
    """Refuse to reject, for whatever reason.

    Raises:
        AlreadyDecided: somebody approved or rejected it.
        StepRefused: the account is suspended or erased; it is oneself or somebody above.
    """
    if user.status is Status.REJECTED:
        raise _decided(user, _l("%(who)s rejected this on %(when)s."))
    if user.status is Status.APPROVED:
        raise _decided(user, _l("%(who)s approved this on %(when)s. Suspend the account instead."))
    if user.status not in (Status.PENDING, Status.UNCONFIRMED):
        raise StepRefused(_why_not_pending(user))
    authority.must_outrank(by, user)


def reopen(user: User, *, by: User | None) -> None:
    """Take a rejection back, so that the registration can be decided again.

    Raises:
        StepRefused: it is not rejected; it is oneself.
    """
    must_be_reopenable(user, by=by)

    decision.take_letter_back(user)
    user.rejected_at = None
    user.rejection_reason = ""
    memory.take_back(user)
    audit.record(Action.REOPENED, about=user, by=by)
    if user.confirmed_at is not None:
        review.of(user).wait()
        notifications.raise_for(user, Kind.NEW_REGISTRATION)


def must_be_reopenable(user: User, *, by: User | None) -> None:
    """Refuse to reopen.

    Raises:
        StepRefused: it is not rejected; it is oneself or somebody above.
    """
    if user.status is not Status.REJECTED:
        raise StepRefused(_l("Only a rejected registration can be reopened."))
    authority.must_outrank(by, user)


def edit_reason(user: User, *, reason: str, how: Sequence[Way] = ()) -> None:
    """Let the applicant say better why they ask, while it is undecided.

    Raises:
        StepRefused: it is decided already.
    """
    if reason == user.reason:
        return
    _must_be_undecided(user)
    user.reason = reason
    traces.follow_words(user)
    review.of(user).change()
    audit.record(Action.REASON_EDITED, about=user, by=user, how=how)


def edit_wish(user: User, *, level: AccessLevel | None, how: Sequence[Way] = ()) -> None:
    """Let the applicant say how far they would like to get, or that they leave it to the staff.

    Raises:
        StepRefused: it is decided already; applicants may not ask for this level.
    """
    desk = review.of(user)
    if desk.wished_level_id == (level and level.id):
        return
    _must_be_undecided(user)
    if level is not None and not level.offered:
        raise StepRefused(_l("Nobody can ask for this level."), field="wished_level")
    before, desk.wished_level = desk.wished_level, level
    desk.change()
    audit.record(
        Action.WISH_EDITED,
        about=user,
        by=user,
        how=how,
        before=before and before.name,
        after=level and level.name,
    )


def _must_be_undecided(user: User) -> None:
    decision.must_not_be_kept_back(user)
    if user.status is not Status.PENDING:
        raise StepRefused(_l("Your registration is decided. This can no longer be edited."))


def _clear_the_desk(user: User, *, by: User | None) -> None:
    question.close_open(user)
    for kind in TO_DECIDE:
        notifications.settle(user, kind, by=by)


def _decided(user: User, sentence: Any) -> StepRefused:
    stands = decision.last(user)
    if stands is None:  # staff, who came by invitation
        at = user.approved_at or user.rejected_at or user.registered_at
        return decided_by(sentence, by=None, at=at)
    by = db.session.get(User, stands.by_id) if stands.by_id else None
    return decided_by(sentence, by=by, at=stands.at)


def _why_not_pending(user: User) -> Any:
    return {
        Status.UNCONFIRMED: _l(
            "Nobody has confirmed this address yet: it could belong to someone else."
        ),
        Status.SUSPENDED: _l("This account is suspended. Reinstate it first."),
        Status.ERASED: _l("This account was erased."),
    }[user.status]
