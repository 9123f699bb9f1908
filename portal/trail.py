"""The trail, asked: which entries there are of an action, about or by people, and in a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select, union
from sqlalchemy.orm import joinedload, raiseload

from portal.audit import Action, AuditEntry
from portal.paging import PER_PAGE, Keyset, Page


def page(
    *,
    action: Action | None = None,
    people: Sequence[int] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    cursor: str = "",
    per_page: int = PER_PAGE,
) -> Page[AuditEntry]:
    """One page of entries, newest first, with who did it and to whom. One query.

    `people` are ids of accounts: entries about any of them or by any of them; an empty list
    finds nothing. `since` is included, `until` is not. Each person's entries are read from an
    index of their own and cut to a page, so that give no more than a few to ask for.
    """
    keyset = Keyset(AuditEntry.at, AuditEntry.id, descending=True, cursor=cursor, per_page=per_page)
    conditions = _conditions(action, since, until)
    query = select(AuditEntry).where(*conditions)
    if people is not None:
        if not people:
            return Page()
        sides = [
            keyset.narrow(select(AuditEntry.id).where(*conditions, side == person)).subquery()
            for person in people
            for side in (AuditEntry.about_id, AuditEntry.by_id)
        ]
        query = select(AuditEntry).where(
            AuditEntry.id.in_(union(*(select(side.c.id) for side in sides)))
        )
    return keyset.page(
        query.options(
            joinedload(AuditEntry.about).options(raiseload("*")),
            joinedload(AuditEntry.by).options(raiseload("*")),
        )
    )


def _conditions(
    action: Action | None, since: datetime | None, until: datetime | None
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if action is not None:
        conditions.append(AuditEntry.action == action.value)
    if since is not None:
        conditions.append(AuditEntry.at >= since)
    if until is not None:
        conditions.append(AuditEntry.at < until)
    return conditions
