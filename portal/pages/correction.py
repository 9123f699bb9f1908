"""Correcting a mistyped address before it is confirmed, in the browser that registered (B1)."""

from __future__ import annotations

from flask import redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from sqlalchemy import select

from portal.accounts import mistyped, registration
from portal.accounts.user import User
from portal.database import db
from portal.pages import pages
from portal.pages.doors import committed
from portal.security import limits
from portal.security.forms import PortalForm, email_field
from portal.security.sessions import MAILED_TO, REGISTERED_HERE


class CorrectionForm(PortalForm):
    """The address as it should have been."""

    email = email_field(_l("The right e-mail address"))


@pages.route("/register/address", methods=["GET", "POST"])
@limits.by_address("resend")
@limits.by_typed_address
@limits.by_registration
def correct_address() -> ResponseReturnValue:
    """Take the right address. The answer is the same whoever is known, with either address."""
    if current_user.is_authenticated:
        return redirect(url_for("pages.home"))
    is_ours = REGISTERED_HERE in session
    mailed_to = session.get(MAILED_TO) or ""
    likely = mistyped.meant(mailed_to) or mailed_to
    form = CorrectionForm(data={"email": likely}) if is_ours else None
    if form and form.validate_on_submit():
        email = form.email.data or ""
        committed(lambda: registration.correct_address(_registered_here(), email=email))
        session[MAILED_TO] = email
        return redirect(url_for("pages.registered"), 303)
    page = render_template("pages/correct_address.html", form=form)
    return page, 400 if form and form.errors else 200


def _registered_here() -> User | None:
    """Whose registration this browser sent; nobody's, where there was somebody already."""
    mark = session[REGISTERED_HERE]
    return db.session.scalars(
        select(User).filter_by(fs_uniquifier=mark).with_for_update(of=User)
    ).one_or_none()
