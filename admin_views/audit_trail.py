"""The audit trail: who did what to whom, and when. To read, and nothing else."""

from __future__ import annotations

from flask import Response
from flask_admin import expose
from flask_babel import lazy_gettext as _l

from admin_views import export, parameters, wording
from admin_views.base import StaffView, listed
from admin_views.export import Column
from portal import clock, trail
from portal.accounts import directory
from portal.accounts.user import User
from portal.audit import Action, AuditEntry
from portal.database import db
from portal.desk.bulk import KEPT
from portal.paging import PER_PAGE, Page

# A search that fits more people than this is told to be more precise.
PEOPLE = 10


class Asked:
    """What the address of the list asks for, and the page that it leads to."""

    def __init__(self) -> None:
        self.action = parameters.choice("action", Action)
        self.since, self.until = parameters.day("since"), parameters.day("until")
        self.search, self.account_id = parameters.text("q"), parameters.number("account")
        found = directory.page(search=self.search, per_page=PEOPLE) if self.search else None
        self.too_many = bool(found and found.after)
        self.people = [user.id for user in found.rows] if found else None
        if self.account_id:
            self.people = [self.account_id]

    def page(self, cursor: str, per_page: int = PER_PAGE) -> Page[AuditEntry]:
        """The entries from a cursor on."""
        return trail.page(
            action=self.action,
            people=self.people,
            since=parameters.begins(self.since),
            until=parameters.ends(self.until),
            cursor=cursor,
            per_page=per_page,
        )


_COLUMNS = [
    Column(_l("When"), lambda entry: entry.at),
    Column(_l("Action"), wording.action_label),
    Column(_l("About"), lambda entry: entry.about and wording.name_of(entry.about)),
    Column(_l("About number"), lambda entry: entry.about_id),
    Column(_l("By"), lambda entry: wording.name_of(entry.by) if entry.by else _l("The portal")),
    Column(_l("By number"), lambda entry: entry.by_id),
    Column(
        _l("Details"),
        lambda entry: "; ".join(
            f"{line.label}: {f'{line.before} → ' if line.before is not None else ''}{line.value}"
            for line in wording.details(entry)
        ),
    ),
]


class AuditTrail(StaffView):
    """The trail, filtered by action, person and day."""

    part = "audit_trail"
    label = _l("Audit trail")
    icon = "journal-text"
    url_below_admin = "/audit"

    @expose("/")
    def index(self) -> str:
        """List entries, newest first."""
        asked = Asked()
        page = listed(asked.page)
        return self.render(
            "admin/audit_trail/index.html",
            page=page,
            asked=asked,
            deeds=Action,
            account=db.session.get(User, asked.account_id) if asked.account_id else None,
            bulks_since=clock.now() - KEPT,
            unread_day=parameters.unread_day("since", "until"),
        )

    @expose("/export.csv")
    def export(self) -> Response:
        """The same list as CSV, all of it."""
        return export.csv_of("audit-trail", _COLUMNS, Asked().page)
