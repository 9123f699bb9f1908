"""The dashboard: who waits, since when, how many register, and whether mail gets out."""

from __future__ import annotations

from flask_admin import expose
from flask_babel import lazy_gettext as _l

from admin_views.base import StaffView, may_open
from portal import heartbeat, notifications
from portal.accounts import directory
from portal.accounts.user import Status
from portal.desk import queue, waiting
from portal.desk.waiting import Waiting
from portal.mail import listing, pauses
from portal.mail.listing import Shelf
from portal.pages.doors import me

NEWEST = 6
DAYS = 30


class Dashboard(StaffView):
    """What staff see first. Every number leads to its list."""

    part = "dashboard"
    label = _l("Dashboard")
    icon = "speedometer2"
    counts = Waiting.MENTIONS
    url_below_admin = ""

    @expose("/")
    def index(self) -> str:
        """Show what there is to do, and what is wrong."""
        sees_mail = may_open("mail.index")
        mails = listing.counts() if sees_mail else {}
        return self.render(
            "admin/dashboard.html",
            counts=directory.counts_by_status(),
            waits=waiting.counts(*Waiting, whom=me()),
            Waiting=Waiting,
            overdue_hours=waiting.overdue_hours(),
            mentions=notifications.unseen(me(), NEWEST),
            waiting_since=queue.waiting_since(),
            notifications=notifications.unsettled(NEWEST),
            per_day=directory.registrations_per_day(DAYS),
            mails_failed=mails.get(Shelf.FAILED, 0),
            mails_waiting=mails.get(Shelf.WAITING, 0),
            pause=pauses.current() if sees_mail else None,
            worker_is_alive=heartbeat.is_alive(),
            Status=Status,
        )
