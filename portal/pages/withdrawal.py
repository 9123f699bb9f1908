"""Withdrawing a registration, and the good-bye (B1)."""

from __future__ import annotations

from flask import redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_security import logout_user

from portal.accounts.user import Status
from portal.accounts.withdrawal import withdraw
from portal.pages import pages
from portal.pages.applicant import Applicant, applicants_page
from portal.pages.proof import ProofForm
from portal.security.sessions import LEFT_BEHIND


class WithdrawalForm(ProofForm):
    """Taking one's registration back, for good."""


@applicants_page("/withdrawal", methods=["GET", "POST"], proves=True)
def withdrawal(applicant: Applicant) -> ResponseReturnValue:
    """Say what goes for good, and erase it once the form proves that it is the applicant."""
    form = WithdrawalForm()
    if form.validate_on_submit() and form.take(withdraw, of=applicant):
        _forget_here()
        return redirect(url_for("pages.goodbye"), 303)
    page = render_template(
        "pages/withdrawal.html",
        applicant=applicant,
        by_link=applicant.came_by_link,
        status=applicant.status,
        form=form,
    )
    return page, 400 if form.errors else 200


@pages.get("/goodbye")
def goodbye() -> ResponseReturnValue:
    """Say that everything is gone, and what stays."""
    return render_template("pages/goodbye.html")


def _forget_here() -> None:
    """Let this browser forget them too, unless somebody else is signed in with it."""
    if current_user.is_authenticated and current_user.status is not Status.ERASED:
        return
    if current_user.is_authenticated:
        logout_user()
    for key in LEFT_BEHIND:
        session.pop(key, None)
