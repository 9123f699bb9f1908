"""Access levels: how far an approved person gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, String, Text, false, func, select
from sqlalchemy.orm import Mapped, mapped_column

from portal import audit
from portal.accounts import authority
from portal.accounts.user import Status
from portal.audit import Action
from portal.database import Model, db
from portal.errors import StepRefused
from portal.mail import messages, outbox

if TYPE_CHECKING:
    from portal.accounts.user import User


class AccessLevel(Model):
    """A level that agents and apps require and that people are given. Higher rank opens more."""

    __tablename__ = "access_levels"
    __table_args__ = (CheckConstraint("rank > 0", name="rank_positive"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    rank: Mapped[int] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    # Whether an applicant may wish for it.
    offered: Mapped[bool] = mapped_column(default=False, server_default=false())

    def opens(self, other: AccessLevel) -> bool:
        """Whether somebody at this level may open what requires the other."""
        return self.rank >= other.rank

    def __str__(self) -> str:
        return self.name


def change_access_level(user: User, *, to: AccessLevel, by: User | None) -> None:
    """Let an approved person open more, or less. The same level again changes nothing.

    A lower level ends the person's sessions, so that it holds at once.

    Raises:
        StepRefused: the account is not approved; it is oneself or somebody above; the
            level, or the one that is taken away, is above what the giver's roles may give.
    """
    before = user.access_level
    if before is not None and before.id == to.id:
        return
    before = must_be_changeable(user, by=by)
    authority.must_be_granted(by, to)

    user.access_level = to
    if not to.opens(before):
        user.end_sessions()
    audit.record(Action.ACCESS_CHANGED, about=user, by=by, before=before.name, after=to.name)
    outbox.post(messages.access_changed(user, before.name, to.name))


def must_be_changeable(user: User, *, by: User | None) -> AccessLevel:
    """Refuse to change how far somebody gets, to whatever level. Returns the level they have.

    Raises:
        StepRefused: the account is not approved; it is oneself or somebody above; the level
            that would be taken away is above what the giver's roles may give.
    """
    if user.status is not Status.APPROVED or user.access_level is None:
        raise StepRefused(_l("Only approved accounts have an access level."))
    authority.must_outrank(by, user)
    authority.must_be_granted(by, user.access_level)
    return user.access_level


def levels() -> list[AccessLevel]:
    """Every access level, lowest first."""
    return list(db.session.scalars(select(AccessLevel).order_by(AccessLevel.rank)))


def levels_offered() -> list[AccessLevel]:
    """The access levels that an applicant may wish for, lowest first; none where it is no choice.

    Anybody reads their names and descriptions, and so staff choose which these are.
    """
    query = select(AccessLevel).where(AccessLevel.offered).order_by(AccessLevel.rank)
    offered = list(db.session.scalars(query))
    return offered if len(offered) > 1 else []


def levels_grantable(by: User) -> list[AccessLevel]:
    """The access levels that this member of staff may give, lowest first."""
    return [level for level in levels() if authority.may_grant(by, level)]


def edit_level(
    level: AccessLevel | None,
    *,
    name: str,
    rank: int,
    description: str,
    offered: bool = False,
    by: User,
) -> AccessLevel:
    """Make an access level (None) or change one. The database refuses a name or rank twice.

    Raises:
        StepRefused: it is above what the editor's roles may give, before or after: by moving
            a level down, one could give what one may not.
    """
    if level is not None:
        authority.must_be_granted(by, level)
    authority.must_be_granted(by, AccessLevel(name=name, rank=rank))
    before = {"name": level.name, "rank": level.rank, "offered": level.offered} if level else None
    after = {"name": name, "rank": rank, "offered": offered}
    if level is None:
        level = AccessLevel()
        db.session.add(level)
    level.name, level.rank, level.description = name, rank, description
    level.offered = offered
    audit.record(Action.LEVEL_EDITED, by=by, before=before, after=after)
    return level


def remove_level(level: AccessLevel, *, by: User) -> None:
    """Remove an access level that nobody has and nothing requires.

    Raises:
        StepRefused: it is in use; the sentence says by how many; it is above what the
            editor's roles may give.
    """
    authority.must_be_granted(by, level)
    uses = _uses(level)
    if uses:
        raise StepRefused(
            _l(
                "%(count)s accounts, roles or agents use this level. Move them first.",
                count=uses,
            )
        )
    audit.record(Action.LEVEL_REMOVED, by=by, name=level.name, rank=level.rank)
    db.session.delete(level)


def _uses(level: AccessLevel) -> int:
    count = 0
    for mapper in Model.registry.mappers:
        for column in mapper.columns:
            if any(
                key.column is AccessLevel.__table__.c.id and key.ondelete == "RESTRICT"
                for key in column.foreign_keys
            ):
                found = select(func.count()).where(column == level.id)
                count += db.session.scalar(found) or 0
    return count
