"""What every staff view does alike: who may see it, its menu, and asking for a step."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from flask import abort, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_admin import BaseView
from flask_babel import lazy_gettext as _l
from sqlalchemy.exc import IntegrityError

from admin_views import wording
from portal.database import Base, db, locked, transaction
from portal.desk import waiting
from portal.desk.waiting import Waiting
from portal.errors import StepRefused
from portal.pages.doors import me
from portal.paging import Page
from portal.security import gate
from portal.security.forms import PortalForm
from portal.security.redirects import local_target

Row = TypeVar("Row", bound=Base)
Found = TypeVar("Found")

# In an address: an id that both databases can hold. Anything else is no such page.
ID = "<int(min=1, max=2147483647):{}>"


class MenuItem(NamedTuple):
    """One entry of the staff menu."""

    label: Any
    url: str
    icon: str
    active: bool
    badge: str = ""
    badge_means: Any = ""


# What the menu counts, and how the number is read out.
_BADGES = {Waiting.READY: _l("waiting"), Waiting.MENTIONS: _l("mentions of you")}


class StaffView(BaseView):
    """A part of the staff panel. Who may see which page of it, the gate's table says."""

    part: ClassVar[str]
    label: ClassVar[Any]
    icon: ClassVar[str]
    counts: ClassVar[Waiting | None] = None  # what its badge in the menu says the number of
    url_below_admin: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(name=self.label, endpoint=self.part, url=f"/admin{self.url_below_admin}")

    def is_accessible(self) -> bool:
        """Whether whoever is signed in may see this part; the gate asks before this does."""
        return may_open(f"{self.part}.index")

    def render(self, template: str, **values: Any) -> str:
        """Render one of our templates: with the staff menu, without Flask-Admin's names."""
        return render_template(
            template,
            menu=self._menu(),
            may_open=may_open,
            here=here,
            csv_url=csv_url,
            **values,
        )

    def row(self, model: type[Row], identity: int) -> Row:
        """The row that an address names, or the page for what does not exist."""
        return db.session.get(model, identity) or abort(404)

    def _menu(self) -> list[MenuItem]:
        assert self.admin is not None
        waits = waiting.counts(*_BADGES, whom=me())
        return [
            MenuItem(
                item.name,
                str(item.get_url()),
                view.icon,
                item.is_active(self),
                wording.badge_text(waits[view.counts]) if view.counts else "",
                _BADGES[view.counts] if view.counts else "",
            )
            for item in self.admin.menu()
            if item.is_accessible() and isinstance(view := getattr(item, "_view", None), StaffView)
        ]

    def _run_view(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        # Flask-Admin's own calls the view a second time after a TypeError, which hides the first.
        return fn(self, *args, **kwargs)


def may_open(endpoint: str) -> bool:
    """Whether the gate would let whoever is signed in see this page."""
    rule = gate.rule_for(endpoint)
    user = me()
    return (
        rule is not None
        and user.is_authenticated
        and user.status in rule.statuses
        and (rule.permission is None or user.may(rule.permission))
    )


def ask_for(step: Callable[[], object], *, done: str = "", form: PortalForm | None = None) -> bool:
    """Take a step in one transaction and say how it went. Returns whether it was taken.

    A refusal is shown in the form, where there is one, so that nothing typed is lost.
    """
    try:
        in_transaction(step)
    except StepRefused as refused:
        if form is None:
            flash(str(refused), "error")
        else:
            form.refuse(refused)
        return False
    if done:
        flash(done, "success")
    return True


def in_transaction(step: Callable[[], object]) -> None:
    """Take a step, as somebody who may still do so at that moment.

    Raises:
        StepRefused: the step says no, or the database does.
    """
    try:
        with transaction():
            if request.endpoint is None or not may_open(request.endpoint):
                abort(403)
            step()
    except IntegrityError as error:
        raise _refused_by_database(error) from error


def chosen(model: type[Row], identity: int | None) -> Row:
    """A row that a form names, as it is now.

    Raises:
        StepRefused: somebody removed it meanwhile.
    """
    row = db.session.get(model, identity) if identity is not None else None
    if row is None:
        raise StepRefused(_l("What you chose was removed meanwhile. Choose again."))
    return row


def current(model: type[Row], identity: int) -> Row:
    """A row to take a step on, locked. Rows of accounts never go; of others, they may.

    Raises:
        StepRefused: somebody removed it meanwhile.
    """
    row = locked(model, identity)
    if row is None:
        raise StepRefused(_l("Somebody removed this meanwhile."))
    return row


def way_back(otherwise: str) -> str:
    """Where the page before this one was: the list with its filters, or else this address."""
    return local_target(request.values.get("back")) or otherwise


def here(**changes: str | None) -> str:
    """The address of this page with its filters, some of them changed (None takes one out).

    Whoever changes a filter starts at the first page of what it leaves.
    """
    if not changes and "cursor" in request.args:
        changes = {"cursor": request.args["cursor"]}
    kept = [(name, value) for name, value in _filters() if name not in changes]
    query = urlencode(kept + [(name, value) for name, value in changes.items() if value])
    path = quote(request.script_root + request.path)
    return f"{path}?{query}" if query else path


def csv_url() -> str:
    """The address of the list on this page as CSV, with the same filters and all its pages."""
    filters = _filters()
    path = quote(request.script_root + request.path) + "export.csv"
    return f"{path}?{urlencode(filters)}" if filters else path


def _filters() -> list[tuple[str, str]]:
    """What the address says, without the place in the list."""
    said = request.args.items(multi=True)
    return [(name, value) for name, value in said if value and name != "cursor"]


def listed(fetch: Callable[[str], Page[Found]]) -> Page[Found]:
    """The page of a list that the address names; the first where all of that one is gone.

    So whoever decides about everybody on the last page does not come back to an empty list.
    """
    cursor = request.args.get("cursor", "")
    page = fetch(cursor)
    return page if page.rows or not cursor else fetch("")


def back_to(url: str) -> ResponseReturnValue:
    """After a change: to a page that may be reloaded without changing anything."""
    return redirect(url, 303)


def _refused_by_database(error: IntegrityError) -> StepRefused:
    """What a constraint says, in words, and beside the field that it is about."""
    said = str(error.orig)
    for table, field in (
        ("access_levels", "name"),
        ("agents", "name"),
        ("standard_texts", "name"),
        ("saved_filters", "name"),
        ("access_levels", "rank"),
    ):
        if f"{table}.{field}" in said or re.search(rf"uq_{table}_(\w+_)?{field}\b", said):
            sentence = (
                _l("Another level has this rank. Choose another number.")
                if field == "rank"
                else _l("This name is taken. Choose another one.")
            )
            return StepRefused(sentence, field=field)
    return StepRefused(_l("Somebody changed this at the same moment. Look again and repeat it."))
