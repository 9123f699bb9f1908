"""The confirmation pages: showing a link changes nothing, the button does (M2)."""

from __future__ import annotations

from collections.abc import Callable

from flask import redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import select

from portal import links
from portal.accounts import canonical, confirmation, registration
from portal.accounts.passwords import Personal
from portal.accounts.user import Status, User
from portal.database import db, locked, transaction
from portal.errors import StepRefused
from portal.links import LinkState, Reading
from portal.mail import outbox
from portal.pages import pages
from portal.pages.doors import committed
from portal.pages.shell import password_rules
from portal.security import limits
from portal.security.forms import (
    NewPassword,
    PortalForm,
    email_field,
    full_name_field,
    reason_field,
    username_field,
)
from portal.security.passwords import hashed
from portal.security.sessions import MAILED_TO, REGISTERED_HERE


class ResendForm(PortalForm):
    """Asking for a fresh link."""

    email = email_field()


class ConfirmForm(PortalForm):
    """One button: yes, this address is mine."""


class ConfirmWithPasswordForm(NewPassword, PortalForm):
    """The same from another browser: with a password, and with what was filled in to correct."""

    full_name = full_name_field()
    username = username_field()
    reason = reason_field()

    def __init__(self, user: User) -> None:
        filled_in = {"full_name": user.full_name, "username": user.username, "reason": user.reason}
        super().__init__(data=filled_in)
        self._email = user.email or ""

    def personal(self) -> Personal:
        """The person whose account it is."""
        return Personal(
            full_name=self.full_name.data or "",
            username=self.username.data or "",
            email=self._email,
        )


@pages.route("/confirm", methods=["GET", "POST"])
@limits.by_address("resend")
@limits.by_typed_address
def resend_confirmation() -> ResponseReturnValue:
    """Ask for a fresh link. The answer is the same for every address."""
    form = ResendForm(data={"email": session.get(MAILED_TO)})
    if form.validate_on_submit():
        with transaction():
            _resend(form.email.data or "")
        session[MAILED_TO] = form.email.data
        return redirect(url_for("pages.registered"), 303)
    return render_template("pages/resend.html", form=form), 400 if form.errors else 200


@pages.route("/confirm/<token>", methods=["GET", "POST"])
@limits.by_address("resend")
def confirm(token: str) -> ResponseReturnValue:
    """Show what a link is for, and confirm the address when its button is pressed."""
    reading = links.read_confirmation(token)
    state = _state(reading)
    user = reading.user
    if state != "ready" or user is None:
        return _nothing_to_press(state)

    ask_password = _must_choose_a_password(user)
    form = ConfirmWithPasswordForm(user) if ask_password else ConfirmForm()
    if form.validate_on_submit():
        try:
            first = _confirm(user.id, form)
        except StepRefused as refused:
            form.refuse(refused)
        else:
            if not first:
                return _nothing_to_press("used")
            session.pop(REGISTERED_HERE, None)
            session.pop(MAILED_TO, None)
            return redirect(url_for("pages.confirmed"), 303)
    return render_template(
        "pages/confirm.html",
        state=state,
        user_email=user.email,
        form=form,
        ask_password=ask_password,
        rules=password_rules() if ask_password else [],
    ), 400 if form.errors else 200


@pages.get("/confirm/done")
def confirmed() -> ResponseReturnValue:
    """Say what happened and what comes next."""
    return render_template("pages/confirmed.html")


def _nothing_to_press(state: str) -> ResponseReturnValue:
    return render_template(
        "pages/confirm.html", state=state, user_email=None, form=None, ask_password=False
    ), 200 if state == "used" else 400


def _confirm(user_id: int, form: ConfirmForm | ConfirmWithPasswordForm) -> bool:
    """Confirm, unless somebody did meanwhile: then it is their password that counts."""
    if isinstance(form, ConfirmForm):
        return committed(lambda: _confirm_once(user_id))
    password_hash = hashed(form.password.data or "")

    def correct(user: User) -> None:
        registration.correct(
            user,
            full_name=form.full_name.data or "",
            username=form.username.data or "",
            reason=form.reason.data or "",
        )

    return committed(lambda: _confirm_once(user_id, correct=correct, password_hash=password_hash))


def _confirm_once(
    user_id: int,
    *,
    correct: Callable[[User], None] | None = None,
    password_hash: str | None = None,
) -> bool:
    user = locked(User, user_id)
    if user is None or user.confirmed_at is not None:
        return False
    if correct is not None:
        correct(user)
    confirmation.note_confirmed(user, password_hash=password_hash)
    return True


def _must_choose_a_password(user: User) -> bool:
    """Whether this may be somebody else than the one who typed the password at registration.

    A link that is opened in the browser that registered needs its button only. Anywhere else
    the owner of the address chooses the password, so that nobody can register a stranger's
    address, wait for them to confirm it, and sign in with a password of their own.
    """
    return user.password is None or session.get(REGISTERED_HERE) != user.fs_uniquifier


def _state(reading: Reading) -> str:
    user = reading.user
    if user is None or reading.state is LinkState.INVALID:
        return "invalid"
    if current_user.is_authenticated and current_user.id != user.id:
        return "foreign"
    if user.confirmed_at is not None:
        return "used"
    if user.status is not Status.UNCONFIRMED:
        return "refused"
    return "expired" if reading.state is LinkState.EXPIRED else "ready"


def _resend(email: str) -> None:
    user = db.session.scalars(
        select(User).filter_by(email_canonical=canonical.email(email)).with_for_update(of=User)
    ).one_or_none()
    if user is None or user.status is not Status.UNCONFIRMED or confirmation.pause_left(user):
        outbox.post_nothing(like="confirmation")
        return
    confirmation.resend_confirmation(user, by=user)
