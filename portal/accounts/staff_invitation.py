"""Staff invitation: a one-time link with which somebody makes their own staff account."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum

from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, ForeignKey, String, and_, func, select, update
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal import audit, canonical, clock
from portal.accounts import access, usernames
from portal.accounts.roles import Role
from portal.accounts.user import User
from portal.audit import Action
from portal.database import Model, UtcDateTime, db
from portal.errors import StepRefused

LASTS = timedelta(hours=1)


class InvitationState(StrEnum):
    """What a link is good for."""

    READY = "ready"
    EXPIRED = "expired"
    USED = "used"
    INVALID = "invalid"


class StaffInvitation(Model):
    """A link that was handed out. Only the hash of its token is kept (ASVS 11.5.1)."""

    __tablename__ = "staff_invitations"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    email: Mapped[str] = mapped_column(String(254), default="")
    username: Mapped[str] = mapped_column(String(32), default="")
    role_id: Mapped[int] = mapped_column(ForeignKey("roles.id", ondelete="CASCADE"), index=True)
    invited_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    role: Mapped[Role] = relationship("Role", lazy="joined")

    @property
    def state(self) -> InvitationState:
        """Whether the link still leads anywhere."""
        if self.used_at:
            return InvitationState.USED
        expired = self.expires_at <= clock.now()
        return InvitationState.EXPIRED if expired else InvitationState.READY


def invite(*, role: Role, email: str = "", username: str = "", by: User | None = None) -> str:
    """Make a link for one person and one role. Returns its token, which is kept nowhere.

    Earlier links to the same address stop working, whatever their role: it may have been the
    wrong one. So do those for anybody to the same role, where this one is for anybody.
    """
    _expire(_is_to(email) if email else _is_to_anybody(role))
    token = secrets.token_urlsafe(32)
    db.session.add(
        StaffInvitation(
            token_hash=_hash(token),
            email=email,
            username=username,
            role=role,
            invited_at=clock.now(),
            expires_at=clock.now() + LASTS,
        )
    )
    audit.record(Action.STAFF_INVITED, by=by, role=role.name)
    return token


def find(token: str, *, to_accept: bool = False) -> StaffInvitation | None:
    """The invitation this token belongs to, or None; locked for the one who accepts it."""
    query = select(StaffInvitation).filter_by(token_hash=_hash(token))
    if to_accept:
        query = query.with_for_update(of=StaffInvitation)
    return db.session.scalars(query).one_or_none()


def accept(
    invitation: StaffInvitation,
    *,
    full_name: str,
    username: str,
    email: str,
    password_hash: str,
    language: str,
) -> User:
    """Make the staff account: confirmed and approved, with the role, at the role's level.

    Raises:
        StepRefused: the link was used or is too old; the address or username is taken.
    """
    if invitation.state is not InvitationState.READY:
        raise StepRefused(_l("This link no longer works. Ask for a new one."))
    _must_be_free(email, username)
    level = invitation.role.grants_up_to or access.levels()[0]

    now = clock.now()
    user = User(
        full_name=full_name,
        username=username,
        email=email,
        password=password_hash,
        language=language,
        registered_at=now,
        confirmed_at=now,
        approved_at=now,
        access_level=level,
        roles=[invitation.role],
    )
    invitation.used_at = now
    _expire(_is_to_anybody(invitation.role))  # what it was for is done
    db.session.add(user)
    audit.record(Action.STAFF_JOINED, about=user, by=user, role=invitation.role.name)
    return user


def _expire(which: ColumnElement[bool]) -> None:
    db.session.execute(
        update(StaffInvitation)
        .where(which, StaffInvitation.used_at.is_(None))
        .values(expires_at=clock.now())
    )


def _is_to(email: str) -> ColumnElement[bool]:
    return func.lower(StaffInvitation.email) == email.lower()


def _is_to_anybody(role: Role) -> ColumnElement[bool]:
    return and_(StaffInvitation.role_id == role.id, StaffInvitation.email == "")


def _must_be_free(email: str, username: str) -> None:
    if db.session.scalar(select(User.id).filter_by(email_canonical=canonical.email(email))):
        raise StepRefused(_l("An account with this address exists."), field="email")
    if db.session.scalar(
        select(User.id).filter_by(username_canonical=canonical.username(username))
    ):
        raise usernames.username_taken()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
