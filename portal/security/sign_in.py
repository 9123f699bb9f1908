"""Signing in with username or e-mail, and proving oneself again before what matters."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from flask_security import views
from flask_security.forms import LoginForm
from flask_security.forms import VerifyForm as FlaskSecurityVerifyForm
from sqlalchemy.exc import SQLAlchemyError
from werkzeug import Response
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RoutingException
from werkzeug.urls import iri_to_uri
from wtforms import BooleanField, Field, PasswordField, StringField, SubmitField

from portal.accounts import passwords
from portal.accounts.credentials import find_by_identity
from portal.accounts.user import Status, User
from portal.database import db
from portal.errors import StepRefused
from portal.logs import SecurityEvent, note
from portal.security import half_sign_in, hashing, history, passkey_proof, sessions
from portal.security.forms import Translated
from portal.security.proved import note_proved
from portal.security.redirects import local_target

# What somebody who typed the right password may know of their account, and nobody else.
_WHY_CLOSED = {
    Status.UNCONFIRMED: _l(
        "Confirm your e-mail address first: open the link in the mail we sent you."
    ),
    Status.SUSPENDED: _l("This account is suspended. Ask the staff."),
}


def sign_in() -> ResponseReturnValue:
    """Flask-Security's sign-in page; where it leads is ours to decide."""
    try:
        answer: ResponseReturnValue = views.login()
    except sessions.Overtaken:
        db.session.rollback()
        sessions.forget_the_person()
        note(SecurityEvent.SIGN_IN_FAILED)
        flash(_("Sign in again: it took too long, or this account changed meanwhile."), "warning")
        return redirect(url_for("security.login"))
    # It would write the sign-in down after the view, where a busy database is a bare 500.
    try:
        db.session.commit()
    except SQLAlchemyError:
        db.session.rollback()
        sessions.forget_the_person()  # nobody is in of whom it is not written down
        raise
    history.note_failed()
    if not current_user.is_authenticated and half_sign_in.who() is not None:
        return answer  # to the second step, which leads on from there
    return _onward(answer)


def verify() -> ResponseReturnValue:
    """The page that asks for the password or a passkey, before something that matters."""
    if request.method == "POST" and passkey_proof.FIELD in request.form:
        return _verify_by_passkey(request.form[passkey_proof.FIELD])
    answer = views.verify()
    if request.method == "POST" and isinstance(answer, Response) and answer.status_code == 302:
        db.session.commit()  # a hash that was brought up to date
        if not note_proved(current_user._get_current_object()):
            return redirect(url_for("security.login"))
    return _onward(answer)


def _verify_by_passkey(answer: str) -> ResponseReturnValue:
    wanted = local_target(request.form.get("next"))
    try:
        is_in = passkey_proof.take(current_user._get_current_object(), answer)
    except StepRefused as refused:
        flash(str(refused), "error")
        return redirect(url_for("security.verify", next=wanted), 303)
    return onward(wanted) if is_in else redirect(url_for("security.login"))


def _onward(answer: ResponseReturnValue) -> ResponseReturnValue:
    """Lead to the page that was wanted, or home. A `next` that leads elsewhere is not followed."""
    if isinstance(answer, Response) and answer.status_code == 302:
        wanted = local_target(request.form.get("next")) or local_target(request.args.get("next"))
        return onward(wanted)
    return answer


def onward(wanted: str | None) -> ResponseReturnValue:
    """Lead to a page of ours, or home, and from there out of the site if that is where it leads."""
    if wanted and _leads_out(wanted):
        way = iri_to_uri(wanted)  # a header holds no other letters
        page = render_template("pages/onward.html", url=way, back=_page_of(way))
        return page, {"Refresh": f"0; url={way}"}
    return redirect(wanted or url_for("pages.home"))


def _leads_out(path: str) -> bool:
    """Whether there is no page of ours at the end: the door of an agent, or a file.

    Browsers follow a form to other sites only where the policy's `form-action` says so: the
    way there has to begin anew, from a page. And a file would leave them at the form.
    """
    inside = urlsplit(path).path.removeprefix(request.script_root)
    try:
        endpoint, _values = current_app.url_map.bind("").match(inside)
    except (HTTPException, RoutingException):
        return False
    return endpoint == "pages.open_agent" or _is_file(inside)


def _page_of(path: str) -> str | None:
    """The list of which this is the file; None for an agent."""
    way = urlsplit(path).path
    return way.rpartition("/")[0] + "/" if _is_file(way) else None


def _is_file(path: str) -> bool:
    return path.endswith(".csv")


class SignInForm(LoginForm):
    """One field for username or e-mail. Strangers get one answer for every failure (M5, H)."""

    Meta = Translated

    email = None  # type: ignore[assignment]
    identity = StringField(_l("Username or e-mail"))
    password = PasswordField(_l("Password"))
    remember = BooleanField(_l("Keep me signed in on this device"))
    submit = SubmitField(_l("Sign in"))

    # Set after a failure with the right password, so that the page can offer the next step.
    why_closed: Status | None = None

    def validate(self, **kwargs: Any) -> bool:
        """Whether this person may sign in now. Says why not only after the right password."""
        self.ifield = self.identity
        typed, password = self.identity.data or "", self.password.data or ""
        if not typed.strip() or not password:
            if not typed.strip():
                self.identity.errors = [_l("Enter your username or e-mail address.")]
            if not password:
                self.password.errors = [_l("Enter your password.")]
            return False
        if len(passwords.normalize(password)) > passwords.MAXIMUM or "\0" in typed + password:
            return self._refuse_generically()

        found = find_by_identity(typed.strip())
        self.user = found
        with hashing.turn():
            is_right = super().validate(**kwargs)
        if is_right:
            return True
        knows_password = self.user_authenticated and isinstance(found, User)
        history.will_fail(found, knows_password=knows_password)
        if knows_password and found is not None:
            return self._say_why_closed(found)
        return self._refuse_generically()

    def validate_next(self, _field: Field) -> None:
        """A way back that leads elsewhere keeps nobody from signing in (see `_onward`)."""

    def _refuse_generically(self) -> bool:
        note(SecurityEvent.SIGN_IN_FAILED, about=self.user)
        self.identity.errors, self.password.errors = [], []
        self.form_errors = [
            _l("This username or e-mail and password do not match. Check both and try again.")
        ]
        return False

    def _say_why_closed(self, user: User) -> bool:
        note(SecurityEvent.SIGN_IN_CLOSED, about=user, why=user.status.value)
        self.identity.errors, self.password.errors = [], []
        self.why_closed = user.status
        self.form_errors = [
            _WHY_CLOSED.get(user.status, _l("This account is not open. Ask the staff."))
        ]
        return False


class VerifyForm(FlaskSecurityVerifyForm):
    """The password once more, before something that matters."""

    Meta = Translated

    password = PasswordField(_l("Password"))
    submit = SubmitField(_l("Continue"))

    def validate(self, **kwargs: Any) -> bool:
        """Whether this is the password of who is signed in."""
        if not self.password.data:
            self.password.errors = [_l("Enter your password.")]
            return False
        with hashing.turn():
            proved = bool(super().validate(**kwargs))
        note(SecurityEvent.PROVED_AGAIN if proved else SecurityEvent.PROOF_FAILED, about=self.user)
        return proved

    def validate_next(self, _field: Field) -> None:
        """A way back that leads elsewhere keeps nobody from going on (see `_onward`)."""
