"""Registrations: who asks for an account, and what was decided about whom."""

from __future__ import annotations

from typing import Any

from flask import make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import lazy_gettext as _l

from admin_views import columns, export, filter_fields, filters, wording
from admin_views.base import back_to, listed
from admin_views.bulks import Bulks
from admin_views.claims import every_seconds
from admin_views.export import Column
from admin_views.filters import Asked
from admin_views.onward import list_url
from admin_views.review import Reviews
from admin_views.saved_filters import SavedFilters
from portal.accounts.user import User
from portal.desk import bulk, claim, decision, marks, queue, saved_filter, workplace
from portal.desk.decision import Decision, Verdict
from portal.desk.queue import Tab
from portal.desk.waiting import Waiting
from portal.mail import listing, opening
from portal.pages.doors import me
from portal.paging import PER_PAGE, Page


class Registrations(Bulks, Reviews, SavedFilters):
    """The queue. The list shows who waits; the pages behind its buttons decide."""

    part = "registrations"
    label = _l("Registrations")
    icon = "person-plus"
    counts = Waiting.READY
    url_below_admin = "/registrations"

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """List those who wait for us or we for them, the unconfirmed, or what was decided."""
        if request.args.get("tab") == "rejected":
            return redirect(_since_then(url_for(".index")), 301)
        asked = filters.asked()
        page = listed(lambda cursor: _page(asked, cursor))
        people = [row.user_id if asked.tab is Tab.DECIDED else row.id for row in page.rows]
        undecided = [] if asked.tab is Tab.DECIDED else people
        mails = listing.latest_to(people)
        counts = {} if asked.is_narrowed else queue.counts(*Tab)
        found = len(page.rows) if page.is_all else _number(asked, counts)
        return self.render(
            "admin/registrations/index.html",
            asked=asked,
            tab=asked.tab,
            tabs=[_tab(tab, asked, counts, found) for tab in Tab],
            page=page,
            found=found,
            fields=filter_fields.fields(asked),
            offered=columns.offered(asked.tab),
            shown=columns.chosen(asked.tab),
            kept=filters.kept_values(),
            saved=saved_filter.saved_by(me()),
            query=filters.kept(),
            address_of=list_url,
            undoable=decision.undoable(by=me()),
            bulks=bulk.current(),
            marks=marks.marks_of(undecided),
            claims=claim.held(undecided),
            every=every_seconds(),
            single_keys=workplace.of(me()).single_keys,
            mails=mails,
            looks=opening.looks([mail.id for mail in mails.values()]),
        )

    @expose("/columns", methods=["POST"])
    def choose_columns(self) -> ResponseReturnValue:
        """Show these columns in a list, now and whenever one comes back to it."""
        tab, wanted = filters.asked().tab, columns.wanted(filters.asked().tab)
        there = list_url(filters.kept(cols=",".join(wanted)))
        return columns.keep(make_response(back_to(there)), tab, wanted)

    @expose("/export.csv")
    def export(self) -> ResponseReturnValue:
        """The list on a tab as CSV, all of it."""
        if request.args.get("tab") == "rejected":
            return redirect(_since_then(url_for(".export")), 301)
        asked = filters.asked()
        return export.csv_of(
            "registrations",
            _OF_A_DECISION if asked.tab is Tab.DECIDED else _OF_A_PERSON,
            lambda cursor, per_page: _page(asked, cursor, per_page),
        )


def _page(asked: Asked, cursor: str, per_page: int = PER_PAGE) -> Page[Any]:
    if asked.tab is Tab.DECIDED:
        return queue.decided(asked.filters, cursor=cursor, per_page=per_page)
    return queue.page(asked.tab, asked.filters, cursor=cursor, per_page=per_page)


def _tab(
    tab: Tab, asked: Asked, counts: dict[Tab, int], found: int
) -> tuple[Any, str, bool, str | None]:
    """One of the lists in a row: its words, its address, whether it is this one, how many.

    Of a narrowed list only that number is known which is shown anyway.
    """
    is_this = tab is asked.tab
    number = found if is_this else counts.get(tab)
    there = list_url(filters.kept() if is_this else filters.on(tab))
    return tab.label, there, is_this, None if number is None else wording.count_text(number)


def _number(asked: Asked, counts: dict[Tab, int]) -> int:
    return queue.count(asked.tab, asked.filters) if asked.is_narrowed else counts[asked.tab]


def _since_then(url: str) -> str:
    """Where the list of the rejected is now; people keep addresses."""
    return f"{url}?{filters.kept(tab=Tab.DECIDED.value, verdict=Verdict.REJECTED.value)}"


def _level_wished(user: User) -> Any:
    return user.review.wished_level if user.review else None


_OF_A_PERSON = [
    Column(_l("Number"), lambda user: user.id),
    Column(_l("Full name"), lambda user: user.full_name),
    Column(_l("E-mail address"), lambda user: user.email),
    Column(_l("Language"), lambda user: user.language),
    Column(_l("Status"), lambda user: user.status.label),
    Column(_l("Why they ask"), lambda user: user.reason),
    Column(_l("Level wished"), _level_wished),
    Column(_l("Registered"), lambda user: user.registered_at),
    Column(_l("Address confirmed"), lambda user: user.confirmed_at),
    Column(_l("Waiting since"), lambda user: user.review and user.review.waiting_since),
    Column(_l("Asked"), lambda user: user.review and user.review.asked_at),
]

_OF_A_DECISION = [
    Column(_l("Number"), lambda decision: decision.user_id),
    Column(_l("Full name"), lambda decision: decision.user.full_name),
    Column(_l("E-mail address"), lambda decision: decision.user.email),
    Column(_l("Language"), lambda decision: decision.user.language),
    Column(_l("Status"), lambda decision: decision.user.status.label),
    Column(_l("Why they ask"), lambda decision: decision.user.reason),
    Column(_l("Decision"), lambda decision: Verdict(decision.verdict).label),
    Column(_l("Decided by"), lambda decision: decision.by),
    Column(_l("Decided"), lambda decision: decision.at),
    Column(_l("Access level"), lambda decision: decision.level),
    Column(_l("Why they were rejected"), lambda decision: _reason(decision)),
]


def _reason(decision: Decision) -> str:
    return decision.user.rejection_reason if decision.verdict == Verdict.REJECTED else ""
