"""Onward: from one registration to the next, within the filters that both addresses carry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from flask import flash, url_for
from flask_babel import gettext as _

from admin_views import filters
from admin_views.filters import Asked
from portal.accounts.user import User
from portal.database import db
from portal.desk import queue
from portal.desk.queue import NOBODY, Filters, Tab


def review_url(user_id: int, query: str) -> str:
    """The page of a registration, within these filters."""
    url = url_for("registrations.review", user_id=user_id)
    return f"{url}?{query}" if query else url


def list_url(query: str) -> str:
    """The list that it is taken from."""
    url = url_for("registrations.index")
    return f"{url}?{query}" if query else url


def neighbours(user: User) -> tuple[str | None, str | None]:
    """The pages before and after this one in the queue, as the address of this one narrows it."""
    asked, query = filters.asked(), filters.kept()
    if asked.tab is not Tab.READY:
        return None, None
    found = (
        queue.next_after(asked.filters, user, backwards=True),
        queue.next_after(asked.filters, user),
    )
    before, after = (review_url(id, query) if id and id != user.id else None for id in found)
    return before, after


def onward(ids: Sequence[int], back: str) -> Callable[[], str] | None:
    """Where one goes on who decides about one registration, on its page or from its row.

    None for whoever came from elsewhere, who goes back there. The filters are read now, so
    that nothing is decided from an address that means nothing.
    """
    path, _mark, query = back.partition("?")
    if len(ids) != 1 or path not in (url_for("registrations.index"), review_url(ids[0], "")):
        return None
    asked = filters.asked_by(query)
    return lambda: _next(ids[0], asked, back)


def _next(user_id: int, asked: Asked, back: str) -> str:
    said = back.partition("?")[2]
    if asked.tab is not Tab.READY:
        return list_url(said)
    query = filters.kept_of(said)
    found = _waiting(db.session.get_one(User, user_id), asked.filters)
    if found is not None:
        return review_url(found, query)
    if asked.is_narrowed:
        flash(_("That was the last one here."), "info")
    else:
        flash(_("That was the last one here. Nobody waits for you now."), "info")
    return list_url(query)


def _waiting(user: User, filters: Filters) -> int | None:
    """Who comes next: rather somebody whom no colleague looks at."""
    if filters.claimed is None:
        found = queue.next_after(replace(filters, claimed=NOBODY), user)
        if found is not None:
            return found
    return queue.next_after(filters, user)
