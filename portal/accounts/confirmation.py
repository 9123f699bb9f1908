"""Confirmation: a person proves that the address is theirs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

from flask_babel import lazy_gettext as _l

from portal import audit, clock, notifications, settings
from portal.accounts import authority, code
from portal.accounts.code import Purpose
from portal.accounts.user import Status, User
from portal.audit import Action, Way
from portal.desk import review, traces, waits
from portal.errors import StepRefused
from portal.mail import messages, outbox, silence
from portal.mail.mail import Mail
from portal.notifications import Kind


def note_confirmed(
    user: User,
    *,
    by: User | None = None,
    password_hash: str | None = None,
    how: Sequence[Way] = (),
) -> None:
    """Note that the person reads mail at their address, and put them before the staff.

    `password_hash` replaces the password typed at registration: the link may have been
    opened by the owner of an address that somebody else typed. Confirming again changes nothing.

    Raises:
        StepRefused: the account was rejected, suspended or erased meanwhile; or it has no
            password yet and none was chosen; whoever reads mail there said "this was not me".
    """
    if user.status in (Status.PENDING, Status.APPROVED):
        return
    if user.status is not Status.UNCONFIRMED:
        raise StepRefused(_l("This account cannot be confirmed any more. Ask the staff."))
    if silence.is_silenced(user.email or ""):
        raise StepRefused(
            _l("At this address somebody said “this was not me”. Ask the staff to lift that first.")
        )
    if password_hash is None and user.password is None:
        raise StepRefused(_l("Choose a password for your account."), field="password")

    if password_hash is not None:
        # No session to end: nobody could sign in so far. And the link can still say "used".
        user.password = password_hash
    user.confirmed_at = clock.now()
    audit.record(Action.CONFIRMED, about=user, by=by or user, how=how)
    _put_before_staff(user)
    outbox.post(messages.waiting(user, waits.usual_wait()))


def confirm_by_hand(user: User, *, by: User | None, reason: str) -> None:
    """Take an address as confirmed because staff know better than the mail, and say why.

    Nobody proved that whoever registered reads mail at this address. So the password that they
    typed is forgotten: the owner of the address chooses one by way of a mail to it, and who
    registered a stranger's address and talked staff into confirming it has nothing (Sudhodanan
    and Paverd, "Pre-hijacked accounts", 2022). Confirming a confirmed address changes nothing.
    Where the owner of the address said "this was not me", that mail does not go either, and
    the staff are told before (`silence.holds_for`).

    Raises:
        StepRefused: no reason is given; the account was rejected, suspended or erased; it is
            oneself or somebody above.
    """
    if user.status in (Status.PENDING, Status.APPROVED):
        return
    must_be_confirmable_by_hand(user, by=by)
    if not reason.strip():
        raise StepRefused(_l("Say how you know whose address it is."), field="reason")

    user.password = None
    user.confirmed_at = clock.now()
    audit.record(Action.CONFIRMED_BY_HAND, about=user, by=by, reason=reason.strip())
    _put_before_staff(user)
    outbox.post(messages.confirmed_by_hand(user, waits.usual_wait()))


def must_be_confirmable_by_hand(user: User, *, by: User | None) -> None:
    """Refuse to confirm by hand.

    Raises:
        StepRefused: the address is confirmed; the account was rejected, suspended or erased; it
            is oneself or somebody above.
    """
    if user.status is not Status.UNCONFIRMED:
        raise StepRefused(_l("This address is not waiting for a confirmation."))
    authority.must_outrank(by, user)


def post_link(user: User | None, *, again: bool = False) -> Mail | None:
    """Post a mail with a link and a code, or do all the work of it for nobody.

    Nobody (None) is mailed nothing, and neither is an address that its owner silenced; that
    either is so, no stranger can tell. `again` says that somebody registered once more.
    """
    is_silenced = _is_silenced(user)
    if user is None or is_silenced:
        code.issue(None, Purpose.CONFIRMATION)
        outbox.post_nothing(like="confirmation")
        return None
    return mail_link(user, again=again)


def mail_link(user: User, *, again: bool = False) -> Mail:
    """The same for somebody of whom it was asked already that nobody silenced their address."""
    letter = messages.confirmation_again if again else messages.confirmation
    return outbox.post(letter(user, code.issue(user, Purpose.CONFIRMATION)))


def ask_for_link(user: User | None) -> None:
    """Mail a fresh link to whoever asked for one; nobody learns that there was nothing to mail."""
    if user is None or user.status is not Status.UNCONFIRMED or pause_left(user):
        post_link(None)
        return
    user.confirmation_mailed_at = clock.now()
    audit.record(Action.CONFIRMATION_RESENT, about=user, by=user)
    post_link(user)


def is_right_code(user: User | None, typed: str) -> bool:
    """Whether this is the code that was mailed to somebody who may confirm. Costs a try.

    The same work for somebody who has nothing to confirm, and for nobody. Commit either way.
    """
    may = user is not None and user.status is Status.UNCONFIRMED
    is_silenced = _is_silenced(user)
    return code.check(user if may and not is_silenced else None, Purpose.CONFIRMATION, typed)


def resend_confirmation(
    user: User,
    *,
    by: User | None,
    letter: Mail | None = None,
    silenced: Collection[str] | None = None,
) -> None:
    """Mail a fresh link. Older links stay good until they expire or one is used.

    Whoever mails many brings a sealed letter and keeps its code with those of the others, and
    has asked which addresses are silenced.

    Raises:
        StepRefused: the address is confirmed already, or its owner wants no more mail; the last
            mail is too fresh; the address got enough of them today.
    """
    must_be_resendable(user)
    address = user.email or ""
    if silence.is_silenced(address) if silenced is None else address in silenced:
        raise StepRefused(_l("The owner of this address wants no more such mail."))

    user.confirmation_mailed_at = clock.now()
    audit.record(Action.CONFIRMATION_RESENT, about=user, by=by)
    if letter is not None:
        outbox.post(letter)
        return
    posted = post_link(user)
    if posted is not None and posted.is_held_back:
        raise StepRefused(_l("This address got enough mail of this kind today."))


def must_be_resendable(user: User) -> None:
    """Refuse to mail another link.

    Raises:
        StepRefused: the address is confirmed already, or the last mail is too fresh.
    """
    if user.status is not Status.UNCONFIRMED:
        raise StepRefused(_l("This address is not waiting for a confirmation."))
    if pause_left(user) > 0:
        raise StepRefused(
            _l(
                "A mail left moments ago. Wait %(seconds)s seconds before the next one.",
                seconds=pause_left(user),
            )
        )


def pause_left(user: User) -> int:
    """Seconds until the next confirmation mail may go to this person; 0 when it may now."""
    if user.confirmation_mailed_at is None:
        return 0
    pause = timedelta(seconds=settings.current().registration.resend_pause_seconds)
    return max(0, round((user.confirmation_mailed_at + pause - clock.now()).total_seconds()))


def _put_before_staff(user: User) -> None:
    code.forget(user.id, Purpose.CONFIRMATION)
    review.of(user).wait()
    traces.leave(user)
    notifications.raise_for(user, Kind.NEW_REGISTRATION)


def _is_silenced(user: User | None) -> bool:
    return silence.is_silenced((user and user.email) or messages.NOBODYS_ADDRESS)
