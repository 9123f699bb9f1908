"""The audit trail: who did what to whom, and when. To read, and nothing else."""

from __future__ import annotations

from flask_admin import expose
from flask_babel import lazy_gettext as _l

from admin_views import parameters
from admin_views.base import StaffView, listed
from portal import trail
from portal.accounts import directory
from portal.accounts.user import User
from portal.audit import Action
from portal.database import db

# A search that fits more people than this is told to be more precise.
PEOPLE = 10


class AuditTrail(StaffView):
    """The trail, filtered by action, person and day."""

    part = "audit_trail"
    label = _l("Audit trail")
    icon = "journal-text"
    url_below_admin = "/audit"

    @expose("/")
    def index(self) -> str:
        """List entries, newest first."""
        action = parameters.choice("action", Action)
        since, until = parameters.day("since"), parameters.day("until")
        search, account_id = parameters.text("q"), parameters.number("account")
        found = directory.page(search=search, per_page=PEOPLE) if search else None
        people = [user.id for user in found.rows] if found else None
        account = db.session.get(User, account_id) if account_id else None
        if account_id:
            people = [account_id]
        page = listed(
            lambda cursor: trail.page(
                action=action,
                people=people,
                since=parameters.begins(since),
                until=parameters.ends(until),
                cursor=cursor,
            )
        )
        return self.render(
            "admin/audit_trail/index.html",
            page=page,
            action=action,
            actions=Action,
            since=since,
            until=until,
            search=search,
            account=account,
            unread_day=parameters.unread_day("since", "until"),
            too_many=bool(found and found.after),
        )
