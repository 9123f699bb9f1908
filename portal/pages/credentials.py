"""Forgotten password, and changing password, address and username (M8)."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from sqlalchemy.exc import IntegrityError
from wtforms import PasswordField, ValidationError

from portal import links
from portal.accounts import credentials, usernames
from portal.accounts.passwords import Personal
from portal.accounts.session import PASSWORD
from portal.accounts.user import Status, User
from portal.audit import Way
from portal.database import locked, transaction
from portal.errors import StepRefused
from portal.links import LinkState
from portal.logs import SecurityEvent, note
from portal.mail import mailbox, opening
from portal.pages import pages
from portal.pages.doors import me, me_locked, note_opening
from portal.pages.shell import password_rules
from portal.security import known_devices, limits, sessions
from portal.security.forms import (
    NewPassword,
    PortalForm,
    current_password_field,
    email_field,
    username_field,
)
from portal.security.passwords import hashed, is_password_of, personal_of
from portal.security.sessions import RESET_ASKED_FOR


class ForgotForm(PortalForm):
    """Asking for a link to choose a new password."""

    email = email_field()


class ResetForm(NewPassword, PortalForm):
    """Choosing a new password by a mailed link."""

    def __init__(self, user: User | None) -> None:
        super().__init__()
        self._user = user

    def personal(self) -> Personal:
        """The person whose password it is to be."""
        return personal_of(self._user)


class ChangePasswordForm(NewPassword, PortalForm):
    """Changing the password. Asks for the one they have, however lately they showed it (6.2.3)."""

    current_password: PasswordField = current_password_field()

    def validate_current_password(self, field: PasswordField) -> None:
        """Check the password they have."""
        if field.data and not is_password_of(me(), field.data):
            raise ValidationError(_l("This is not your current password."))

    def personal(self) -> Personal:
        """The person who is signed in."""
        return personal_of(me())


class ChangeEmailForm(PortalForm):
    """Moving to another address."""

    email = email_field(_l("New e-mail address"))


class ChangeUsernameForm(PortalForm):
    """Taking another username."""

    username = username_field()


@pages.route("/reset", methods=["GET", "POST"])
@limits.by_address("reset")
@limits.reset_by_typed_address
def forgot() -> ResponseReturnValue:
    """Ask for a link to choose a new password. The answer is the same for every address."""
    form = ForgotForm()
    if form.validate_on_submit():
        with transaction():
            user = credentials.find_by_identity(form.email.data or "")
            credentials.ask_for_password_reset(user)
        note(SecurityEvent.RESET_ASKED, about=user)
        session[RESET_ASKED_FOR] = form.email.data
        return redirect(url_for("pages.forgot_sent"), 303)
    return render_template("pages/forgot.html", form=form), 400 if form.errors else 200


@pages.get("/reset/sent")
def forgot_sent() -> ResponseReturnValue:
    """Say to look for the mail."""
    return render_template(
        "pages/forgot_sent.html",
        email=session.get(RESET_ASKED_FOR),
        mailbox_url=url_for("mailbox.index") if mailbox.available(request) else None,
    )


@pages.route("/reset/<token>", methods=["GET", "POST"])
@limits.by_address("reset")
def reset(token: str) -> ResponseReturnValue:
    """Choose a new password by a mailed link. Looking at it changes nothing."""
    reading = links.read_password_reset(token)
    note_opening(reading.ticket)
    user = reading.user
    if reading.state is not LinkState.READY or user is None or not user.active:
        state = "expired" if reading.state is LinkState.EXPIRED else "invalid"
        return render_template("pages/reset.html", state=state, form=None), 400

    form = ResetForm(user)
    if form.validate_on_submit():
        password_hash = hashed(form.password.data or "")
        try:
            with transaction():
                _reset(user.id, token, password_hash)
        except StepRefused as refused:
            form.refuse(refused)
        else:
            known_devices.remember(user)
            flash(_("Your new password is set. Sign in with it."), "success")
            return redirect(url_for("security.login"), 303)
    return render_template(
        "pages/reset.html", state="ready", form=form, rules=password_rules()
    ), 400 if form.errors else 200


@pages.route("/change", methods=["GET", "POST"])
@limits.by_account
def change_password() -> ResponseReturnValue:
    """Change the password. This browser stays signed in, every other one does not."""
    form = ChangePasswordForm()
    if form.validate_on_submit():
        password_hash = hashed(form.password.data or "")
        with transaction():
            user = me_locked()
            credentials.change_password(user, password_hash=password_hash)
            here = sessions.go_on(user, proved_by=PASSWORD)
        sessions.keep(here, user, proved_by=PASSWORD)
        flash(_("Your password is changed. Every other device is signed out."), "success")
        return redirect(url_for("pages.account"), 303)
    return render_template(
        "pages/change_password.html", form=form, rules=password_rules()
    ), 400 if form.errors else 200


@pages.route("/change-email", methods=["GET", "POST"])
@limits.by_account
@limits.by_typed_address
def change_email() -> ResponseReturnValue:
    """Ask to move to another address: a link goes there, a notice to the old one."""
    form = ChangeEmailForm()
    if form.validate_on_submit():
        try:
            with transaction():
                credentials.ask_for_address_change(
                    me_locked(), email=form.email.data or "", how=[Way.SIGNED_IN]
                )
        except StepRefused as refused:
            form.refuse(refused)
        else:
            flash(
                _(
                    "A link is on its way to %(email)s. Open it there.",
                    email=form.email.data,
                ),
                "success",
            )
            return redirect(url_for("pages.account"), 303)
    return render_template("pages/change_email.html", form=form), 400 if form.errors else 200


@pages.route("/change-email/<token>", methods=["GET", "POST"])
@limits.by_account
def confirm_email_change(token: str) -> ResponseReturnValue:
    """Move the account to the address whose link was opened, when the button is pressed."""
    reading = links.read_change_of_address(token)
    note_opening(reading.ticket)
    state = str(reading.state)
    if reading.state is LinkState.READY and reading.user != me():
        state = "foreign"
    if state == "ready" and _has_another_owner(reading.email):
        state = "taken"
    form = PortalForm()
    if state == "ready" and form.validate_on_submit():
        try:
            with transaction():
                user = me_locked()
                credentials.change_address(user, email=reading.email)
                opening.mark_used(reading.ticket)
                here = sessions.go_on(user)
        except (StepRefused, IntegrityError):
            state = "taken"
        else:
            sessions.keep(here, user)
            flash(_("Your new e-mail address is confirmed."), "success")
            waits = user.status is not Status.APPROVED
            return redirect(url_for("pages.status" if waits else "pages.account"), 303)
    return render_template(
        "pages/confirm_email_change.html",
        state=state,
        new_email=reading.email,
        ask_again=url_for("pages.change_email" if me().approved_at else "pages.new_address"),
        form=form,
    ), 200 if state == "ready" else 400


@pages.route("/change-username", methods=["GET", "POST"])
@limits.by_account
def change_username() -> ResponseReturnValue:
    """Take another username."""
    form = ChangeUsernameForm(data={"username": me().username})
    if form.validate_on_submit():
        try:
            with transaction():
                credentials.change_username(me_locked(), username=form.username.data or "")
        except StepRefused as refused:
            form.refuse(refused)
        except IntegrityError:
            form.refuse(usernames.username_taken())
        else:
            flash(_("Your username is changed."), "success")
            return redirect(url_for("pages.account"), 303)
    return render_template("pages/change_username.html", form=form), 400 if form.errors else 200


def _reset(user_id: int, token: str, password_hash: str) -> None:
    user = locked(User, user_id)
    reading = links.read_password_reset(token)
    if user is None or reading.state is not LinkState.READY:
        raise StepRefused(_l("This link was used already. Ask for a new one."))
    credentials.reset_password(user, password_hash=password_hash, address=reading.email)
    opening.mark_used(reading.ticket)


def _has_another_owner(email: str) -> bool:
    owner = credentials.find_by_identity(email)
    return owner is not None and owner.id != current_user.id
