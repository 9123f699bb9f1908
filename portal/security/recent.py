"""Recent proof: what asks again who is there, because it opens ways in or is for good.

One table beside the gate's. The form is not shown to somebody who proved themselves too long
ago, and not taken from them either: then the page asks for the password, or a passkey, and keeps
what they typed, so that one more press of a button goes on where they were (ASVS 7.5.1, 7.5.3).
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_limiter import RateLimitExceeded
from flask_login import current_user
from wtforms import PasswordField

from portal.errors import StepRefused
from portal.security import limits, passkey_proof
from portal.security.forms import PortalForm
from portal.security.passwords import is_password_of
from portal.security.proved import note_proved, recently_proved

# The change of the password is not here: its own form asks for the present one each time
# (ASVS 6.2.3). Neither is ending sessions, which protects, and must be quick.
ENDPOINTS = frozenset(
    {
        "pages.change_email",
        "pages.change_username",
        "pages.second_factor",
        "pages.authenticator_app",
        "pages.app_removal",
        "pages.new_passkey",
        "pages.passkey_removal",
        "pages.recovery_codes",
        "accounts.factors_reset",
        "accounts.access_level",
        "accounts.erasure",
        "accounts.roles",
        "access_levels.new",
        "access_levels.edit",
        "access_levels.removal",
        "roles.edit",
        # What leaves the portal can be called back by nobody.
        "access_levels.export",
        "accounts.export",
        "agents.export",
        "audit_trail.export",
        "figures.export",
        "figures.export_reviewers",
        "mail.export",
        "registrations.export",
        "roles.export",
        "texts.export",
    }
)

FIELD = "proof_password"
# What a form has of its own and must not be kept in a page.
_NOT_KEPT = frozenset(
    {
        FIELD,
        passkey_proof.FIELD,
        "csrf_token",
        "current_password",
        "password",
        "password_again",
    }
)


class ProofForm(PortalForm):
    """The password once more."""

    proof_password = PasswordField(_l("Password"))


def init_app(app: Flask) -> None:
    """Ask the table once the gate and the CSRF check have let a request in."""
    app.before_request(_check)


def _check() -> ResponseReturnValue | None:
    if request.endpoint not in ENDPOINTS or recently_proved():
        return None
    if request.method in ("GET", "HEAD"):
        wanted = (request.script_root + request.full_path).rstrip("?")
        return redirect(url_for("security.verify", next=wanted))
    if FIELD not in request.form and passkey_proof.FIELD not in request.form:
        return _ask(ProofForm(formdata=None), 403)
    try:
        answer: ResponseReturnValue | None = _prove()
    except RateLimitExceeded as error:
        wait = str(limits.seconds_left(error))
        sentence = _l("To keep accounts safe, this cannot be tried more often for now.")
        return *_ask(_refused(sentence), 429), {"Retry-After": wait}
    return answer


@limits.by_account
def _prove() -> ResponseReturnValue | None:
    """Take a proof, and let the form through that was kept. Why not stands in the page."""
    user = current_user._get_current_object()
    if passkey_proof.FIELD in request.form:
        try:
            is_in = passkey_proof.take(user, request.form[passkey_proof.FIELD])
        except StepRefused as refused:
            return _ask(_refused(refused.sentence), 400)
        return None if is_in else redirect(url_for("security.login"))
    typed = request.form[FIELD]
    if not typed:
        return _ask(_refused(_l("Enter your password.")), 400)
    if not is_password_of(user, typed):
        return _ask(_refused(_l("This is not your password.")), 400)
    if not note_proved(user):
        return redirect(url_for("security.login"))
    return None


def _refused(sentence: object) -> ProofForm:
    form = ProofForm(formdata=None)
    form.validate()
    form.refuse(StepRefused(sentence, field=FIELD))
    return form


def _ask(form: ProofForm, code: int) -> tuple[str, int]:
    page = render_template(
        "pages/proof.html",
        form=form,
        kept=list(_kept()),
        passkey_options=passkey_options(),
    )
    return page, code


def passkey_options() -> str | None:
    """What the browser of who is signed in needs to ask for a passkey; None without one."""
    return passkey_proof.options_for(current_user._get_current_object())


def _kept() -> Iterator[tuple[str, str]]:
    """What was sent, each value by its name, but for passwords."""
    for name, values in request.form.lists():
        if name not in _NOT_KEPT:
            for value in values:
                yield name, value
