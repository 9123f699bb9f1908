"""Registrations: who asks for an account, and what staff decide about it."""

from __future__ import annotations

from enum import Enum
from typing import Any

from flask import Response
from flask_admin import expose
from flask_babel import lazy_gettext as _l

from admin_views import export, parameters, wording
from admin_views.base import listed
from admin_views.export import Column
from admin_views.registration_steps import RegistrationSteps
from portal.accounts import directory
from portal.accounts.user import Status, User
from portal.desk import decision, marks, queue
from portal.desk.queue import Turn
from portal.pages.doors import me
from portal.paging import PER_PAGE, Page


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


class Registrations(RegistrationSteps):
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

    @expose("/export.csv")
    def export(self) -> Response:
        """The list on a tab as CSV, all of it."""
        tab, search = parameters.choice("tab", Tab) or Tab.READY, parameters.text("q")
        return export.csv_of(
            "registrations",
            _COLUMNS,
            lambda cursor, per_page: tab.page(search, cursor, per_page),
        )


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
