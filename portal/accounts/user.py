"""The user: what is known of a person, and where their account stands."""

from __future__ import annotations

import secrets
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext as _l
from flask_security.core import UserMixin
from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from portal import canonical
from portal.accounts import session
from portal.database import Base, Model, UtcDateTime, folded

if TYPE_CHECKING:
    from portal.accounts.access import AccessLevel
    from portal.accounts.permissions import Permission
    from portal.accounts.roles import Role
    from portal.desk.decision import Decision
    from portal.desk.memory import Fingerprint
    from portal.desk.question import Question
    from portal.desk.review import Review
    from portal.notifications import Notification


class Status(StrEnum):
    """Where an account stands in its life. Derived from facts."""

    UNCONFIRMED = "unconfirmed"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    SUSPENDED = "suspended"
    ERASED = "erased"

    @property
    def label(self) -> Any:
        """The word for it that people read."""
        return _STATUS_LABELS[self]


UNDECIDED = (Status.UNCONFIRMED, Status.PENDING)
"""Where somebody stands about whom staff have not decided."""


class Communication(StrEnum):
    """How much mail from agents a person wants. Mails about the account itself always go out."""

    ALL = "all"
    IMPORTANT = "important"
    NONE = "none"

    @property
    def label(self) -> Any:
        """The words for it that people choose from."""
        return _COMMUNICATION_LABELS[self]


_STATUS_LABELS = {
    Status.UNCONFIRMED: _l("Unconfirmed"),
    Status.PENDING: _l("Waiting for approval"),
    Status.APPROVED: _l("Approved"),
    Status.REJECTED: _l("Rejected"),
    Status.SUSPENDED: _l("Suspended"),
    Status.ERASED: _l("Erased"),
}

_COMMUNICATION_LABELS = {
    Communication.ALL: _l("Everything"),
    Communication.IMPORTANT: _l("Important messages only"),
    Communication.NONE: _l("Nothing"),
}

# The same derivation as `User.status`, for the database to index and filter.
STATUS_SQL = """CASE
    WHEN erased_at IS NOT NULL THEN 'erased'
    WHEN suspended_at IS NOT NULL THEN 'suspended'
    WHEN rejected_at IS NOT NULL THEN 'rejected'
    WHEN confirmed_at IS NULL THEN 'unconfirmed'
    WHEN approved_at IS NULL THEN 'pending'
    ELSE 'approved'
END"""

# How much of a name, an address and a username together a search looks through. A single sign
# may unfold to eighteen; what indexes hold has an end.
SEARCHED = 600

users_roles = Table(
    "users_roles",
    Base.metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("role_id", ForeignKey("roles.id", ondelete="RESTRICT"), primary_key=True),
    Index("ix_users_roles_role_id", "role_id"),
)


