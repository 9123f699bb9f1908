"""The second step of signing in: a code of the app, or a recovery code (M16)."""

from __future__ import annotations

from collections.abc import Callable

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError
from wtforms import StringField
from wtforms.validators import InputRequired

from portal.accounts import code
from portal.accounts.factors import authenticator, recovery
from portal.accounts.factors.authenticator import Verdict
from portal.accounts.user import User
from portal.database import locked, transaction
from portal.errors import StepRefused
from portal.logs import SecurityEvent, note
from portal.pages import pages
from portal.security import half_sign_in, history, limits, sessions, sign_in
from portal.security.forms import PortalForm, trimmed


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


def _step(
    form: CodeForm | RecoveryCodeForm, template: str, take: Callable[[User, str], None]
) -> ResponseReturnValue:
    if current_user.is_authenticated:
        return redirect(url_for("pages.home"))
    user = half_sign_in.who()
    if user is None:
        flash(_("Sign in again: it took too long, or this account changed meanwhile."), "warning")
        return redirect(url_for("security.login"))
    if form.validate_on_submit():
        wanted = half_sign_in.wanted()
        user_id = user.id
        refusal = _taken(user_id, form.code.data or "", take)
        if refusal is None:
            return sign_in.onward(wanted)
        note(SecurityEvent.SECOND_STEP_FAILED, about=user_id)
        form.refuse(refusal)
    page = render_template(template, form=form, has_app=authenticator.of(user) is not None)
    return page, 400 if form.errors else 200


def _taken(user_id: int, typed: str, take: Callable[[User, str], None]) -> StepRefused | None:
    """Try the code in one transaction, which also keeps that it was tried. Says why not."""
    try:
        with transaction():
            user = locked(User, user_id)
            assert user is not None
            try:
                take(user, typed)
            except StepRefused as refused:
                history.note_wrong_code(user)
                return refused
    except SQLAlchemyError:
        sessions.forget_the_person()  # nobody is in of whom it is not written down
        raise
    return None


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
