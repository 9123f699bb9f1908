"""History: each try to sign in, as it comes through the door, is told to `accounts.sign_ins`."""

from __future__ import annotations

from collections.abc import Sequence

from flask import current_app, flash, g, request
from flask_babel import ngettext
from sqlalchemy.exc import SQLAlchemyError

from portal.accounts import device, sign_ins
from portal.accounts.sign_ins import Origin, Outcome, Tried
from portal.accounts.user import Status, User
from portal.database import db, transaction
from portal.desk.traces import network_of
from portal.mail import messages, outbox
from portal.security import known_devices

_CLOSED = {
    Status.UNCONFIRMED: Outcome.UNCONFIRMED,
    Status.SUSPENDED: Outcome.SUSPENDED,
}


def origin() -> Origin:
    """Where this request comes from."""
    return Origin(
        network=network_of(request.remote_addr or ""), agent=request.headers.get("User-Agent", "")
    )


def note_sign_in(user: User, how: Sequence[str]) -> None:
    """Write down that somebody is signed in now, and tell them of tries that failed meanwhile.

    In the transaction of the sign-in. A mail says so where this browser was not seen before, but
    at the very first time (ASVS 6.3.5). They read of failures once, on the first page.
    """
    here = origin()
    failed = sign_ins.note_sign_in(user, how=how, origin=here)
    if user.login_count > 1 and not known_devices.known_to(known_devices.mark(user.id)):
        outbox.post(messages.new_device(user, device.of_agent(here.agent), here.network))
    if failed:
        flash(
            ngettext(
                "%(num)d failed attempt to sign in to your account since your last sign-in."
                " Your account page shows when and from where.",
                "%(num)d failed attempts to sign in to your account since your last sign-in."
                " Your account page shows when and from where.",
                failed,
            ),
            "warning",
        )


def note_wrong_code(user: User) -> None:
    """Write down that whoever knows the password showed no second factor. Does not commit."""
    sign_ins.note_failure(
        Tried.of(user), Outcome.WRONG_CODE, how=[sign_ins.PASSWORD], origin=origin()
    )


def will_fail(user: User | None, *, knows_password: bool) -> None:
    """Remember, until the form is answered, that nobody gets in by it; None: nobody's account."""
    outcome = Outcome.WRONG_PASSWORD
    if knows_password and user is not None:
        outcome = _CLOSED.get(user.status, Outcome.CLOSED)
    g.failed_to_sign_in = Tried.of(user), outcome


def note_failed() -> None:
    """Write down what `will_fail` remembered. Commits; nothing was remembered: nothing happens."""
    found = g.pop("failed_to_sign_in", None)
    if found is not None:
        note_failure(*found)


def note_failure(tried: Tried, outcome: Outcome) -> None:
    """Write down that a try failed. Commits, and never fails the answer: the log has it too."""
    try:
        with transaction():
            sign_ins.note_failure(tried, outcome, origin=origin())
    except SQLAlchemyError as trouble:
        db.session.rollback()
        current_app.logger.warning("a failed sign-in was not kept (%s)", type(trouble).__name__)
