"""Set-up: the one-time link with which staff make their own account."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from portal.accounts import staff_invitation
from portal.accounts.passwords import Personal
from portal.accounts.staff_invitation import InvitationState
from portal.errors import StepRefused
from portal.logs import SecurityEvent, note_once
from portal.pages import pages
from portal.pages.doors import committed
from portal.pages.shell import password_rules
from portal.security import limits
from portal.security.forms import (
    NewPassword,
    PortalForm,
    email_field,
    full_name_field,
    username_field,
)
from portal.security.passwords import hashed


class SetupForm(NewPassword, PortalForm):
    """Making a staff account."""

    full_name = full_name_field()
    username = username_field()
    email = email_field()

    def personal(self) -> Personal:
        """The person whose account it is to be."""
        return Personal(
            full_name=self.full_name.data or "",
            username=self.username.data or "",
            email=self.email.data or "",
        )


@pages.route("/setup/<token>", methods=["GET", "POST"])
@limits.by_address("registration")
def setup(token: str) -> ResponseReturnValue:
    """Make the account that the link is for, when the button is pressed; once."""
    invitation = staff_invitation.find(token)
    state = invitation.state if invitation else InvitationState.INVALID
    if invitation is None or state is not InvitationState.READY:
        note_once(SecurityEvent.LINK_REFUSED, why=state.value)
        return render_template("pages/setup.html", state=state.value, form=None, role=None), 400

    form = SetupForm(data={"email": invitation.email, "username": invitation.username})
    if form.validate_on_submit():
        password_hash = hashed(form.password.data or "")
        try:
            committed(lambda: _accept(token, form, password_hash))
        except StepRefused as refused:
            form.refuse(refused)
        else:
            flash(_("Your account is ready. Sign in with it."), "success")
            return redirect(url_for("security.login"), 303)
    return render_template(
        "pages/setup.html",
        state="ready",
        form=form,
        role=invitation.role.name,
        rules=password_rules(),
    ), 400 if form.errors else 200


def _accept(token: str, form: SetupForm, password_hash: str) -> None:
    invitation = staff_invitation.find(token, to_accept=True)
    if invitation is None:
        raise StepRefused(_("This link no longer works. Ask for a new one."))
    staff_invitation.accept(
        invitation,
        full_name=form.full_name.data or "",
        username=form.username.data or "",
        # An invitation to an address is for that address, whatever was typed.
        email=invitation.email or form.email.data or "",
        password_hash=password_hash,
        language=str(get_locale()),
    )
