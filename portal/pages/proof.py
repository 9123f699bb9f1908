"""Proving who asks before what cannot be taken back: a password, or a code mailed now (B1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import PasswordField, StringField

from portal.accounts import code, proof
from portal.accounts.user import User
from portal.audit import Way
from portal.database import transaction
from portal.errors import StepRefused
from portal.pages.applicant import Applicant, applicants_page
from portal.security.forms import PortalForm, trimmed
from portal.security.passwords import is_password_of

# Where a code may be asked for, and so where it leads back to.
ASKING = ("withdrawal", "new_address")


class Step(Protocol):
    """A step that an applicant takes on themselves. It is told how they proved who they are."""

    def __call__(self, user: User, *, how: Sequence[Way]) -> None:
        """Take it."""


class ProofForm(PortalForm):
    """A form that only the applicant can send: by their password or by a code.

    Also where they are signed in: somebody may have left the browser open.
    """

    current_password = PasswordField(_l("Your password"))
    code = StringField(
        _l("Or the code from the mail"),
        filters=[trimmed],
        render_kw={"inputmode": "numeric", "maxlength": code.LONGEST_TYPED},
    )

    def take(self, step: Step, *, of: Applicant) -> bool:
        """Take a step of this applicant's if the form proves them. Why not stands in the form."""
        typed, password = self.code.data or "", self.current_password.data or ""
        if not typed and not password:
            self._refuse("current_password", _l("Enter your password, or a code from a mail."))
            return False
        # Hashed before the transaction, which would else keep others waiting.
        is_proven = knows_password = bool(password) and is_password_of(of.user, password)
        try:
            with transaction():
                user = of.locked()
                is_proven = is_proven or (bool(typed) and proof.is_right_code(user, typed, of.way))
                if is_proven:
                    step(user, how=[of.way, Way.PASSWORD if knows_password else Way.CODE])
        except StepRefused as refused:
            self.refuse(refused)
            return False
        if not is_proven and password:
            self._refuse("current_password", _l("This is not your password."))
        if not is_proven and typed:
            self._refuse(
                "code", _l("This is not the code that works now. Look into the newest mail.")
            )
        return is_proven

    def _refuse(self, field: str, sentence: object) -> None:
        self.refuse(StepRefused(sentence, field=field))


@applicants_page("/code", methods=["POST"])
def proof_code(applicant: Applicant) -> ResponseReturnValue:
    """Mail a code to the address of the registration, and lead back to where it is asked for."""
    back = request.form.get("next", "")
    try:
        with transaction():
            proof.mail_code(applicant.locked(), asked=applicant.way)
    except StepRefused as refused:
        flash(str(refused), "error")
    else:
        flash(_("A code is on its way to the address of your registration."), "success")
    return redirect(applicant.url(back if back in ASKING else "status"), 303)
