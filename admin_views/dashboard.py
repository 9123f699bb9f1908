"""The dashboard: who waits for what and since when, and whether mail gets out."""

from __future__ import annotations

from datetime import timedelta

from flask_admin import expose
from flask_babel import lazy_gettext as _l

from admin_views.base import StaffView, may_open
from portal import heartbeat, notifications, settings
from portal.accounts import directory, intake
from portal.accounts.user import Status
from portal.desk import queue, waiting
from portal.desk.waiting import Waiting
from portal.mail import listing, pauses
from portal.mail.listing import Shelf
from portal.mail.mail import Channel
from portal.notifications import Kind
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
            overdue_after=timedelta(hours=waiting.overdue_hours()),
            mentions=notifications.unseen(me(), NEWEST),
            closure=intake.standing_closure(),
            waiting_since=queue.waiting_since(),
            news=notifications.unsettled(NEWEST),
            Kind=Kind,
            per_day=directory.registrations_per_day(DAYS),
            mails_failed=mails.get(Shelf.FAILED, 0),
            mails_waiting=mails.get(Shelf.WAITING, 0),
            mails_held_back=mails.get(Shelf.HELD_BACK, 0),
            pause=pauses.current() if sees_mail else None,
            hook_pause=pauses.current(Channel.WEBHOOK) if sees_mail and _tells_others() else None,
            worker_is_alive=heartbeat.is_alive(),
            Status=Status,
        )


def _tells_others() -> bool:
    """Whether a program listens to what happens here."""
    return bool(settings.current().webhook.url)
