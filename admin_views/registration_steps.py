"""What staff decide about registrations: the pages behind the buttons of the queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from wtforms import BooleanField, SelectField, TextAreaField, ValidationError
from wtforms.validators import InputRequired

from admin_views import parameters
from admin_views.base import back_to, chosen, way_back
from admin_views.decisions import MOST, Decisions
from admin_views.onward import onward
from portal.accounts import access, approval, confirmation
from portal.accounts.access import AccessLevel
from portal.accounts.user import User
from portal.database import db
from portal.desk import claim, standard_text
from portal.desk import question as questions
from portal.desk import undo as undoing
from portal.desk.bulk import Deed
from portal.desk.standard_text import Purpose
from portal.errors import why_not
from portal.pages.doors import me
from portal.security.forms import PortalForm, choices, words_field


class Text(NamedTuple):
    """A standard text in one person's language."""

    id: int
    name: str
    body: str


class ApprovalForm(PortalForm):
    """How far those who are approved get."""

    level = SelectField(
        _l("Access level"),
        coerce=lambda chosen: int(chosen) if chosen else None,
        validators=[InputRequired(_l("Choose an access level."))],
    )

    def __init__(self, user: User | None = None) -> None:
        """For one person, begin from the level that they wish for, where it may be given."""
        levels = [(level.id, level.name) for level in access.levels_grantable(me())]
        wished = user.review.wished_level_id if user and user.review else None
        super().__init__(data={"level": wished if wished in dict(levels) else None})
        # Nobody is let in at a level that nobody chose.
        self.level.choices = choices([("", _l("Choose")), *levels] if len(levels) > 1 else levels)


class RejectionForm(PortalForm):
    """Why somebody is rejected, and whether they are told."""

    reason = words_field(
        _l("Reason"),
        description=_l("They read it word for word, by mail and on their status page."),
    )
    quiet = BooleanField(
        _l("Send no mail"),
        description=_l("For spam: whoever sent it learns nothing."),
    )

    def validate_reason(self, field: TextAreaField) -> None:
        """Whoever is told is told why."""
        if not field.data and not self.quiet.data:
            raise ValidationError(_l("Enter a reason, or send no mail."))


class QuestionForm(PortalForm):
    """What staff want to know before they decide."""

    question = words_field(
        _l("Question"),
        InputRequired(_l("Write what you want to know.")),
        description=_l("They read it word for word, by mail and on their status page."),
    )


