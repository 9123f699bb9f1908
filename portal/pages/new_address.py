"""Moving a registration to another address while it waits (B1)."""

from __future__ import annotations

from collections.abc import Sequence

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.accounts import credentials
from portal.accounts.user import Status, User
from portal.audit import Way
from portal.desk import decision
from portal.errors import StepRefused
from portal.pages.applicant import Applicant, applicants_page
from portal.pages.proof import ProofForm
from portal.security.forms import email_field

MOVABLE = (Status.PENDING, Status.REJECTED)


class NewAddressForm(ProofForm):
    """Moving to another address."""

    email = email_field(_l("New e-mail address"))


@applicants_page("/address", methods=["GET", "POST"], proves=True, mails=True)
def new_address(applicant: Applicant) -> ResponseReturnValue:
    """Mail a link to the new address once the form proves the applicant; the old one is told."""
    user = applicant.user
    status = applicant.status
    if user.status is Status.APPROVED and not applicant.came_by_link:
        return redirect(url_for("pages.change_email"))
    form = NewAddressForm()

    def ask(user: User, *, how: Sequence[Way]) -> None:
        decision.must_not_be_kept_back(user)
        if user.status not in MOVABLE:
            raise StepRefused(_l("Only a registration that waits can move to another address."))
        credentials.ask_for_address_change(user, email=form.email.data or "", how=how)

    if form.validate_on_submit() and form.take(ask, of=applicant):
        sentence = _("A link is on its way to %(email)s. Open it there.", email=form.email.data)
        flash(sentence, "success")
        return redirect(applicant.url("status"), 303)
    page = render_template(
        "pages/new_address.html",
        applicant=applicant,
        by_link=applicant.came_by_link,
        is_movable=status in MOVABLE,
        is_unconfirmed=status is Status.UNCONFIRMED,
        form=form,
    )
    return page, 400 if form.errors else 200
