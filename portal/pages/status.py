"""The status page: where a person's registration stands, for as long as they wait (B1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from flask import flash, redirect, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import TextAreaField
from wtforms.validators import InputRequired, Length

from portal.accounts import approval
from portal.accounts.access import AccessLevel
from portal.accounts.user import Status, User
from portal.audit import Way
from portal.database import db, transaction
from portal.desk import question, waits
from portal.errors import StepRefused
from portal.mail import messages, opening
from portal.pages.applicant import Applicant, applicants_page
from portal.pages.wish import FormWithWish
from portal.security.forms import PlainText, PortalForm, reason_field, trimmed


class Milestone(NamedTuple):
    """One step of a registration as its owner sees it."""

    key: str
    label: Any
    done_at: datetime | None
    state: str


class ReasonForm(FormWithWish):
    """Saying better why one asks, and for how much."""

    reason = reason_field()

    @classmethod
    def of(cls, user: User, **fields: Any) -> ReasonForm:
        """The form as this person filled it in before."""
        wished = user.review.wished_level if user.review else None
        said = {"reason": user.reason, "wished_level": wished and wished.id}
        return cls(wished, data=said, **fields)

    def take(self, user: User, *, how: Sequence[Way]) -> None:
        """Take what it says, in the caller's transaction."""
        approval.edit_reason(user, reason=self.reason.data or "", how=how)
        if "wished_level" in self:
            wished = self.wished_level_id
            level = db.session.get(AccessLevel, wished) if wished else None
            approval.edit_wish(user, level=level, how=how)


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


@applicants_page("", methods=["GET", "POST"])
def status(applicant: Applicant) -> ResponseReturnValue:
    """Show the steps done and missing; take a better reason while it is undecided."""
    form = ReasonForm.of(applicant.user)
    if form.validate_on_submit():
        try:
            with transaction():
                form.take(applicant.locked(), how=[applicant.way])
        except StepRefused as refused:
            form.refuse(refused)
        else:
            flash(_("It is saved. The staff will read it."), "success")
            return redirect(applicant.url("status"), 303)
    return _page(applicant, form, AnswerForm(formdata=None))


@applicants_page("/answer", methods=["POST"])
def answer(applicant: Applicant) -> ResponseReturnValue:
    """Take the answer to a question of the staff, and put the registration before them again."""
    form = AnswerForm()
    if form.validate_on_submit():
        try:
            with transaction():
                user = applicant.locked()
                question.answer(user, text=form.answer.data or "", how=[applicant.way])
                opening.mark_newest_used(user.id, messages.QUESTIONS)
        except StepRefused as refused:
            form.refuse(refused)
        else:
            flash(_("Your answer is on its way to the staff."), "success")
            return redirect(applicant.url("status"), 303)
    return _page(applicant, ReasonForm.of(applicant.user, formdata=None), form)


def _page(
    applicant: Applicant, reason_form: ReasonForm, answer_form: AnswerForm
) -> ResponseReturnValue:
    user = applicant.user
    status = applicant.status
    usual = waits.usual_wait() if status is Status.PENDING else None
    waits_long = bool(usual and user.review and user.review.has_waited > usual.p90)
    asked = question.questions_of(user)
    is_open = bool(asked) and status is Status.PENDING and asked[0].answered_at is None
    page = render_template(
        "pages/status.html",
        applicant=applicant,
        by_link=applicant.came_by_link,
        user=user,
        status=status,
        steps=milestones(user, status),
        form=answer_form if answer_form.errors else reason_form,
        reason_form=reason_form,
        answer_form=answer_form,
        open_question=asked[0] if is_open else None,
        exchange=asked[1:] if is_open else asked,
        usual_wait=usual,
        waits_long=waits_long,
    )
    return page, 400 if reason_form.errors or answer_form.errors else 200


def milestones(user: User, status: Status) -> list[Milestone]:
    """The three steps of a registration, and how far this one got as far as it may be known."""
    rejected, approved = status is Status.REJECTED, status is Status.APPROVED
    decided = user.rejected_at if rejected else user.approved_at if approved else None
    confirmed = "done" if user.confirmed_at else "current"
    waiting = "done" if decided else ("current" if user.confirmed_at else "todo")
    return [
        Milestone("registered", _l("You registered"), user.registered_at, "done"),
        Milestone(
            "confirmed",
            _l("You confirmed your address")
            if user.confirmed_at
            else _l("You confirm your address"),
            user.confirmed_at,
            "todo" if rejected and not user.confirmed_at else confirmed,
        ),
        Milestone(
            "decided",
            _l("We decided not to let you in") if rejected else _l("We review your registration"),
            decided,
            "stopped" if rejected else waiting,
        ),
        Milestone("access", _l("You get access"), None, "done" if approved else "todo"),
    ]
