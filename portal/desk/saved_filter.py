"""Saved filters: lists that one member of staff comes back to, each kept under a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask_babel import lazy_gettext as _l
from sqlalchemy import ForeignKey, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Model, db
from portal.errors import StepRefused

if TYPE_CHECKING:
    from portal.accounts.user import User

MOST = 20  # above a list; more would be another list to search
LONGEST_NAME = 60
LONGEST_QUERY = 1000


class SavedFilter(Model):
    """A list with its filters, as the query of its address says them. Its owner alone sees it."""

    __tablename__ = "saved_filters"
    __table_args__ = (UniqueConstraint("by_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    by_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    query: Mapped[str] = mapped_column(String(LONGEST_QUERY))


def saved_by(user: User) -> list[SavedFilter]:
    """What this member of staff saved, by name. One query."""
    found = db.session.scalars(
        select(SavedFilter).where(SavedFilter.by_id == user.id).order_by(SavedFilter.id)
    )
    return sorted(found, key=lambda saved: saved.name.casefold())


def save(query: str, *, name: str, by: User) -> SavedFilter:
    """Keep a list with its filters under a name.

    Raises:
        StepRefused: the name is taken; there are too many; nothing is narrowed, or too much.
    """
    if not query:
        raise StepRefused(_l("There is nothing to save: the list is as it always is."))
    if len(query) > LONGEST_QUERY:
        raise StepRefused(_l("These filters are too long to be saved."))
    before = saved_by(by)
    if len(before) >= MOST:
        raise StepRefused(
            _l("You have %(num)d saved filters. Remove one before you save another.", num=MOST)
        )
    _must_be_free(name, before)

    saved = SavedFilter(by_id=by.id, name=name, query=query)
    db.session.add(saved)
    return saved


def rename(saved: SavedFilter, *, name: str, by: User) -> None:
    """Give a saved filter another name. The same name again changes nothing.

    Raises:
        StepRefused: the name is taken.
    """
    _must_be_free(name, [each for each in saved_by(by) if each.id != saved.id])

    saved.name = name


def remove(saved: SavedFilter) -> None:
    """Forget a saved filter. The list stays where it is."""
    db.session.delete(saved)


def _must_be_free(name: str, others: list[SavedFilter]) -> None:
    if any(each.name.casefold() == name.casefold() for each in others):
        raise StepRefused(_l("This name is taken. Choose another one."), field="name")
