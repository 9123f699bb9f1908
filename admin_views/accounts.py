"""Accounts: everybody whom the portal knows, searched, filtered and sorted."""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple

from flask import Response
from flask_admin import expose
from flask_babel import lazy_gettext as _l

from admin_views import export, parameters
from admin_views.account import OneAccount
from admin_views.base import listed
from admin_views.export import Column
from portal.accounts import directory
from portal.accounts.directory import Order
from portal.accounts.user import Status


class Sort(Enum):
    """The ways this list can be sorted."""

    NEWEST = "newest"
    OLDEST = "oldest"
    SIGN_IN = "sign-in"

    @property
    def label(self) -> Any:
        """The words to choose it by."""
        return _SORTS[self][0]

    @property
    def order(self) -> Order:
        """The order of the directory that it means."""
        return _SORTS[self][1]


_SORTS: dict[Sort, tuple[Any, Order]] = {
    Sort.NEWEST: (_l("Newest first"), Order.NEWEST_REGISTRATION),
    Sort.OLDEST: (_l("Oldest first"), Order.OLDEST_REGISTRATION),
    Sort.SIGN_IN: (_l("Latest sign-in first"), Order.LATEST_SIGN_IN),
}


class Accounts(OneAccount):
    """The directory of accounts, and one page for each."""

    part = "accounts"
    label = _l("Accounts")
    icon = "people"
    url_below_admin = "/accounts"

    @expose("/")
    def index(self) -> str:
        """List accounts: searched, filtered by where they stand, sorted."""
        asked = _asked()
        page = listed(
            lambda cursor: directory.page(
                status=asked.status, search=asked.search, order=asked.sort.order, cursor=cursor
            )
        )
        return self.render(
            "admin/accounts/index.html",
            page=page,
            status=asked.status,
            sort=asked.sort,
            search=asked.search,
            Status=Status,
            Sort=Sort,
        )

    @expose("/export.csv")
    def export(self) -> Response:
        """The same list as CSV, all of it."""
        asked = _asked()
        return export.csv_of(
            "accounts",
            _COLUMNS,
            lambda cursor, per_page: directory.page(
                status=asked.status,
                search=asked.search,
                order=asked.sort.order,
                cursor=cursor,
                per_page=per_page,
            ),
        )


class _Asked(NamedTuple):
    """What the address of the list asks for."""

    status: Status | None
    sort: Sort
    search: str


def _asked() -> _Asked:
    return _Asked(
        status=parameters.choice("status", Status),
        sort=parameters.choice("sort", Sort) or Sort.NEWEST,
        search=parameters.text("q"),
    )


_COLUMNS = [
    Column(_l("Number"), lambda user: user.id),
    Column(_l("Full name"), lambda user: user.full_name),
    Column(_l("Username"), lambda user: user.username),
    Column(_l("E-mail address"), lambda user: user.email),
    Column(_l("Status"), lambda user: user.status.label),
    Column(_l("Access level"), lambda user: user.access_level),
    Column(_l("Roles"), lambda user: ", ".join(role.name for role in user.roles)),
    Column(_l("Language"), lambda user: user.language),
    Column(_l("Registered"), lambda user: user.registered_at),
    Column(_l("Address confirmed"), lambda user: user.confirmed_at),
    Column(_l("Approved"), lambda user: user.approved_at),
    Column(_l("Current sign-in"), lambda user: user.current_login_at),
]
