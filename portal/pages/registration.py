"""The registration page, and the one that says to look for the mail."""

from __future__ import annotations

import math
import secrets
from datetime import timedelta

from flask import redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from itsdangerous import BadSignature, TimestampSigner
from wtforms import BooleanField, HiddenField
from wtforms.validators import InputRequired

from portal import clock, links, settings
from portal.accounts import intake, mistyped, registration
from portal.accounts.intake import Closed, RegistrationClosed
from portal.accounts.passwords import Personal
from portal.accounts.registration import Application
from portal.accounts.user import Communication, User
from portal.mail import mailbox
from portal.pages import pages
from portal.pages.confirmation import CodeForm
from portal.pages.doors import committed
from portal.pages.shell import password_rules
from portal.pages.wish import FormWithWish
from portal.security import limits
from portal.security.forms import (
    NewPassword,
    communication_field,
    email_field,
    full_name_field,
    reason_field,
    username_field,
)
from portal.security.passwords import hashed
from portal.security.sessions import MAILED_TO, REGISTERED_HERE


class RegistrationForm(NewPassword, FormWithWish):
    """Asking for an account (M1)."""

    shown = HiddenField()
    full_name = full_name_field()
    username = username_field()
    email = email_field()
    communication = communication_field()
    reason = reason_field()
    accept_terms = BooleanField(
        _l("I accept the terms of use."),
        validators=[InputRequired(_l("Accept the terms of use to register."))],
    )

    def personal(self) -> Personal:
        """The person who registers."""
        return Personal(
            full_name=self.full_name.data or "",
            username=self.username.data or "",
            email=self.email.data or "",
        )

    def begin(self) -> None:
        """Note when the form was first shown, sealed so that nobody makes it up."""
        if self.seconds() is None:
            self.shown.data = _seal().sign(b"").decode()

    def seconds(self) -> int | None:
        """How long it took to fill in, as far as that is known."""
        try:
            shown_at = _seal().unsign(self.shown.data or "", return_timestamp=True)[1]
        except BadSignature:
            return None
        return max(0, int((clock.now() - shown_at).total_seconds()))


@pages.route("/register", methods=["GET", "POST"])
@limits.by_address("registration")
@limits.by_typed_address
def register() -> ResponseReturnValue:
    """Ask for an account. The answer is the same whoever is known already."""
    if current_user.is_authenticated:
        return redirect(url_for("pages.home"))
    closed = intake.closed()
    if closed is not None and request.method != "POST":
        page = render_template("pages/registration_closed.html", closed=closed)
        return page, 503, _again(closed)
    draft = links.read_registration_draft(request.args.get("draft", ""))
    form = RegistrationForm(data=draft)
    if closed is None and form.validate_on_submit():
        application = _application(form)
        try:
            mark = committed(lambda: _register(application))
        except RegistrationClosed as refused:  # meanwhile
            closed = refused.closed
        else:
            session[MAILED_TO] = application.email
            session[REGISTERED_HERE] = mark
            return redirect(url_for("pages.registered"), 303)
    form.begin()
    page = render_template(
        "pages/register.html",
        form=form,
        closed=closed,
        rules=password_rules(),
        terms_url=url_for("pages.terms"),
        username_was_taken=bool(draft),
        meant=mistyped.meant(form.email.data or ""),
    )
    if closed is not None:
        return page, 503, _again(closed)
    return page, 400 if form.errors else 200


@pages.get("/register/sent")
def registered() -> ResponseReturnValue:
    """Say to look for the mail, until when its link works, and how to get another."""
    ours = settings.current()
    return render_template(
        "pages/check_mail.html",
        email=session.get(MAILED_TO),
        meant=mistyped.meant(session.get(MAILED_TO) or ""),
        registered_here=REGISTERED_HERE in session,
        works_until=clock.now() + timedelta(hours=ours.registration.confirm_within_hours),
        code_form=CodeForm(data={"email": session.get(MAILED_TO)}),
        code_minutes=ours.registration.code_within_minutes,
        resend_after=ours.registration.resend_pause_seconds,
        mailbox_url=url_for("mailbox.index") if mailbox.available(request) else None,
        sender=ours.mail.sender,
    )


@pages.get("/terms")
def terms() -> ResponseReturnValue:
    """The terms of use, with their version."""
    return render_template("pages/terms.html", version=settings.current().site.terms_version)


def _register(application: Application) -> str:
    """Register somebody. Returns their mark, which nobody else's account is read once more for."""
    intake.must_be_open()
    mark = _mark(registration.register(application))
    intake.note()
    return mark


def _again(closed: Closed) -> dict[str, str]:
    """When to come back, as programs read it: too many is no state that lasts (RFC 9110)."""
    return {"Retry-After": str(math.ceil(closed.again_in.total_seconds()))}


def _seal() -> TimestampSigner:
    return TimestampSigner(settings.current().secrets.secret_key, salt="registration form")


def _mark(user: User | None) -> str:
    """What lets this browser confirm by the button alone; a like mark for everybody else."""
    if user is None or user.password is None:
        return secrets.token_hex(16)
    return user.fs_uniquifier


def _application(form: RegistrationForm) -> Application:
    return Application(
        full_name=form.full_name.data or "",
        username=form.username.data or "",
        email=form.email.data or "",
        password_hash=hashed(form.password.data or ""),
        language=str(get_locale()),
        time_zone="",
        communication=Communication(form.communication.data),
        reason=form.reason.data or "",
        terms_version=settings.current().site.terms_version,
        wished_level_id=form.wished_level_id,
        network_address=request.remote_addr or "",
        seconds_to_fill_in=form.seconds(),
    )
