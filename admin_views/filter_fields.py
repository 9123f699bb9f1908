"""Filter fields: what the queue can be narrowed by, as a form offers it and a chip says it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from flask import request
from flask_babel import gettext as _
from flask_babel import ngettext

from admin_views import wording
from admin_views.filters import Asked
from portal import i18n
from portal.accounts import access
from portal.accounts.user import User
from portal.database import db
from portal.desk import claim, waiting
from portal.desk.decision import Verdict
from portal.desk.marks import Mark
from portal.desk.queue import Tab

DAYS = (1, 2, 3, 5, 7, 14, 28)

Choices = Sequence[tuple[str, Any]]


class Field(NamedTuple):
    """One filter: its name in the address, and the value that the address gives it."""

    name: str
    label: str
    value: str
    # None: typed. Otherwise what there is to choose from, with the words for it.
    choices: Choices | None = None

    @property
    def words(self) -> str:
        """What a chip says of the value."""
        return str(dict(self.choices).get(self.value, self.value) if self.choices else self.value)


def fields(asked: Asked) -> list[Field]:
    """The filters that a list has, the search first. At most three queries."""
    filters = asked.filters
    found = [
        Field("q", _("Name, address or username"), filters.search),
        Field("domain", _("Domain"), filters.domain),
        _choice("language", _("Language"), i18n.language_menu(), filters.language),
        _choice("level", _("Level wished"), _levels(), filters.level_id),
        _choice("mark", _("Mark"), ((each.value, each.label) for each in Mark), filters.mark),
        _choice("age", _age_label(asked.tab), _ages(asked), filters.hours),
    ]
    if asked.tab is Tab.DECIDED:
        verdicts = ((each.value, each.label) for each in Verdict)
        return [*found, _choice("verdict", _("Decision"), verdicts, filters.verdict)]
    claimed = request.args.get("claimed", "")
    return [*found, _choice("claimed", _("Who looks at it"), _lookers(filters.claimed), claimed)]


def _choice(name: str, label: str, choices: Iterable[tuple[str, Any]], value: Any) -> Field:
    return Field(name, label, "" if value is None else str(value), list(choices))


def _levels() -> Choices:
    return [(str(level.id), level.name) for level in access.levels()]


def _age_label(tab: Tab) -> str:
    labels = {
        Tab.READY: _("Waiting for at least"),
        Tab.ASKED: _("Asked at least this long ago"),
        Tab.UNCONFIRMED: _("Registered at least this long ago"),
        Tab.DECIDED: _("Decided at least this long ago"),
    }
    return str(labels[tab])


def _ages(asked: Asked) -> Choices:
    """Days, besides after how long somebody is overdue, and what the address asks for."""
    overdue = waiting.overdue_hours() if asked.tab is Tab.READY else 0
    hours = {*(24 * each for each in DAYS), overdue, asked.filters.hours or 0} - {0}
    return [(str(each), _age_text(each, each == overdue)) for each in sorted(hours)]


def _age_text(hours: int, is_overdue: bool) -> str:
    days, rest = divmod(hours, 24)
    text = (
        ngettext("%(num)d hour", "%(num)d hours", hours)
        if rest
        else ngettext("%(num)d day", "%(num)d days", days)
    )
    return str(_("%(time)s (overdue)", time=text) if is_overdue else text)


def _lookers(asked: int | None) -> Choices:
    colleagues = {user.id: user for user in claim.lookers()}
    if asked and asked not in colleagues:
        somebody = db.session.get(User, asked)
        colleagues |= {somebody.id: somebody} if somebody and somebody.roles else {}
    named = [(str(user.id), wording.name_of(user)) for user in colleagues.values()]
    return [("me", _("Me")), ("nobody", _("Nobody")), *named]
