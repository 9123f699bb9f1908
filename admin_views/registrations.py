"""Registrations: who asks for an account, and what staff decide about it."""

from __future__ import annotations

from enum import Enum
from typing import Any

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from wtforms import BooleanField, SelectField, TextAreaField, ValidationError
from wtforms.validators import InputRequired, Length

from admin_views import parameters, wording
from admin_views.base import chosen, listed, way_back
from admin_views.decisions import MOST, Decisions
from portal.accounts import access, approval, confirmation, directory
from portal.accounts.access import AccessLevel
from portal.accounts.directory import Order
from portal.accounts.user import Status
from portal.pages.doors import me
from portal.security.forms import PlainText, PortalForm, choices, trimmed


class Tab(Enum):
    """The three lists of registrations, and how each is sorted."""

    READY = "ready"
    UNCONFIRMED = "unconfirmed"
    REJECTED = "rejected"

    @property
    def label(self) -> Any:
        """The word on the tab."""
        return _TABS[self][0]

    @property
    def status(self) -> Status:
        """Where the accounts in this list stand."""
        return _TABS[self][1]

    @property
    def order(self) -> Order:
        """Who comes first."""
        return _TABS[self][2]


_TABS: dict[Tab, tuple[Any, Status, Order]] = {
    Tab.READY: (_l("Ready to review"), Status.PENDING, Order.OLDEST_CONFIRMATION),
    Tab.UNCONFIRMED: (_l("Unconfirmed"), Status.UNCONFIRMED, Order.NEWEST_REGISTRATION),
    Tab.REJECTED: (_l("Rejected"), Status.REJECTED, Order.NEWEST_REGISTRATION),
}


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


class Registrations(Decisions):
    """The queue. The list shows who waits; the pages behind its buttons decide."""

    part = "registrations"
    label = _l("Registrations")
    icon = "person-plus"
    url_below_admin = "/registrations"

    def badge(self) -> str:
        """How many wait for a decision."""
        return wording.badge_text(directory.count(status=Status.PENDING))

    @expose("/")
    def index(self) -> str:
        """List those who wait, those who have not confirmed, or those who were rejected."""
        tab = parameters.choice("tab", Tab) or Tab.READY
        search = parameters.text("q")
        page = listed(
            lambda cursor: directory.page(
                status=tab.status, search=search, order=tab.order, cursor=cursor
            )
        )
        return self.render(
            "admin/registrations/index.html",
            tab=tab,
            tabs=Tab,
            counts=directory.counts_by_status(),
            page=page,
            search=search,
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
        )

    @expose("/rejection", methods=["GET", "POST"])
    def rejection(self) -> ResponseReturnValue:
        """Reject, with a reason that the person reads, or without a word."""
        form = RejectionForm()
        return self.decide(
            parameters.ticked(MOST),
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
