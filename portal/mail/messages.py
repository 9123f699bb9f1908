"""The mails: one function for each, in the recipient's language, with what it has to say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from flask_babel import get_locale

from portal import canonical, clock, links, settings
from portal.mail.message import Message
from portal.mail.writing import is_greetable, unlinked, write

if TYPE_CHECKING:
    from portal.accounts.access import AccessLevel
    from portal.accounts.device import Device
    from portal.accounts.user import User
    from portal.desk.waits import UsualWait


def confirmation(user: User, code: str) -> Message:
    """Ask somebody who registered to confirm that the address is theirs, by link or by code."""
    return _confirmation(user, "confirmation", code)


def confirmation_again(user: User, code: str) -> Message:
    """Say that somebody registered again with an address that nobody has confirmed yet.

    Whoever confirms chooses the password, so that nobody can squat an address.
    """
    return _confirmation(user, "confirmation_again", code)


CONFIRMATIONS = ("confirmation", "confirmation_again")
"""The kinds of mail that ask for a confirmation."""


def confirmed_by_hand(user: User, usual: UsualWait | None) -> Message:
    """The same where staff confirmed the address: also how to choose a password."""
    link = links.absolute("pages.forgot")
    return _to_applicant(user, "confirmed_by_hand", usual_wait=usual, link=link)


def already_registered(user: User) -> Message:
    """Tell the owner of an address that somebody entered it, and that they have an account."""
    return _to(user, "already_registered", link=links.absolute("security.login"))


def username_taken(
    *, to: str, full_name: str, language: str, username: str, link: str, time_zone: str = ""
) -> Message:
    """Tell somebody that their username is taken, with a link back to the form they filled in.

    Whoever filled it in need not own the address: a username that a mail program could make
    something of to be opened or called is left out.
    """
    return write(
        "username_taken",
        to=to,
        full_name=full_name,
        language=language,
        time_zone=time_zone,
        username=username if is_greetable(username) else "",
        link=link,
        expires_at=clock.now() + timedelta(days=1),
    )


def waiting(user: User, usual: UsualWait | None) -> Message:
    """Tell somebody that their address is confirmed, that staff look at the request now, and
    how long that usually takes, where it is known.
    """
    return _about_status(user, "waiting", usual_wait=usual)


def welcome(user: User, level: AccessLevel | None = None) -> Message:
    """Tell somebody that their account was approved and where to sign in.

    It names the level that they have, or the one that they are about to get.
    """
    level = level or user.access_level
    return _to_applicant(
        user,
        "welcome",
        username=unlinked(user.username or ""),
        is_applicant=False,  # not any more, though the letter may be written before
        level=level.name if level else "",
        link=links.absolute("security.login"),
    )


def rejected(user: User, reason: str) -> Message:
    """Tell somebody that staff did not approve their request, and why."""
    return _about_status(user, "rejected", reason=reason)


def question(user: User, text: str) -> Message:
    """Put a question of the staff to somebody whose registration they review."""
    return _about_status(user, "question", text=text)


def question_reminder(user: User, text: str, *, closes_at: datetime | None) -> Message:
    """Remind somebody of a question, and say when the staff go on without an answer."""
    return _about_status(user, QUESTION_REMINDER, text=text, closes_at=closes_at)


QUESTION_REMINDER = "question_reminder"
QUESTIONS = ("question", QUESTION_REMINDER)
"""The kinds of mail that ask somebody to answer."""


STATUS_CODE = "status_code"
"""The kind of mail that brings a code to the status page."""


def status_code(user: User, code: str) -> Message:
    """Mail an applicant the code that proves that it is they who withdraw or move."""
    minutes = settings.current().registration.code_within_minutes
    lasts = timedelta(minutes=minutes)
    return _to(user, STATUS_CODE, expires_at=clock.now() + lasts, code=code, code_minutes=minutes)


def access_changed(user: User, before: str, after: str) -> Message:
    """Tell somebody that their access level changed, by the names of both."""
    return _to(
        user, "access_changed", before=before, after=after, link=links.absolute("pages.home")
    )


def suspended(user: User, reason: str = "") -> Message:
    """Tell somebody that staff suspended their account, and why."""
    return _to(user, "suspended", reason=reason)


def reinstated(user: User) -> Message:
    """Tell somebody that their account is open again."""
    return _to(user, "reinstated", link=links.absolute("security.login"))


def erased(
    *, to: str, full_name: str, language: str, time_zone: str = "", is_applicant: bool = False
) -> Message:
    """Tell somebody that their account, or their request for one, and what was known is gone."""
    return write(
        "erased",
        to=to,
        full_name=full_name,
        language=language,
        time_zone=time_zone,
        when=clock.now(),
        is_applicant=is_applicant,
    )


def password_reset(user: User) -> Message:
    """Send a link that lets somebody choose a new password."""
    lasts = timedelta(minutes=settings.current().sessions.reset_within_minutes)
    ticket = links.new_ticket()
    return _to(
        user,
        "password_reset",
        ticket=ticket,
        expires_at=clock.now() + lasts,
        link=links.password_reset(user, ticket=ticket),
    )


def password_changed(user: User, *, removed: Sequence[str] = ()) -> Message:
    """Tell somebody that their password was changed, in case it was not they who did it.

    `removed` are the kinds of second factors that went with an alarm (see `way_back`).
    """
    return _notice(user, "password_changed", removed=removed, link=links.absolute("pages.forgot"))


def address_change(user: User, new_email: str) -> Message:
    """Ask at the new address whether an account may move there."""
    lasts = timedelta(minutes=settings.current().sessions.change_address_within_minutes)
    ticket = links.new_ticket()
    return _to(
        user,
        "address_change",
        to=new_email,
        ticket=ticket,
        expires_at=clock.now() + lasts,
        link=links.change_of_address(user, new_email, ticket=ticket),
    )


def address_change_asked(user: User, new_email: str) -> Message:
    """Tell the old address that a change to another one was asked for."""
    return _notice(
        user,
        "address_change_asked",
        address=new_email,
        link=links.absolute("pages.forgot"),
    )


def address_changed(user: User, old_email: str) -> Message:
    """Tell the old address that the account has moved to another one."""
    return _notice(user, "address_changed", to=old_email, address=user.email, is_new=False)


def address_changed_here(user: User) -> Message:
    """Tell the new address the same. Who says "this was not me" is at the old one."""
    return _to(user, "address_changed", address=user.email, when=clock.now(), is_new=True)


def username_changed(user: User, old: str) -> Message:
    """Tell somebody that their username was changed."""
    return _notice(
        user,
        "username_changed",
        old=unlinked(old),
        new=unlinked(user.username or ""),
        link=links.absolute("pages.account"),
    )


def factor_added(user: User, kind: str, *, at: datetime) -> Message:
    """Tell somebody that there is a second factor now, or another one: an app or a passkey."""
    return _about_factors(user, "factor_added", at=at, factor=kind)


def factor_removed(user: User, kind: str, *, is_last: bool) -> Message:
    """Tell somebody that a second factor was taken away, and whether the password is enough now."""
    return _about_factors(user, "factor_removed", factor=kind, is_last=is_last)


def factors_reset(user: User, reason: str) -> Message:
    """Tell somebody that staff took every second factor of theirs away, and why."""
    return _notice(
        user,
        "factors_reset",
        reason=reason,
        link=links.absolute("security.login"),
    )


def factor_guessed(user: User) -> Message:
    """Tell somebody that who knows their password typed wrong codes, many in a row."""
    return _notice(user, "factor_guessed", link=links.absolute("pages.forgot"))


def passkey_copied(user: User, name: str) -> Message:
    """Tell somebody that a passkey of theirs counted backwards, as a copy of it would."""
    return _about_factors(user, "passkey_copied", passkey=unlinked(name))


def recovery_code_used(user: User, left: int, *, few: int) -> Message:
    """Tell somebody that a recovery code was used, how many are left, and if those are few."""
    return _about_factors(user, "recovery_code_used", left=left, are_few=left <= few)


def recovery_codes_replaced(user: User, *, at: datetime) -> Message:
    """Tell somebody that they have new recovery codes, and that the old ones are dead."""
    return _about_factors(user, "recovery_codes_replaced", at=at)


def new_device(user: User, device: Device, network: str) -> Message:
    """Tell somebody that they signed in, or somebody did, in a browser not seen before."""
    return _notice(
        user, "new_device", device=device, network=network, link=links.absolute("pages.account")
    )


def alarm_elsewhere(user: User, *, until: datetime) -> Message:
    """Tell the address that an account has now that its former one raised an alarm."""
    return _to(user, "alarm_elsewhere", when=clock.now(), until=until)


def way_back(user: User, address: str, *, until: datetime) -> Message:
    """Send the link to a new password to whoever raised an alarm, at their own address."""
    lasts = timedelta(minutes=settings.current().sessions.reset_within_minutes)
    is_theirs = canonical.email(address) == user.email_canonical
    ticket = links.new_ticket()
    return _to(
        user,
        "way_back",
        to=address,
        ticket=ticket,
        expires_at=clock.now() + lasts if is_theirs else until,
        is_theirs=is_theirs,
        link=links.password_reset(user, ticket=ticket, address="" if is_theirs else address),
    )


def to_nobody(like: str) -> Message:
    """Write a mail that nobody gets, for the work it takes (see `outbox.post_nothing`).

    Raises:
        KeyError: no mail of this kind is ever answered by one to nobody.
    """
    nobody = cast("User", _Nobody(language=str(get_locale() or "")))
    return _LIKE[like](nobody)


NOBODYS_ADDRESS = "nobody@portal.invalid"
"""The address of a mail that nobody gets."""


@dataclass(frozen=True)
class _Nobody:
    """What a mail needs to know of a person, made up."""

    language: str
    id: None = None
    email: str = NOBODYS_ADDRESS
    email_canonical: str = NOBODYS_ADDRESS
    username: str = "nobody"
    full_name: str = "Nobody"
    time_zone: str = ""
    fs_uniquifier: str = "0" * 32
    password: str = "0" * 97  # as long as a hash
    approved_at: None = None


_LIKE: dict[str, Callable[[User], Message]] = {
    "confirmation": lambda nobody: confirmation(nobody, "0" * 6),
    "already_registered": already_registered,
    "password_reset": password_reset,
}


def _confirmation(user: User, kind: str, code: str) -> Message:
    registration = settings.current().registration
    ticket = links.new_ticket()
    return _to(
        user,
        kind,
        ticket=ticket,
        expires_at=clock.now() + timedelta(hours=registration.confirm_within_hours),
        link=links.confirmation(user, ticket=ticket),
        code=code,
        code_minutes=registration.code_within_minutes,
        code_link=links.absolute("pages.confirm_code"),
        not_me_link=links.not_me(user, ticket=ticket),
        status_link=links.status(user, ticket=ticket),
    )


def _about_status(user: User, kind: str, **context: Any) -> Message:
    """A mail whose one action is a look at the status page."""
    ticket = links.new_ticket()
    return _to(user, kind, ticket=ticket, link=links.status(user, ticket=ticket), **context)


def _about_factors(user: User, kind: str, *, at: datetime | None = None, **context: Any) -> Message:
    """A mail whose one action is a look at the second factor."""
    link = links.absolute("pages.second_factor")
    return _notice(user, kind, at=at, link=link, **context)


def _notice(
    user: User, kind: str, *, to: str = "", at: datetime | None = None, **context: Any
) -> Message:
    """A mail that something happened to an account, with the link "this was not me"."""
    at = at or clock.now()
    alarm_link = links.alarm(user, to or user.email or "", at=at)
    return _to(user, kind, to=to, when=at, alarm_link=alarm_link, **context)


def _to_applicant(user: User, kind: str, **context: Any) -> Message:
    """A mail with another action, which names the status page besides."""
    return _to(user, kind, status_link=links.status(user), **context)


def _to(user: User, kind: str, *, to: str = "", **context: Any) -> Message:
    """A mail about somebody's account, or about their request as long as it is no more."""
    context.setdefault("is_applicant", user.approved_at is None)
    return write(
        kind,
        to=to or user.email or "",
        full_name=user.full_name,
        language=user.language,
        time_zone=user.time_zone,
        user_id=user.id,
        **context,
    )
