"""Memory: that somebody was rejected or erased before, told by fingerprints alone (B4)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, update
from sqlalchemy.orm import Mapped, mapped_column

from portal import clock
from portal.database import Model, UtcDateTime, db, folded, read_anew
from portal.desk.traces import mailbox_key, name_key
from portal.fingerprints import LENGTH, fingerprint

if TYPE_CHECKING:
    from portal.accounts.user import User


class Past(StrEnum):
    """What became of an earlier registration."""

    REJECTED = "rejected"
    ERASED = "erased"


class Fingerprint(Model):
    """Something of an earlier registration, recognisable and not readable.

    `user_id` leads to the account as long as it has its data, so that the rejection can be
    taken back. With the data it goes, and what is left names nobody.
    """

    __tablename__ = "fingerprints"
    __table_args__ = (
        CheckConstraint("past IN ('rejected', 'erased')", name="past"),
        Index("ix_fingerprints_value", "value", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    value: Mapped[str] = mapped_column(folded(LENGTH))
    past: Mapped[str] = mapped_column(String(12))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(Text, default="")
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL"), index=True
    )


def remember(user: User, past: Past, *, reason: str = "") -> None:
    """Keep the fingerprints of this person's address and name."""
    prints = {
        "address": fingerprint(mailbox_key(user.email_canonical or ""), of="address"),
        "name": fingerprint(name_key(user.full_name), of="name"),
    }
    db.session.add_all(
        Fingerprint(
            kind=kind,
            value=value,
            past=past.value,
            at=clock.now(),
            reason=reason,
            user_id=user.id,
        )
        for kind, value in prints.items()
    )
    read_anew(user, "fingerprints")


def take_back(user: User) -> None:
    """Forget that this person was rejected: the decision was undone, or is open again."""
    for known in user.fingerprints:
        db.session.delete(known)
    read_anew(user, "fingerprints")


def let_go(user: User) -> None:
    """Cut the tie between the fingerprints and the account, whose data goes."""
    db.session.flush()
    db.session.execute(
        update(Fingerprint).where(Fingerprint.user_id == user.id).values(user_id=None)
    )
