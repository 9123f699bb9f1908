"""Credentials: how a person changes what they sign in with (M8)."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import lazyload

from portal import audit, canonical
from portal.accounts import alarm, usernames
from portal.accounts.user import Status, User
from portal.accounts.way_back import come_back
from portal.audit import Action, Way
from portal.database import db
from portal.desk import review, traces
from portal.errors import StepRefused
from portal.mail import messages, outbox, silence


def change_password(user: User, *, password_hash: str) -> None:
    """Replace the password. Every session ends; the owner is told.

    Raises:
        StepRefused: the account is not open.
    """
    _must_be_open(user)
    user.password = password_hash
    user.end_sessions()
    audit.record(Action.PASSWORD_CHANGED, about=user, by=user)
    outbox.post(messages.password_changed(user))


def ask_for_password_reset(user: User | None) -> None:
    """Mail a link to choose a new password, or do the same work for nobody.

    Unknown, unconfirmed, suspended and erased accounts get no link, nor does one whose owner is
    on the way back to another address, and nothing tells a stranger so (ASVS 6.3.8).
    """
    elsewhere = alarm.leads_elsewhere(user)
    if user is None or not user.active or elsewhere:
        outbox.post_nothing()
        return
    outbox.post(messages.password_reset(user))


def reset_password(user: User, *, password_hash: str, address: str = "") -> None:
    """Choose a new password by a mailed link. Every session and every older link ends.

    `address` is a former one of theirs at which they read the link, after an alarm: then what
    was added since to sign in with goes, too, and the mail says so.

    Raises:
        StepRefused: the account is not open.
    """
    _must_be_open(user)
    user.password = password_hash
    user.end_sessions()
    audit.record(Action.PASSWORD_RESET, about=user, by=user)
    removed = come_back(user, address)
    outbox.post(messages.password_changed(user, removed=removed))


def ask_for_address_change(user: User, *, email: str, how: Sequence[Way] = ()) -> None:
    """Mail a link to the new address and a notice to the old one.

    An address that somebody else has gets no link; whose it is learns that nothing of theirs
    changed, and the person who asked learns nothing. An address whose owner wants no such mail
    gets none.

    Raises:
        StepRefused: it is the address they have; the account is not open.
    """
    _must_be_open(user)
    if canonical.email(email) == user.email_canonical:
        raise StepRefused(_l("This is the address you already have."), field="email")
    owner = _owner(email)
    if silence.is_silenced(email):
        outbox.post_nothing()
    elif owner is None:
        outbox.post(messages.address_change(user, email))
    elif owner.active:
        outbox.post(messages.already_registered(owner))
    else:
        outbox.post_nothing()
    audit.record(Action.ADDRESS_CHANGE_ASKED, about=user, by=user, how=how)
    outbox.post(messages.address_change_asked(user, email))


def change_address(user: User, *, email: str) -> None:
    """Move the account to an address that its owner proved. Tells both, ends sessions.

    Raises:
        StepRefused: somebody has this address by now, or its owner wants no mail; the account
            is not open.
        sqlalchemy.exc.IntegrityError: at the flush, when they got it at the same moment.
    """
    if canonical.email(email) == user.email_canonical:
        return
    _must_be_open(user)
    if _owner(email) is not None or silence.is_silenced(email):
        raise StepRefused(_l("This address can no longer be used. Ask for the change again."))
    old_email = user.email or ""
    user.email = email
    user.end_sessions()
    audit.record(Action.ADDRESS_CHANGED, about=user, by=user)
    db.session.flush()
    if user.status is not Status.APPROVED:
        traces.follow_address(user)
        review.of(user).change()
    outbox.post(messages.address_changed(user, old_email))
    outbox.post(messages.address_changed_here(user))


def change_username(user: User, *, username: str) -> None:
    """Take another username. The same one again changes nothing.

    Raises:
        StepRefused: somebody has it; the account is not open.
        sqlalchemy.exc.IntegrityError: at the flush, when they got it at the same moment.
    """
    if username == user.username:
        return
    _must_be_open(user)
    taken = select(User.id).filter_by(username_canonical=canonical.username(username))
    if db.session.scalar(taken.where(User.id != user.id)) is not None:
        raise usernames.username_taken()
    old = user.username or ""
    user.username = username
    audit.record(Action.USERNAME_CHANGED, about=user, by=user)
    db.session.flush()
    outbox.post(messages.username_changed(user, old))


def find_by_identity(identity: str) -> User | None:
    """The account with this address or username, in any spelling that means the same.

    A username holds no @, so that the two never mean different people.
    """
    if not identity or len(identity) > 320:
        return None
    if "@" in identity:
        return _owner(identity)
    return db.session.scalars(
        select(User)
        .filter_by(username_canonical=canonical.username(identity))
        .options(lazyload("*"))  # as much work for nobody
    ).one_or_none()


def _owner(email: str) -> User | None:
    return db.session.scalars(
        select(User).filter_by(email_canonical=canonical.email(email)).options(lazyload("*"))
    ).one_or_none()


def _must_be_open(user: User) -> None:
    if user.status not in (Status.PENDING, Status.APPROVED, Status.REJECTED):
        raise StepRefused(_l("This account is not open. Ask the staff."))
