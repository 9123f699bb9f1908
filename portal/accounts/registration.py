"""Registration: a person asks for an account."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import lazy_gettext as _l
from sqlalchemy import bindparam, select
from sqlalchemy.orm import lazyload

from portal import audit, canonical, clock, links
from portal.accounts import code, confirmation
from portal.accounts.code import Purpose
from portal.accounts.user import Communication, Status, User
from portal.accounts.usernames import username_taken
from portal.audit import Action
from portal.database import db
from portal.desk import review, traces
from portal.errors import StepRefused
from portal.mail import messages, outbox, silence


@dataclass(frozen=True, kw_only=True)
class Application:
    """What somebody filled in to register. The password comes hashed; nothing keeps it clear."""

    full_name: str
    username: str
    email: str
    password_hash: str
    language: str
    time_zone: str
    communication: Communication
    reason: str
    terms_version: str
    wished_level_id: int | None = None
    network_address: str = ""
    seconds_to_fill_in: int | None = None


def register(application: Application) -> User | None:
    """Register somebody, or quietly tell the owner of what is already taken.

    Whatever is found, exactly one mail is posted, so that a stranger learns nothing from
    the answer or from the time it took (ASVS 6.3.8):

    - nobody known: the account is made, and a link to confirm the address goes out;
    - the address belongs to an unconfirmed account: a fresh link, and whoever confirms
      chooses the password then, so that nobody can squat an address;
    - the address belongs to a confirmed account: its owner is told;
    - the username is taken: the address that registered is told, with a way back;
    - the owner of the address wants no such mail: nobody gets one, and nothing is kept.

    Returns the account that can be confirmed now, or None where there is none.

    Raises:
        sqlalchemy.exc.IntegrityError: at the flush, when somebody registered the same name or
            address at the same moment. Rolled back and asked again, it finds them.
    """
    # All three are asked whatever the first one says.
    owner = _owner_of_address(application.email)
    is_silenced = silence.is_silenced(application.email)
    is_taken = _is_username_taken(application.username)
    if owner is not None:
        return _register_again(owner, is_silenced=is_silenced)
    if is_silenced:
        _mail_nobody(like="confirmation")
        return None
    if is_taken:
        _tell_username_is_taken(application)
        return None

    user = User(
        full_name=application.full_name,
        email=application.email,
        username=application.username,
        password=application.password_hash,
        language=application.language,
        time_zone=application.time_zone,
        communication=application.communication.value,
        reason=application.reason,
        terms_version=application.terms_version,
        terms_accepted_at=clock.now(),
        registered_at=clock.now(),
        confirmation_mailed_at=clock.now(),
    )
    db.session.add(user)
    audit.record(Action.REGISTERED, about=user, by=user, terms=application.terms_version)
    db.session.flush()
    review.lay(
        user,
        wished_level_id=application.wished_level_id,
        seconds_to_fill_in=application.seconds_to_fill_in,
        network=traces.network_of(application.network_address),
    )
    confirmation.mail_link(user)
    return user


def correct(user: User, *, full_name: str, username: str, reason: str) -> None:
    """Take what the owner of the address says of themselves, in place of what was filled in.

    Raises:
        StepRefused: the account is confirmed already; the username is taken.
        sqlalchemy.exc.IntegrityError: at the flush, when somebody took it at the same moment.
    """
    if user.status is not Status.UNCONFIRMED:
        raise StepRefused(_l("This account is confirmed already."))
    if canonical.username(username) != user.username_canonical and _is_username_taken(username):
        raise username_taken()
    user.full_name, user.username, user.reason = full_name, username, reason
    traces.follow_words(user)


def correct_address(user: User | None, *, email: str) -> None:
    """Move a registration that nobody confirmed to the address that was meant.

    Whatever is found, exactly one mail is posted, as `register` does it. Nothing moves where

    - there is no such registration, or it is confirmed by now;
    - somebody registered with the old address once more: it may be the owner of the address,
      and then the registration is theirs;
    - the new address has an owner already, who is told, or one who wants no such mail.

    Raises:
        sqlalchemy.exc.IntegrityError: at the flush, when somebody registered with the address
            at the same moment.
    """
    owner, is_silenced = _owner_of_address(email), silence.is_silenced(email)
    is_open = user is not None and user.status is Status.UNCONFIRMED and user.password is not None
    if user is None or not is_open or (is_silenced and owner is None):
        confirmation.post_link(None)
        return
    if owner is not None and owner.id == user.id:
        confirmation.ask_for_link(user)
        return
    if owner is not None:
        _register_again(owner, is_silenced=is_silenced)
        return

    outbox.forget(user)  # what still waits to go to the wrong address
    user.email = email
    user.confirmation_mailed_at = clock.now()
    audit.record(Action.ADDRESS_CORRECTED, about=user, by=user)
    db.session.flush()
    traces.follow_address(user)
    review.of(user).change()
    confirmation.post_link(user)


def _register_again(owner: User, *, is_silenced: bool) -> User | None:
    if owner.status is not Status.UNCONFIRMED:
        if is_silenced:
            _mail_nobody(like="already_registered")
        else:
            code.issue(None, Purpose.CONFIRMATION)
            outbox.post(messages.already_registered(owner))
        return None
    # Nobody owns this account yet, so neither application counts for more than the other:
    # whoever confirms the address sees what was filled in first, and corrects it.
    owner.password = None
    owner.confirmation_mailed_at = clock.now()
    audit.record(Action.REGISTERED_AGAIN, about=owner)
    if is_silenced:
        _mail_nobody(like="confirmation")
    else:
        confirmation.mail_link(owner, again=True)
    return owner


def _mail_nobody(*, like: str) -> None:
    code.issue(None, Purpose.CONFIRMATION)
    outbox.post_nothing(like=like)


def _tell_username_is_taken(application: Application) -> None:
    code.issue(None, Purpose.CONFIRMATION)
    outbox.post(
        messages.username_taken(
            to=application.email,
            full_name=application.full_name,
            language=application.language,
            username=application.username,
            link=links.registration_draft(
                full_name=application.full_name,
                email=application.email,
                communication=application.communication.value,
                reason=application.reason,
                wished_level=str(application.wished_level_id or ""),
            ),
        )
    )


def _owner_of_address(email: str) -> User | None:
    return db.session.scalars(_OWNER, {"address": canonical.email(email)}).one_or_none()


def _is_username_taken(username: str) -> bool:
    return db.session.scalar(_TAKEN, {"username": canonical.username(username)}) is not None


_OWNER = (
    select(User)
    .where(User.email_canonical == bindparam("address"))
    .options(lazyload("*"))  # as much work for nobody
    .with_for_update(of=User)
)
_TAKEN = select(User.id).where(User.username_canonical == bindparam("username"))