class RegistrationSteps(Decisions):
    """The steps on registrations, on one or on those ticked."""

    @expose("/approval", methods=["GET", "POST"])
    def approval(self) -> ResponseReturnValue:
        """Approve, at a level that this member of staff may give."""
        ids = parameters.ticked(MOST)
        if len(ids) > 1:
            return self.for_many(Deed.APPROVAL, ids)
        form = ApprovalForm(self.row(User, ids[0]) if len(ids) == 1 else None)
        return self.decide(
            ids,
            form,
            "admin/registrations/approval.html",
            guard=lambda user: approval.must_be_approvable(user, by=me()),
            step=_letting_go(
                lambda user: approval.approve(
                    user, by=me(), level=chosen(AccessLevel, form.level.data)
                )
            ),
            done=lambda number: self._unless_undoable(
                ids,
                ngettext(
                    "%(num)d registration is approved.",
                    "%(num)d registrations are approved.",
                    number,
                ),
            ),
            back=self._back(),
            as_seen=True,
            onward=onward(ids, self._back()),
        )

    @expose("/rejection", methods=["GET", "POST"])
    def rejection(self) -> ResponseReturnValue:
        """Reject, with a reason that the person reads, or without a word."""
        ids = parameters.ticked(MOST)
        if len(ids) > 1:
            return self.for_many(Deed.REJECTION, ids)
        form = RejectionForm()
        user = self.row(User, ids[0]) if len(ids) == 1 else None
        texts = texts_for(user, Purpose.REJECTION)
        return self.decide(
            ids,
            form,
            "admin/registrations/rejection.html",
            guard=lambda user: approval.must_be_rejectable(user, by=me()),
            step=_letting_go(
                lambda user: approval.reject(
                    user, by=me(), reason=form.reason.data or "", tell=not form.quiet.data
                )
            ),
            done=lambda number: self._unless_undoable(
                ids,
                ngettext(
                    "%(num)d registration is rejected.",
                    "%(num)d registrations are rejected.",
                    number,
                ),
            ),
            back=self._back(),
            as_seen=True,
            onward=onward(ids, self._back()),
            only_show=_begin_from(texts, form.reason),
            texts=texts,
        )

    @expose("/question", methods=["GET", "POST"])
    def question(self) -> ResponseReturnValue:
        """Ask one applicant something before deciding."""
        ids = parameters.ticked(1)
        form = QuestionForm()
        texts = texts_for(self.row(User, ids[0]) if ids else None, Purpose.QUESTION)
        return self.decide(
            ids,
            form,
            "admin/registrations/question.html",
            guard=lambda user: questions.must_be_askable(user, by=me()),
            step=_letting_go(
                lambda user: questions.ask(user, by=me(), question=form.question.data or "")
            ),
            done=lambda _number: _("The question is on its way. The clock waits with it."),
            back=self._back(),
            as_seen=True,
            onward=onward(ids, self._back()),
            only_show=_begin_from(texts, form.question),
            texts=texts,
        )

    @expose("/undo", methods=["GET", "POST"])
    def undo(self) -> ResponseReturnValue:
        """Take the last decision back, as long as its mail waits."""
        return self.decide(
            parameters.ticked(MOST),
            PortalForm(),
            "admin/registrations/undo.html",
            guard=lambda user: undoing.must_be_undoable(user, by=me()),
            step=lambda user: undoing.undo(user, by=me()),
            done=lambda number: ngettext(
                "%(num)d decision is taken back, and its mail is not sent.",
                "%(num)d decisions are taken back, and their mails are not sent.",
                number,
            ),
            back=self._back(),
        )

    @expose("/reopening", methods=["GET", "POST"])
    def reopening(self) -> ResponseReturnValue:
        """Take rejections back, so that they can be decided again."""
        return self.decide(
            parameters.ticked(MOST),
            PortalForm(),
            "admin/registrations/reopening.html",
            guard=lambda user: approval.must_be_reopenable(user, by=me()),
            step=lambda user: approval.reopen(user, by=me()),
            done=lambda number: ngettext(
                "%(num)d registration is open again.",
                "%(num)d registrations are open again.",
                number,
            ),
            back=self._back(),
        )

    @expose("/confirmation-mail", methods=["GET", "POST"])
    def confirmation_mail(self) -> ResponseReturnValue:
        """Mail a fresh link to those who have not confirmed."""
        ids = parameters.ticked(MOST)
        if len(ids) > 1:
            return self.for_many(Deed.CONFIRMATION_MAIL, ids)
        return self.decide(
            ids,
            PortalForm(),
            "admin/registrations/confirmation_mail.html",
            guard=confirmation.must_be_resendable,
            step=lambda user: confirmation.resend_confirmation(user, by=me()),
            done=lambda number: ngettext(
                "%(num)d confirmation mail is on its way.",
                "%(num)d confirmation mails are on their way.",
                number,
            ),
            back=self._back(),
        )

    def for_many(self, deed: Deed, ids: Sequence[int]) -> ResponseReturnValue:
        """To the page before a step on many people, which the worker takes."""
        return back_to(url_for(".bulk", deed=deed.value, ids=ids, back=self._back()))

    def _back(self) -> str:
        return way_back(url_for(".index"))

    def _unless_undoable(self, ids: Sequence[int], sentence: str) -> str:
        """The sentence, unless the page that comes next says it beside the way to undo it."""
        if onward(ids, self._back()) is None:
            return sentence
        user = db.session.get_one(User, ids[0])
        return sentence if why_not(lambda one: undoing.must_be_undoable(one, by=me()), user) else ""


def _letting_go(step: Callable[[User], object]) -> Callable[[User], object]:
    """Take the step, and look no longer at whom it was taken on."""

    def take(user: User) -> None:
        step(user)
        claim.release(user.id, by_id=me().id)

    return take


def texts_for(user: User | None, purpose: Purpose) -> list[Text]:
    """What staff may begin from, in this person's language."""
    if user is None:
        return []
    return [
        Text(each.id, each.name, each.in_language(user.language))
        for each in standard_text.texts(purpose)
    ]


def _begin_from(texts: Sequence[Text], field: TextAreaField) -> bool:
    """Put the text that was chosen into the field, to be edited. Whether one was."""
    if "use" not in request.form:
        return False
    chosen_id = request.form.get("text", "")
    field.data = next((text.body for text in texts if str(text.id) == chosen_id), field.data)
    return True
