"""Roles: what a member of staff may do in the panel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask_babel import lazy_gettext as _l
from flask_security.core import RoleMixin
from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, Text, func, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal import audit
from portal.accounts import authority
from portal.accounts.permissions import Permission
from portal.accounts.user import Status, User, users_roles
from portal.audit import Action
from portal.database import Model, db
from portal.errors import StepRefused

if TYPE_CHECKING:
    from portal.accounts.access import AccessLevel


ADMINISTRATOR = "administrator"


class Role(Model, RoleMixin):
    """A part in the staff panel. `rank` orders roles: nobody changes somebody of a higher one."""

    __tablename__ = "roles"
    __table_args__ = (CheckConstraint("rank > 0", name="rank_positive"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    rank: Mapped[int]
    permissions: Mapped[list[str]] = mapped_column(JSON, default=list)
    # The highest access level that this role may give, whatever the giver's own.
    grants_up_to_id: Mapped[int | None] = mapped_column(
        ForeignKey("access_levels.id", ondelete="RESTRICT"), index=True
    )
    grants_up_to: Mapped[AccessLevel | None] = relationship("AccessLevel", lazy="joined")

    def __str__(self) -> str:
        return self.name


def change_roles(user: User, *, to: Iterable[Role], by: User | None) -> None:
    """Give somebody exactly these roles. The same roles again change nothing.

    Fewer roles end the person's sessions, so that no open page keeps what was taken.

    Raises:
        StepRefused: it is oneself, or somebody above; a role above the giver's own;
            the account is not approved; nobody would be left to administer.
    """
    wanted = sorted(set(to), key=lambda role: role.rank)
    before = sorted(user.roles, key=lambda role: role.rank)
    if wanted == before:
        return
    must_be_changeable(user, by=by)
    if by is not None and any(role.rank > by.rank for role in set(wanted) ^ set(before)):
        raise StepRefused(_l("You cannot give or take a role above your own."))
    if wanted and user.status is not Status.APPROVED:
        raise StepRefused(_l("Roles are for approved accounts. Approve the account first."))
    if any(role.name == ADMINISTRATOR for role in before) and not any(
        role.name == ADMINISTRATOR for role in wanted
    ):
        must_leave_an_administrator(user)

    user.roles = wanted
    if set(before) - set(wanted):
        user.end_sessions()
    audit.record(
        Action.ROLES_CHANGED,
        about=user,
        by=by,
        before=[role.name for role in before],
        after=[role.name for role in wanted],
    )


def must_be_changeable(user: User, *, by: User | None) -> None:
    """Refuse to change somebody's roles, to whatever roles.

    Raises:
        StepRefused: it is oneself, or somebody above; there is no role to take and the account
            is not approved.
    """
    authority.must_outrank(by, user)
    if user.status is not Status.APPROVED and not user.roles:
        raise StepRefused(_l("Roles are for approved accounts. Approve the account first."))


def edit_role(
    role: Role,
    *,
    description: str,
    permissions: Iterable[Permission],
    grants_up_to: AccessLevel | None,
    by: User,
) -> None:
    """Change what a role may do. Names and ranks stay, because people hold them.

    Raises:
        StepRefused: it is the editor's own role, or one above it; it would allow what the
            editor may not do or give; the administrator role would no longer administer.
    """
    chosen = sorted({Permission(permission).value for permission in permissions})
    must_be_editable(role, by=by)
    added = set(chosen) - set(role.permissions)
    if not all(by.may(Permission(permission)) for permission in added):
        raise StepRefused(_l("You cannot allow a role what you may not do yourself."))
    if grants_up_to is not None and grants_up_to is not role.grants_up_to:
        authority.must_be_granted(by, grants_up_to)
    if role.name == ADMINISTRATOR and Permission.ADMINISTER.value not in chosen:
        raise StepRefused(_l("The administrator role must keep its permission to administer."))
    before = {
        "permissions": list(role.permissions),
        "grants_up_to": _name(role.grants_up_to),
    }
    after = {"permissions": chosen, "grants_up_to": _name(grants_up_to)}
    if before == after and role.description == description:
        return

    role.description = description
    role.permissions = chosen
    role.grants_up_to = grants_up_to
    audit.record(Action.ROLE_EDITED, by=by, role=role.name, before=before, after=after)


def must_be_editable(role: Role, *, by: User) -> None:
    """Refuse to edit a role.

    Raises:
        StepRefused: it is the editor's own role, or one above it.
    """
    if role in by.roles or role.rank > by.rank:
        raise StepRefused(_l("You cannot edit a role of your own or one above it."))


def administrator_role() -> Role:
    """The role that may edit roles; made by the first migration."""
    return db.session.scalars(select(Role).filter_by(name=ADMINISTRATOR)).one()


def administrator_exists() -> bool:
    """Whether anybody is there who may administer. Until then the portal offers set-up."""
    return bool(_count_administrators(except_for=None))


def must_leave_an_administrator(user: User) -> None:
    """Refuse to take the last administrator away, also when two are taken at once.

    The role's row is locked, so that of two administrators who remove each other
    the second one counts what the first one left.
    """
    db.session.execute(select(Role.id).filter_by(name=ADMINISTRATOR).with_for_update()).scalar_one()
    if not _count_administrators(except_for=user):
        raise StepRefused(
            _l("This is the last administrator. Make somebody else administrator first.")
        )


def is_administrator(user: User) -> bool:
    """Whether the person holds the administrator role."""
    return any(role.name == ADMINISTRATOR for role in user.roles)


def staff_with(permission: Permission) -> list[User]:
    """Approved people whose roles carry the permission, by id."""
    roles = [role for role in db.session.scalars(select(Role)) if permission in role.permissions]
    return list(
        db.session.scalars(
            select(User)
            .join(users_roles, users_roles.c.user_id == User.id)
            .where(users_roles.c.role_id.in_([role.id for role in roles]))
            .where(User.status == Status.APPROVED.value)
            .order_by(User.id)
            .distinct()
        ).unique()
    )


def _count_administrators(*, except_for: User | None) -> int:
    query = (
        select(func.count())
        .select_from(users_roles)
        .join(Role, Role.id == users_roles.c.role_id)
        .join(User, User.id == users_roles.c.user_id)
        .where(Role.name == ADMINISTRATOR, User.status == Status.APPROVED.value)
    )
    if except_for is not None:
        query = query.where(User.id != except_for.id)
    return db.session.scalar(query) or 0


def _name(level: AccessLevel | None) -> str | None:
    return level.name if level else None
