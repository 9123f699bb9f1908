"""Figures: how much the desk decides and how long people wait for it."""

from __future__ import annotations

from enum import Enum
from typing import Any

from flask import Response, url_for
from flask_admin import expose
from flask_babel import lazy_gettext as _l

from admin_views import export, parameters, wording
from admin_views.base import StaffView
from admin_views.export import Column
from portal.desk import figures


class Period(Enum):
    """How far back the figures go."""

    MONTH = "4"
    QUARTER = "13"
    YEAR = "52"

    @property
    def weeks(self) -> int:
        """So many weeks, this one included."""
        return int(self.value)

    @property
    def label(self) -> Any:
        """The words to choose it by."""
        return _PERIODS[self]


_PERIODS = {
    Period.MONTH: _l("4 weeks"),
    Period.QUARTER: _l("13 weeks"),
    Period.YEAR: _l("52 weeks"),
}


class FiguresOfTheDesk(StaffView):
    """Decisions and waiting times, by week and by reviewer."""

    part = "figures"
    label = _l("Figures")
    icon = "bar-chart"
    url_below_admin = "/figures"

    @expose("/")
    def index(self) -> str:
        """Show the figures as charts, each with its table."""
        period = _period()
        return self.render(
            "admin/figures/index.html",
            figures=figures.of_last(period.weeks),
            period=period,
            periods=[
                (each.label, url_for(".index", weeks=each.value), each is period, None)
                for each in Period
            ],
        )

    @expose("/export.csv")
    def export(self) -> Response:
        """The weeks as CSV."""
        rows = figures.of_last(_period().weeks).by_week
        return export.csv_of("figures", _COLUMNS, export.one_page(rows))

    @expose("/reviewers.csv")
    def export_reviewers(self) -> Response:
        """The reviewers as CSV."""
        rows = figures.of_last(_period().weeks).by_reviewer
        columns = [Column(_l("Reviewer"), lambda row: _name(row[0])), *_COLUMNS[1:]]
        return export.csv_of("reviewers", columns, export.one_page(rows))


def _period() -> Period:
    return parameters.choice("weeks", Period) or Period.QUARTER


def _name(reviewer: Any) -> str:
    return wording.name_of(reviewer) if reviewer else str(_l("The portal"))


def _hours(wait: Any) -> float | None:
    return round(wait.total_seconds() / 3600, 2) if wait is not None else None


_COLUMNS = [
    Column(_l("Week from"), lambda row: row[0].date()),
    Column(_l("Approved"), lambda row: row[1].approved),
    Column(_l("Rejected"), lambda row: row[1].rejected),
    Column(_l("Half waited at most (hours)"), lambda row: _hours(row[1].median)),
    Column(_l("Nine of ten waited at most (hours)"), lambda row: _hours(row[1].ninetieth)),
]
