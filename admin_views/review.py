"""The review: one registration with all that a decision takes, and the forms for it."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any

from flask import Response, render_template, request
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import ngettext

from admin_views import filters, parameters, timeline
from admin_views.account import open_steps
from admin_views.base import ID
from admin_views.claims import Claims, every_seconds
from admin_views.notes import noted
from admin_views.onward import list_url, neighbours, review_url
from admin_views.registration_steps import (
    ApprovalForm,
    QuestionForm,
    RejectionForm,
    texts_for,
)
from portal import i18n
from portal.accounts.user import UNDECIDED, Status, User
from portal.desk import decision, marks, traces, watch, workplace
from portal.desk.decision import Verdict
from portal.desk.review import Review
from portal.desk.standard_text import Purpose
from portal.mail import messages, silence
from portal.mail.preview import preview
from portal.pages.doors import me

# Nothing runs, nothing is fetched, nothing is sent, and no link leads anywhere.
LETTER_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox"
)


class Letter(StrEnum):
    """The mails that staff write into, and can look at before they are sent."""

    REJECTION = "rejection"
    QUESTION = "question"


class Reviews(Claims):
    """The page of one registration; part of the pages about registrations."""

    @expose(f"/{ID.format('user_id')}")
    def review(self, user_id: int) -> str:
        """Show one registration: who, why, what catches the eye, what happened, and the forms."""
        user = self.row(User, user_id)
        # Before the timeline, whose queries leave out what hangs on the people in them.
        review = user.review
        wished = review.wished_level if review else None
        return self.render(
            "admin/registrations/review.html",
            user=user,
            review=review,
            Verdict=Verdict,
            filled_in=_filled_in(review),
            wished=wished,
            seen=review.version if review else None,
            domain=traces.domain_of(user.email_canonical or ""),
            local_time=i18n.time_there(user.time_zone),
            evidence=marks.evidence(user) if user.status in UNDECIDED else [],
            open_steps=open_steps(user),
            events=timeline.of(user),
            decisions=decision.decisions_of(user),
            forms_of=_forms(user),
            back=list_url(filters.kept()),
            neighbours=neighbours(user),
            undoable=[each for each in decision.undoable(by=me()) if each.user_id != user.id],
            sight=watch.sight(user.id),
            every=every_seconds(),
            me=me().id,
            noted=noted(user),
            is_silenced=silence.holds_for(user),
            single_keys=workplace.of(me()).single_keys,
            address_of=lambda user_id: review_url(user_id, filters.kept()),
        )

    @expose(f"/{ID.format('user_id')}/letter", methods=["GET", "POST"])
    def letter(self, user_id: int) -> Response:
        """Show the mail that a form would send, as it is written so far. Nothing is sent."""
        user = self.row(User, user_id)
        kind = parameters.choice("kind", Letter) or Letter.REJECTION
        problem, html = _letter(user, kind)
        if problem:
            html = render_template("admin/registrations/no_letter.html", sentence=problem)
        response = Response(html)
        response.headers["Content-Security-Policy"] = LETTER_POLICY
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        return response


def _filled_in(review: Review | None) -> str:
    """How long the form took to fill in, as far as it is known."""
    if review is None or review.seconds_to_fill_in is None:
        return ""
    seconds = review.seconds_to_fill_in
    if seconds < 60:
        return str(ngettext("%(num)d second", "%(num)d seconds", seconds))
    return i18n.duration_text(timedelta(seconds=seconds))


def _forms(user: User) -> dict[str, Any]:
    """The forms of the steps, with what staff may begin from; empty where all is decided."""
    if user.status not in UNDECIDED:
        return {}
    return {
        "approval": ApprovalForm(user),
        "rejection": RejectionForm(),
        "question": QuestionForm(),
        "reasons": texts_for(user, Purpose.REJECTION),
        "questions": texts_for(user, Purpose.QUESTION),
    }


def _letter(user: User, kind: Letter) -> tuple[str, str]:
    """Why there is no letter, or how it looks."""
    if not user.email:
        return _("Nobody can be mailed here any more: the account was erased."), ""
    form = RejectionForm() if kind is Letter.REJECTION else QuestionForm()
    if request.method == "POST" and not form.validate():
        return " ".join(str(each) for each in form.errors[next(iter(form.errors))]), ""
    if isinstance(form, QuestionForm):
        return "", preview(messages.question(user, form.question.data or ""))
    if user.status is Status.UNCONFIRMED:
        return _("Nobody who has not confirmed their address gets a mail."), ""
    if form.quiet.data:
        return _("They get no mail."), ""
    return "", preview(messages.rejected(user, form.reason.data or ""))