class User(Model, UserMixin):
    """A person known to the portal.

    Each step of the lifecycle leaves a timestamp. No other column says where
    the account stands: ask `status`.
    """

    __tablename__ = "users"
    __table_args__ = (
        # An erased account has given its names back; every other one has both.
        CheckConstraint(
            "erased_at IS NOT NULL OR (email_canonical IS NOT NULL"
            " AND username_canonical IS NOT NULL)",
            name="named_unless_erased",
        ),
        CheckConstraint(
            "approved_at IS NULL OR confirmed_at IS NOT NULL OR erased_at IS NOT NULL",
            name="confirmed_before_approved",
        ),
        CheckConstraint(
            "approved_at IS NULL OR access_level_id IS NOT NULL OR erased_at IS NOT NULL",
            name="approved_at_a_level",
        ),
        CheckConstraint("communication IN ('all', 'important', 'none')", name="communication"),
        CheckConstraint("theme IN ('auto', 'light', 'dark')", name="theme"),
        Index("ix_users_status_registered_at_id", "status", "registered_at", "id"),
        Index("ix_users_status_confirmed_at_id", "status", "confirmed_at", "id"),
        Index("ix_users_search_text_beginning", "search_text"),
        Index("ix_users_registered_at_id", "registered_at", "id"),
        Index("ix_users_current_login_at_id", "current_login_at", "id"),
        Index("ix_users_status_current_login_at_id", "status", "current_login_at", "id"),
    )
    __mapper_args__ = {"eager_defaults": False}  # noqa: RUF012 - SQLAlchemy reads it once

    id: Mapped[int] = mapped_column(primary_key=True)
    fs_uniquifier: Mapped[str] = mapped_column(
        String(64), unique=True, default=lambda: secrets.token_hex(16)
    )

    email: Mapped[str | None] = mapped_column(String(254))  # type: ignore[assignment]
    email_canonical: Mapped[str | None] = mapped_column(folded(254), unique=True)
    username: Mapped[str | None] = mapped_column(String(32))
    username_canonical: Mapped[str | None] = mapped_column(folded(32), unique=True)
    full_name: Mapped[str] = mapped_column(String(120))
    # What lists search: name, address and username, folded. Kept by `_remember_for_search`.
    search_text: Mapped[str] = mapped_column(folded(SEARCHED), default="")
    # None: whoever confirms the address chooses a password then.
    password: Mapped[str | None] = mapped_column(String(255))

    language: Mapped[str] = mapped_column(String(16), default="en")
    time_zone: Mapped[str] = mapped_column(String(64), default="")
    theme: Mapped[str] = mapped_column(String(8), default="auto")
    communication: Mapped[str] = mapped_column(String(12), default=Communication.IMPORTANT.value)
    reason: Mapped[str] = mapped_column(Text, default="")
    terms_version: Mapped[str] = mapped_column(String(32), default="")
    terms_accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    registered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    confirmation_mailed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    rejected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    rejection_reason: Mapped[str] = mapped_column(Text, default="")
    suspended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    access_level_id: Mapped[int | None] = mapped_column(
        ForeignKey("access_levels.id", ondelete="RESTRICT"), index=True
    )
    access_level: Mapped[AccessLevel | None] = relationship("AccessLevel", lazy="joined")
    roles: Mapped[list[Role]] = relationship(  # type: ignore[assignment]
        "Role", secondary=users_roles, lazy="selectin"
    )
    # What the desk knows of the registration; see `portal.desk.review`.
    review: Mapped[Review | None] = relationship(
        "Review", back_populates="user", uselist=False, passive_deletes="all"
    )
    # What staff should look at about this person, until it is settled.
    open_notifications: Mapped[list[Notification]] = relationship(
        "Notification",
        primaryjoin="and_(Notification.about_id == User.id, Notification.settled_at.is_(None))",
        viewonly=True,
    )

    # What was decided about this person and stands, the newest first.
    decisions: Mapped[list[Decision]] = relationship(
        "Decision",
        primaryjoin="and_(Decision.user_id == User.id, Decision.undone_at.is_(None))",
        order_by="(Decision.at.desc(), Decision.id.desc())",
        viewonly=True,
    )
    open_questions: Mapped[list[Question]] = relationship(
        "Question",
        primaryjoin="and_(Question.user_id == User.id, Question.answered_at.is_(None),"
        " Question.closed_at.is_(None))",
        viewonly=True,
    )
    # By which this person is recognised although they were rejected; see `portal.desk.memory`.
    fingerprints: Mapped[list[Fingerprint]] = relationship("Fingerprint", viewonly=True)

    # Kept by Flask-Security at sign-in (M6).
    last_login_at: Mapped[datetime | None] = mapped_column(  # type: ignore[assignment]
        UtcDateTime
    )
    current_login_at: Mapped[datetime | None] = mapped_column(  # type: ignore[assignment]
        UtcDateTime
    )
    last_login_ip: Mapped[str | None] = mapped_column(String(64))
    current_login_ip: Mapped[str | None] = mapped_column(String(64))
    login_count: Mapped[int] = mapped_column(Integer, default=0)

    # Since when signing in takes a second factor, and when the recovery codes for it were kept;
    # see `portal.accounts.factors`.
    second_factor_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    recovery_codes_kept_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    # When this member of staff was last mailed that registrations wait (M10).
    reviewer_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    _status: Mapped[str] = mapped_column(
        "status", String(12), Computed(STATUS_SQL, persisted=True), deferred=True
    )

    @hybrid_property
    def status(self) -> Status:
        """Where the account stands; in a query, the indexed column that says the same."""
        if self.erased_at:
            return Status.ERASED
        if self.suspended_at:
            return Status.SUSPENDED
        if self.rejected_at:
            return Status.REJECTED
        if not self.confirmed_at:
            return Status.UNCONFIRMED
        return Status.APPROVED if self.approved_at else Status.PENDING

    @status.inplace.expression
    @classmethod
    def _status_expression(cls) -> Any:
        return cls._status

    @property
    def active(self) -> bool:  # type: ignore[override]
        """Flask-Security's word: whether any session of this account may live.

        Suspension, erasure, and an address that nobody confirmed all close it.
        """
        return self.status in (Status.PENDING, Status.APPROVED, Status.REJECTED)

    @property
    def is_staff(self) -> bool:
        """Whether this person has any part in the staff panel."""
        return self.status is Status.APPROVED and bool(self.roles)

    @property
    def rank(self) -> int:
        """The rank of the highest role, 0 for people without one."""
        return max((role.rank for role in self.roles), default=0)

    def may(self, permission: Permission) -> bool:
        """Whether one of this person's roles carries the permission. Only approved staff may."""
        return self.status is Status.APPROVED and any(
            permission in role.permissions for role in self.roles
        )

    def end_sessions(self) -> None:
        """Make every session of this account, and every link mailed to it, worthless."""
        self.fs_uniquifier = secrets.token_hex(16)
        if self.id is not None:
            session.end_all(self)

    @validates("email")
    def _keep_email_canonical(self, _key: str, email: str | None) -> str | None:
        self.email_canonical = canonical.email(email) if email else None
        self._remember_for_search(email=email)
        return email

    @validates("username")
    def _keep_username_canonical(self, _key: str, username: str | None) -> str | None:
        self.username_canonical = canonical.username(username) if username else None
        self._remember_for_search(username=username)
        return username

    @validates("full_name")
    def _keep_name_searchable(self, _key: str, full_name: str) -> str:
        self._remember_for_search(full_name=full_name)
        return full_name

    def _remember_for_search(self, **changed: str | None) -> None:
        parts = {
            "full_name": self.full_name,
            "email": self.email,
            "username": self.username,
        }
        parts.update(changed)
        text = canonical.search_text(*(part for part in parts.values() if part))
        self.search_text = text[:SEARCHED]

    def __str__(self) -> str:
        return self.full_name or self.username or f"#{self.id}"
