"""The second step of signing in: a code of the app, or a recovery code (M16)."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired

from portal.accounts import code
from portal.accounts.factors import authenticator, ceremony, passkey, recovery
from portal.accounts.factors.authenticator import Verdict
from portal.accounts.user import User
from portal.database import locked, transaction
from portal.errors import StepRefused
from portal.logs import SecurityEvent, note
from portal.pages import pages
from portal.security import half_sign_in, history, limits, sessions, sign_in
from portal.security.forms import PortalForm, trimmed
from portal.security.redirects import local_target


class CodeForm(PortalForm):
    """A code that the app shows."""

    code = StringField(
        _l("Code from the app"),
        [InputRequired(_l("Enter the code that your app shows."))],
        filters=[trimmed],
        render_kw={"inputmode": "numeric", "maxlength": code.LONGEST_TYPED},
    )


class RecoveryCodeForm(PortalForm):
    """A code that was kept for such a day."""

    code = StringField(
        _l("Recovery code"),
        [InputRequired(_l("Enter one of your recovery codes."))],
        filters=[trimmed],
        render_kw={"maxlength": recovery.LONGEST_TYPED},
    )


class AnswerForm(PortalForm):
    """What a passkey answered, which no person types."""

    code = HiddenField(
        validators=[
            InputRequired(_l("The passkey did not give the answer that was asked for. Try again."))
        ],
    )


@pages.route("/second-step", methods=["GET", "POST"])
@limits.by_address("second_step")
def second_step() -> ResponseReturnValue:
    """Take the code of the app, and let in who typed the right password before."""
    return _step(CodeForm(), "pages/second_step.html", _by_app)


@pages.route("/second-step/recovery", methods=["GET", "POST"])
@limits.by_address("second_step")
def second_step_recovery() -> ResponseReturnValue:
    """The same with a recovery code, for who has not got the app at hand."""
    return _step(RecoveryCodeForm(), "pages/second_step_recovery.html", _by_recovery_code)


@pages.post("/second-step/passkey")
@limits.by_address("second_step")
def second_step_passkey() -> ResponseReturnValue:
    """The same with a passkey: the page's script brings its answer."""
    return _step(AnswerForm(), "pages/second_step.html", _by_passkey)


@pages.get("/passkey/options")
def passkey_options() -> ResponseReturnValue:
    """What a browser needs to sign in with a passkey; the same for everybody, but for chance."""
    if not passkey.are_possible():
        abort(404)
    return Response(ceremony.options_to_sign_in(), mimetype="application/json")


@pages.post("/passkey/sign-in")
@limits.by_address("sign_in")
def passkey_sign_in() -> ResponseReturnValue:
    """Let somebody in by a passkey alone."""
    if current_user.is_authenticated:
        return redirect(url_for("pages.home"))
    form, wanted = AnswerForm(), local_target(request.form.get("next"))
    if form.validate_on_submit():
        refusal = _in_one_transaction(lambda: _by_passkey_alone(form.code.data or ""))
        if refusal is None:
            return sign_in.onward(wanted)
        note(SecurityEvent.SIGN_IN_FAILED)
        flash(str(refusal), "error")
    else:
        flash(_("The passkey did not give the answer that was asked for. Try again."), "error")
    return redirect(url_for("security.login", next=wanted), 303)


def _step(
    form: CodeForm | RecoveryCodeForm | AnswerForm,
    template: str,
    take: Callable[[User, str], None],
) -> ResponseReturnValue:
    if current_user.is_authenticated:
        return redirect(url_for("pages.home"))
    user = half_sign_in.who()
    if user is None:
        flash(_("Sign in again: it took too long, or this account changed meanwhile."), "warning")
        return redirect(url_for("security.login"))
    if form.validate_on_submit():
        wanted, user_id = half_sign_in.wanted(), user.id
        refusal = _in_one_transaction(lambda: _try(take, user_id, form.code.data or ""))
        if refusal is None:
            return sign_in.onward(wanted)
        note(SecurityEvent.SECOND_STEP_FAILED, about=user_id)
        form.refuse(refusal)
    has_passkeys = passkey.are_possible() and passkey.number(user) > 0
    page = render_template(
        template,
        form=form,
        code_form=form if isinstance(form, CodeForm) else CodeForm(formdata=None),
        has_app=authenticator.of(user) is not None,
        passkey_options=ceremony.options_for_second_step(user) if has_passkeys else None,
    )
    return page, 400 if form.errors else 200


def _in_one_transaction(take: Callable[[], None]) -> StepRefused | None:
    """Take a factor in one transaction, which also keeps that it was tried. Says why not."""
    try:
        with transaction():
            try:
                take()
            except StepRefused as refused:
                return refused
    except SQLAlchemyError:
        sessions.forget_the_person()  # nobody is in of whom it is not written down
        raise
    return None


def _try(take: Callable[[User, str], None], user_id: int, typed: str) -> None:
    user = locked(User, user_id)
    if user is None or half_sign_in.who() != user:
        raise StepRefused(  # an alarm, or another password, at the same moment
            _("Sign in again: it took too long, or this account changed meanwhile.")
        )
    try:
        take(user, typed)
    except StepRefused:
        history.note_wrong_code(user)
        raise


def _by_passkey(user: User, answer: str) -> None:
    ceremony.check_second_step(user, answer)
    half_sign_in.complete(user, by="passkey")


def _by_passkey_alone(answer: str) -> None:
    half_sign_in.complete_at_once(ceremony.who_signs_in(answer))


def _by_app(user: User, typed: str) -> None:
    verdict = authenticator.check(user, typed)
    if verdict is Verdict.RIGHT:
        return half_sign_in.complete(user, by="authenticator")
    minutes = authenticator.minutes_to_wait(user)
    if minutes:
        sentence = ngettext(
            "There were too many wrong codes. Wait %(num)d minute, then enter the newest one.",
            "There were too many wrong codes. Wait %(num)d minutes, then enter the newest one.",
            minutes,
        )
    elif verdict is Verdict.USED:
        sentence = _("This code was used already. Wait until the app shows the next one.")
    else:
        sentence = _("This is not the code that the app shows now. Enter the newest one.")
    raise StepRefused(sentence, field="code")


def _by_recovery_code(user: User, typed: str) -> None:
    if recovery.use(user, typed):
        return half_sign_in.complete(user, by="recovery code")
    raise StepRefused(
        _("This is no recovery code of yours, or it was used already. Check it, or take another."),
        field="code",
    )
