"""The status page: where a person's registration stands, for as long as they wait (B1)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.accounts import approval
from portal.accounts.user import Status, User
from portal.database import transaction
from portal.errors import StepRefused
from portal.pages import pages
from portal.pages.doors import me, me_locked
from portal.security import limits
from portal.security.forms import PortalForm, reason_field


class Milestone(NamedTuple):
    """One step of a registration as its owner sees it."""

    key: str
    label: Any
    done_at: datetime | None
    state: str


class ReasonForm(PortalForm):
    """Saying better why one asks."""

    reason = reason_field()


@pages.route("/status", methods=["GET", "POST"])
@limits.by_account
def status() -> ResponseReturnValue:
    """Show the steps done and missing; take a better reason while it is undecided."""
    form = ReasonForm(data={"reason": me().reason})
    if form.validate_on_submit():
        try:
            with transaction():
                approval.edit_reason(me_locked(), reason=form.reason.data or "")
        except StepRefused as refused:
            form.refuse(refused)
        else:
            flash(_("Your reason is saved. The staff will read it."), "success")
            return redirect(url_for("pages.status"), 303)
    return render_template(
        "pages/status.html", user=me(), steps=milestones(me()), form=form
    ), 400 if form.errors else 200


def milestones(user: User) -> list[Milestone]:
    """The three steps of a registration, and how far this one got."""
    rejected = user.status is Status.REJECTED
    decided = user.rejected_at if rejected else user.approved_at
    waiting = "stopped" if rejected else ("done" if decided else "current")
    return [
        Milestone("registered", _l("You registered"), user.registered_at, "done"),
        Milestone("confirmed", _l("You confirmed your address"), user.confirmed_at, "done"),
        Milestone(
            "decided",
            _l("We decided not to let you in") if rejected else _l("We review your registration"),
            decided,
            waiting,
        ),
        Milestone("access", _l("You get access"), None, "done" if user.approved_at else "todo"),
    ]
