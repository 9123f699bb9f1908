"""The confirmation pages: showing a link changes nothing, the button does (M2)."""

from __future__ import annotations

from collections.abc import Callable

from flask import redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import lazyload
from wtforms import StringField
from wtforms.validators import InputRequired

from portal import canonical, links
from portal.accounts import code, confirmation, denial, registration
from portal.accounts.denial import DenialState
from portal.accounts.passwords import Personal
from portal.accounts.user import Status, User
from portal.audit import Way
from portal.database import db, locked, transaction
from portal.errors import StepRefused
from portal.links import LinkState, Reading
from portal.mail import messages, opening
from portal.pages import pages
from portal.pages.doors import committed, note_opening
from portal.pages.shell import password_rules
from portal.security import limits
from portal.security.forms import (
    NewPassword,
    PortalForm,
    email_field,
    full_name_field,
    reason_field,
    trimmed,
    username_field,
)
from portal.security.passwords import hashed
from portal.security.sessions import MAILED_TO, REGISTERED_HERE


class ResendForm(PortalForm):
    """Asking for a fresh link."""

    email = email_field()


class CodeForm(PortalForm):
    """The code in the mail, typed on another device than the one that the mail is read on."""

    email = email_field()
    code = StringField(
        _l("Code"),
        description=_l("Six digits. They are in the mail, under the link."),
        filters=[trimmed],
        validators=[InputRequired(_l("Enter the six digits of the code."))],
        render_kw={"inputmode": "numeric", "maxlength": code.LONGEST_TYPED},
    )


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
            confirmation.ask_for_link(_whose_address(form.email.data or ""))
        session[MAILED_TO] = form.email.data
        return redirect(url_for("pages.registered"), 303)
    return render_template("pages/resend.html", form=form), 400 if form.errors else 200


@pages.route("/confirm/code", methods=["GET", "POST"])
@limits.by_address("resend")
@limits.code_by_typed_address
def confirm_code() -> ResponseReturnValue:
    """Confirm with the code of the mail, as its link would. Wrong codes are answered all alike."""
    form = CodeForm(data={"email": session.get(MAILED_TO)})
    if form.validate_on_submit():
        onward = committed(lambda: _enter_code(form.email.data or "", form.code.data or ""))
        if onward is not None:
            return redirect(onward, 303)
        form.refuse(
            StepRefused(
                _l("This is not the code that works now. Look into the newest mail."),
                field="code",
            )
        )
    return render_template("pages/confirm_code.html", form=form), 400 if form.errors else 200


@pages.route("/confirm/<token>", methods=["GET", "POST"])
@limits.by_address("resend")
def confirm(token: str) -> ResponseReturnValue:
    """Show what a link is for, and confirm the address when its button is pressed."""
    reading = links.read_confirmation(token)
    note_opening(reading.ticket)
    state = _state(reading)
    user = reading.user
    if state != "ready" or user is None:
        return _nothing_to_press(state, user)

    ask_password = _must_choose_a_password(user)
    form = ConfirmWithPasswordForm(user) if ask_password else ConfirmForm()
    if form.validate_on_submit():
        try:
            first = _confirm(user.id, form, reading.ticket)
        except StepRefused as refused:
            form.refuse(refused)
        else:
            if not first:
                return _nothing_to_press("used", user)
            _forget_in_session()
            return redirect(url_for("pages.confirmed"), 303)
    return render_template(
        "pages/confirm.html",
        state=state,
        not_me_url=url_for("pages.not_me", token=token),
        user_email=user.email,
        form=form,
        ask_password=ask_password,
        rules=password_rules() if ask_password else [],
    ), 400 if form.errors else 200


@pages.route("/confirm/<token>/not-me", methods=["GET", "POST"])
@limits.by_address("resend")
def not_me(token: str) -> ResponseReturnValue:
    """Let the owner of an address say that they did not register. The link never gets too old."""
    denied = links.read_denial(token)
    if denied is None:
        return render_template("pages/not_me.html", state="invalid", form=None), 400
    note_opening(denied.ticket)
    form = PortalForm()
    if form.validate_on_submit():
        committed(lambda: _deny(token))
        return redirect(url_for("pages.not_me", token=token), 303)
    state = denial.state_of(denied)
    return render_template(
        "pages/not_me.html",
        state=state.value,
        email=denied.user.email if denied.user and state is DenialState.READY else None,
        form=form,
    )


@pages.get("/confirm/done")
def confirmed() -> ResponseReturnValue:
    """Say what happened and what comes next."""
    return render_template("pages/confirmed.html")


def _nothing_to_press(state: str, user: User | None) -> ResponseReturnValue:
    return render_template(
        "pages/confirm.html",
        state=state,
        user_email=None,
        form=None,
        ask_password=False,
        without_password=user is not None and user.password is None,
    ), 200 if state == "used" else 400


def _confirm(user_id: int, form: ConfirmForm | ConfirmWithPasswordForm, ticket: str) -> bool:
    """Confirm, unless somebody did meanwhile: then it is their password that counts."""
    if isinstance(form, ConfirmForm):
        return committed(lambda: _confirm_once(user_id, ticket))
    password_hash = hashed(form.password.data or "")

    def correct(user: User) -> None:
        registration.correct(
            user,
            full_name=form.full_name.data or "",
            username=form.username.data or "",
            reason=form.reason.data or "",
        )

    return committed(
        lambda: _confirm_once(user_id, ticket, correct=correct, password_hash=password_hash)
    )


def _confirm_once(
    user_id: int,
    ticket: str,
    *,
    correct: Callable[[User], None] | None = None,
    password_hash: str | None = None,
) -> bool:
    user = locked(User, user_id)
    if user is None or user.confirmed_at is not None:
        return False
    if correct is not None:
        correct(user)
    confirmation.note_confirmed(user, password_hash=password_hash, how=[Way.LINK])
    opening.mark_used(ticket)
    return True


def _enter_code(email: str, typed: str) -> str | None:
    """Where a right code leads; None for a wrong one, which is to be committed too.

    The browser that registered has confirmed by it. Any other one goes on behind a fresh link,
    where whoever reads the mail chooses the password.
    """
    user = _whose_address(email)
    if not confirmation.is_right_code(user, typed) or user is None:
        return None
    opening.mark_newest_used(user.id, messages.CONFIRMATIONS)
    if _must_choose_a_password(user) or current_user.is_authenticated:
        return url_for("pages.confirm", token=links.confirmation(user).rpartition("/")[2])
    confirmation.note_confirmed(user, how=[Way.CODE])
    _forget_in_session()
    return url_for("pages.confirmed")


def _deny(token: str) -> None:
    """Read the link again, now that nobody else writes: what it said may have been done."""
    denied = links.read_denial(token)
    if denied is None:
        return
    if denied.user is not None:
        locked(User, denied.user.id)
        denied = links.read_denial(token) or denied
    denial.deny(denied)


def _forget_in_session() -> None:
    session.pop(REGISTERED_HERE, None)
    session.pop(MAILED_TO, None)


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


def _whose_address(email: str) -> User | None:
    return db.session.scalars(
        select(User)
        .filter_by(email_canonical=canonical.email(email))
        .options(lazyload("*"))  # as much work for nobody
        .with_for_update(of=User)
    ).one_or_none()
