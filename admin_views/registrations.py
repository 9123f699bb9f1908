"""Registrations: who asks for an account, and what staff decide about it."""

from __future__ import annotations

from enum import Enum
from typing import Any

from flask import Response, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from wtforms import BooleanField, SelectField, TextAreaField, ValidationError
from wtforms.validators import InputRequired, Length

from admin_views import export, parameters, wording
from admin_views.base import chosen, listed, way_back
from admin_views.decisions import MOST, Decisions
from admin_views.export import Column
from portal.accounts import access, approval, confirmation, directory
from portal.accounts.access import AccessLevel
from portal.accounts.user import Status, User
from portal.desk import decision, marks, queue, standard_text
from portal.desk import question as questions
from portal.desk import undo as undoing
from portal.desk.queue import Turn
from portal.desk.standard_text import Purpose
from portal.pages.doors import me
from portal.paging import PER_PAGE, Page
from portal.security.forms import PlainText, PortalForm, choices, trimmed


class Tab(Enum):
    """The lists of registrations."""

    READY = "ready"
    ASKED = "asked"
    UNCONFIRMED = "unconfirmed"
    REJECTED = "rejected"

    @property
    def label(self) -> Any:
        """The word on the tab."""
        return _TABS[self]

    def page(self, search: str, cursor: str, per_page: int = PER_PAGE) -> Page[User]:
        """One page of the list: who waits, the longest first; all else the newest first."""
        turn = _TURNS.get(self)
        if turn is not None:
            return queue.page(turn, search=search, cursor=cursor, per_page=per_page)
        status = Status.REJECTED if self is Tab.REJECTED else Status.UNCONFIRMED
        return directory.page(status=status, search=search, cursor=cursor, per_page=per_page)


_TABS = {
    Tab.READY: _l("Ready to review"),
    Tab.ASKED: _l("Waiting for an answer"),
    Tab.UNCONFIRMED: _l("Unconfirmed"),
    Tab.REJECTED: _l("Rejected"),
}

_TURNS = {Tab.READY: Turn.STAFF, Tab.ASKED: Turn.APPLICANT}


class ApprovalForm(PortalForm):
    """How far those who are approved get."""

    level = SelectField(
        _l("Access level"),
        coerce=lambda chosen: int(chosen) if chosen else None,
        validators=[InputRequired(_l("Choose an access level."))],
    )

    def __init__(self) -> None:
        super().__init__()
        levels = [(level.id, level.name) for level in access.levels_grantable(me())]
        # Nobody is let in at a level that nobody chose.
        self.level.choices = choices([("", _l("Choose")), *levels] if len(levels) > 1 else levels)


