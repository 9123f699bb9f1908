"""Passkeys: keys that a device or a security key keeps, each a row by its public half.

How one is made and used stands in `ceremony`.
"""

from __future__ import annotations

from datetime import datetime
from ipaddress import ip_address

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    LargeBinary,
    String,
    delete,
    func,
    select,
)
from sqlalchemy.orm import Mapped, mapped_column

from portal import settings
from portal.accounts.user import User
from portal.database import Model, UtcDateTime, db

KIND = "passkey"

LONGEST_NAME = 60
LONGEST_ID = 1023  # the standard's own bound
MOST = 20


class Passkey(Model):
    """A key of an account, by its public half. Its owner gives it the name."""

    __tablename__ = "passkeys"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # How often the key was used, as it counts itself; 0 for those that do not.
    sign_count: Mapped[int] = mapped_column(BigInteger)
    # Whether it may live on several devices (never changes), and whether it does so now.
    may_be_backed_up: Mapped[bool]
    is_backed_up: Mapped[bool]
    transports: Mapped[list[str]] = mapped_column(JSON, default=list)


def are_possible() -> bool:
    """Whether passkeys work at the portal's address: they are bound to a name, not to a number."""
    ours = settings.current()
    try:
        ip_address(ours.public_host)
    except ValueError:
        return ours.is_https or ours.public_is_loopback
    return False


def of(user: User) -> list[Passkey]:
    """The passkeys of this account, by when they were added."""
    found = select(Passkey).where(Passkey.user_id == user.id).order_by(Passkey.id)
    return list(db.session.scalars(found))


def number(user: User) -> int:
    """How many there are."""
    counted = select(func.count(Passkey.id)).where(Passkey.user_id == user.id)
    return db.session.scalar(counted) or 0


def one_of(user: User, passkey_id: int) -> Passkey | None:
    """A passkey of this account by its number."""
    found = select(Passkey).where(Passkey.user_id == user.id, Passkey.id == passkey_id)
    return db.session.scalars(found).one_or_none()


def rename(passkey: Passkey, *, name: str) -> None:
    """Give it another name. It says nothing about who may sign in, and is not recorded."""
    passkey.name = name


def remove(passkey: Passkey) -> None:
    """Take one away. See `removal`, which looks at what is left."""
    db.session.delete(passkey)
    db.session.flush()


def remove_since(user: User, moment: datetime) -> int:
    """Take those of an account away that were added then or after. Returns how many."""
    gone = db.session.scalars(
        delete(Passkey)
        .where(Passkey.user_id == user.id, Passkey.added_at >= moment)
        .returning(Passkey.id),
        execution_options={"synchronize_session": "fetch"},
    )
    return len(gone.all())


def forget(user: User) -> None:
    """Take all of an account away."""
    db.session.execute(delete(Passkey).where(Passkey.user_id == user.id))
