"""The status page: where a person's registration stands, for as long as they wait (B1)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import TextAreaField
from wtforms.validators import InputRequired, Length

from portal.accounts import approval
from portal.accounts.user import Status, User
from portal.database import transaction
from portal.desk import question, waits
from portal.errors import StepRefused
from portal.pages import pages
from portal.pages.doors import me, me_locked
from portal.security import limits
from portal.security.forms import PlainText, PortalForm, reason_field, trimmed


class Milestone(NamedTuple):
    """One step of a registration as its owner sees it."""

    key: str
    label: Any
    done_at: datetime | None
    state: str


class ReasonForm(PortalForm):
    """Saying better why one asks."""

    reason = reason_field()


class AnswerForm(PortalForm):
    """What the applicant says to a question of the staff (B2)."""

    answer = TextAreaField(
        _l("Your answer"),
        filters=[trimmed],
        validators=[
            InputRequired(_l("Write an answer.")),
            Length(max=2000, message=_l("Shorten this to 2000 characters.")),
            PlainText(lines=True),
        ],
    )


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
    return _page(form, AnswerForm(formdata=None))


@pages.post("/status/answer")
@limits.by_account
def answer() -> ResponseReturnValue:
    """Take the answer to a question of the staff, and put the registration before them again."""
    form = AnswerForm()
    if form.validate_on_submit():
        try:
            with transaction():
                question.answer(me_locked(), text=form.answer.data or "")
        except StepRefused as refused:
            form.refuse(refused)
        else:
            flash(_("Your answer is on its way to the staff."), "success")
            return redirect(url_for("pages.status"), 303)
    return _page(ReasonForm(formdata=None, data={"reason": me().reason}), form)


def _page(reason_form: ReasonForm, answer_form: AnswerForm) -> ResponseReturnValue:
    user = me()
    asked = question.latest(user) if user.status is Status.PENDING else None
    usual = waits.usual_wait() if user.status is Status.PENDING else None
    page = render_template(
        "pages/status.html",
        user=user,
        steps=milestones(user),
        form=answer_form if answer_form.errors else reason_form,
        reason_form=reason_form,
        answer_form=answer_form,
        asked=asked,
        usual_wait=usual,
        waits_long=bool(usual and user.review and user.review.has_waited > usual.p90),
    )
    return page, 400 if reason_form.errors or answer_form.errors else 200


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