class RejectionForm(PortalForm):
    """Why somebody is rejected, and whether they are told."""

    reason = TextAreaField(
        _l("Reason"),
        description=_l("They read it word for word, by mail and on their status page."),
        filters=[trimmed],
        validators=[
            Length(max=1000, message=_l("Shorten this to 1000 characters.")),
            PlainText(lines=True),
        ],
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

    question = TextAreaField(
        _l("Question"),
        description=_l("They read it word for word, by mail and on their status page."),
        filters=[trimmed],
        validators=[
            InputRequired(_l("Write what you want to know.")),
            Length(max=1000, message=_l("Shorten this to 1000 characters.")),
            PlainText(lines=True),
        ],
    )


class Registrations(Decisions):
    """The queue. The list shows who waits; the pages behind its buttons decide."""

    part = "registrations"
    label = _l("Registrations")
    icon = "person-plus"
    url_below_admin = "/registrations"

    def badge(self) -> str:
        """How many wait for a decision."""
        return wording.badge_text(queue.counts()[Turn.STAFF])

    @expose("/")
    def index(self) -> str:
        """List those who wait for us or we for them, the unconfirmed, or the rejected."""
        tab = parameters.choice("tab", Tab) or Tab.READY
        search = parameters.text("q")
        page = listed(lambda cursor: tab.page(search, cursor))
        by_status, by_turn = directory.counts_by_status(), queue.counts()
        return self.render(
            "admin/registrations/index.html",
            tab=tab,
            tabs=Tab,
            counts={
                Tab.READY: by_turn[Turn.STAFF],
                Tab.ASKED: by_turn[Turn.APPLICANT],
                Tab.UNCONFIRMED: by_status[Status.UNCONFIRMED],
                Tab.REJECTED: by_status[Status.REJECTED],
            },
            page=page,
            search=search,
            undoable=decision.undoable(by=me()),
            marks=marks.marks_of([user.id for user in page.rows]),
        )

    @expose("/approval", methods=["GET", "POST"])
    def approval(self) -> ResponseReturnValue:
        """Approve, at a level that this member of staff may give."""
        form = ApprovalForm()
        return self.decide(
            parameters.ticked(MOST),
            form,
            "admin/registrations/approval.html",
            guard=lambda user: approval.must_be_approvable(user, by=me()),
            step=lambda user: approval.approve(
                user, by=me(), level=chosen(AccessLevel, form.level.data)
            ),
            done=lambda number: ngettext(
                "%(num)d registration is approved.", "%(num)d registrations are approved.", number
            ),
            back=self._back(),
            as_seen=True,
        )

    @expose("/rejection", methods=["GET", "POST"])
    def rejection(self) -> ResponseReturnValue:
        """Reject, with a reason that the person reads, or without a word."""
        ids = parameters.ticked(MOST)
        form = RejectionForm()
        return self.decide(
            ids,
            form,
            "admin/registrations/rejection.html",
            guard=lambda user: approval.must_be_rejectable(user, by=me()),
            step=lambda user: approval.reject(
                user, by=me(), reason=form.reason.data or "", tell=not form.quiet.data
            ),
            done=lambda number: ngettext(
                "%(num)d registration is rejected.", "%(num)d registrations are rejected.", number
            ),
            back=self._back(),
            as_seen=True,
            texts=_texts_for(self.row(User, ids[0]), Purpose.REJECTION) if len(ids) == 1 else [],
        )

    @expose("/question", methods=["GET", "POST"])
    def question(self) -> ResponseReturnValue:
        """Ask one applicant something before deciding."""
        ids = parameters.ticked(1)
        form = QuestionForm()
        user = self.row(User, ids[0]) if ids else None
        return self.decide(
            ids,
            form,
            "admin/registrations/question.html",
            guard=lambda user: questions.must_be_askable(user, by=me()),
            step=lambda user: questions.ask(user, by=me(), question=form.question.data or ""),
            done=lambda _number: _("The question is on its way. The clock waits with it."),
            back=self._back(),
            as_seen=True,
            texts=_texts_for(user, Purpose.QUESTION),
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

    @expose("/export.csv")
    def export(self) -> Response:
        """The list on a tab as CSV, all of it."""
        tab, search = parameters.choice("tab", Tab) or Tab.READY, parameters.text("q")
        return export.csv_of(
            "registrations",
            _COLUMNS,
            lambda cursor, per_page: tab.page(search, cursor, per_page),
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
        return self.decide(
            parameters.ticked(MOST),
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

    def _back(self) -> str:
        return way_back(url_for(".index"))


def _texts_for(user: User | None, purpose: Purpose) -> list[tuple[str, str]]:
    """What staff may begin from, by name, in this person's language."""
    if user is None:
        return []
    return [(each.name, each.in_language(user.language)) for each in standard_text.texts(purpose)]


_COLUMNS = [
    Column(_l("Number"), lambda user: user.id),
    Column(_l("Full name"), lambda user: user.full_name),
    Column(_l("E-mail address"), lambda user: user.email),
    Column(_l("Language"), lambda user: user.language),
    Column(_l("Status"), lambda user: user.status.label),
    Column(_l("Why they ask"), lambda user: user.reason),
    Column(_l("Registered"), lambda user: user.registered_at),
    Column(_l("Address confirmed"), lambda user: user.confirmed_at),
    Column(_l("Rejected"), lambda user: user.rejected_at),
    Column(_l("Why they were rejected"), lambda user: user.rejection_reason),
]
