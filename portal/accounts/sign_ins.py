"""Sign-ins: each try to sign in to an account, when, how, from where and how it went.

What was typed is never kept, and neither are tries with a name that nobody has. Failures of one
account from one network are one row with a number, until the next sign-in: whoever tries all night
fills no disk, and drives nothing else out of sight (M6; ASVS 6.3.5, 16.3.1).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import ForeignKey, Index, String, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from portal import clock, settings
from portal.database import Model, UtcDateTime, db, folded, transaction
from portal.paging import Keyset, Page

if TYPE_CHECKING:
    from portal.accounts.user import User

AGENT_LENGTH = 300
HOW_LENGTH = 60
# Rows that one account has at most: so many sign-ins, and so many failures beside them, so that
# neither drives the other out.
MOST = 100
# What is written for names that nobody has goes to one of so many rows, none of which says
# anything; several, so that strangers do not wait for each other.
DECOYS = 64
BATCH = 1000  # so that the write lock is held for moments, however many rows are old


class Outcome(StrEnum):
    """How a try went."""

    OK = "ok"
    WRONG_PASSWORD = "wrong_password"
    WRONG_CODE = "wrong_code"
    DELAYED = "delayed"
    UNCONFIRMED = "unconfirmed"
    SUSPENDED = "suspended"
    CLOSED = "closed"

    @property
    def label(self) -> Any:
        """The words for it that people read."""
        return _OUTCOMES[self]


_OUTCOMES = {
    Outcome.OK: _l("Signed in"),
    Outcome.WRONG_PASSWORD: _l("Wrong password"),
    Outcome.WRONG_CODE: _l("Wrong code"),
    Outcome.DELAYED: _l("Had to wait after too many tries"),
    Outcome.UNCONFIRMED: _l("Address not confirmed"),
    Outcome.SUSPENDED: _l("Account suspended"),
    Outcome.CLOSED: _l("Account not open"),
}

# With what somebody showed that it is them, by the names that the doors give it.
_WAYS = {
    "password": _l("Password"),
    "authenticator": _l("Authenticator app"),
    "recovery code": _l("Recovery code"),
    "passkey": _l("Passkey"),
    "remembered": _l("Remembered device"),
}
PASSWORD = "password"


class SignIn(Model):
    """One sign-in, or the failures of one kind from one network between two sign-ins."""

    __tablename__ = "sign_ins"
    __table_args__ = (
        Index("ix_sign_ins_user_id_last_at_id", "user_id", "last_at", "id"),
        Index("ix_sign_ins_last_at", "last_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # None for what is written of names that nobody has.
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    # What makes two failures one row.
    fold: Mapped[str] = mapped_column(folded(120), unique=True)
    # The number of the sign-in, or of the last one before a failure.
    number: Mapped[int]
    outcome: Mapped[str] = mapped_column(String(16))
    how: Mapped[str] = mapped_column(String(HOW_LENGTH), default="")
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    times: Mapped[int]
    network: Mapped[str] = mapped_column(String(64), default="")
    agent: Mapped[str] = mapped_column(String(AGENT_LENGTH), default="")

    @property
    def label(self) -> Any:
        """How it went, in words."""
        return Outcome(self.outcome).label

    @property
    def failed(self) -> bool:
        """Whether nobody got in."""
        return self.outcome != Outcome.OK

    @property
    def ways(self) -> list[Any]:
        """With what they showed who they are, in words."""
        return [_WAYS[name] for name in self.how.split(",") if name in _WAYS]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a try came from: the neighbourhood of its address, and what the browser says it is."""

    network: str = ""
    agent: str = ""


@dataclass(frozen=True)
class Tried:
    """Whose account somebody tried, and how often its owner had signed in; None: nobody's."""

    user_id: int | None = None
    number: int = 0

    @classmethod
    def of(cls, user: User | None) -> Tried:
        """The account of this person."""
        return cls() if user is None else cls(user.id, user.login_count or 0)


def note_sign_in(user: User, *, how: Sequence[str], origin: Origin) -> int:
    """Write down that somebody signed in. Returns how many tries failed since the time before.

    0 at the very first sign-in, before which there was no other. In the caller's transaction,
    after `login_count` has grown.
    """
    tried = Tried.of(user)
    _write(tried, Outcome.OK, how=how, origin=origin)
    return failures_since(user, tried.number - 1) if tried.number > 1 else 0


def note_failure(
    tried: Tried, outcome: Outcome, *, how: Sequence[str] = (PASSWORD,), origin: Origin
) -> None:
    """Write down that a try failed, in the caller's transaction.

    The same statements, and one row written, whether or not anybody has the name that was tried:
    what it costs tells strangers nothing (ASVS 6.3.8).
    """
    _write(tried, outcome, how=how, origin=origin)


def failures_since(user: User, number: int) -> int:
    """How many tries failed since the sign-in with this number, and before the next one."""
    return (
        db.session.scalar(
            select(func.sum(SignIn.times)).where(
                SignIn.user_id == user.id,
                SignIn.number == number,
                SignIn.outcome != Outcome.OK.value,
            )
        )
        or 0
    )


def latest(user: User, limit: int) -> list[SignIn]:
    """The newest tries, at most so many."""
    newest = _of(user).order_by(SignIn.last_at.desc(), SignIn.id.desc())
    return list(db.session.scalars(newest.limit(limit)))


def page(user: User, cursor: str = "") -> Page[SignIn]:
    """A page of all that is kept, the newest first."""
    keyset = Keyset(SignIn.last_at, SignIn.id, descending=True, cursor=cursor)
    return keyset.page(_of(user))


def forget(user: User) -> None:
    """Remove what is kept of somebody, in the caller's transaction."""
    db.session.execute(delete(SignIn).where(SignIn.user_id == user.id))


def purge() -> None:
    """Throw away what is older than `sessions.history_days`. Commits, in batches (ASVS 14.2.7)."""
    before = clock.now() - timedelta(days=settings.current().sessions.history_days)
    batch = select(SignIn.id).where(SignIn.last_at < before).limit(BATCH)
    while ids := db.session.scalars(batch).all():
        with transaction():
            db.session.execute(
                delete(SignIn).where(SignIn.id.in_(ids)),
                execution_options={"synchronize_session": False},
            )


def _of(user: User) -> Any:
    return select(SignIn).where(SignIn.user_id == user.id)


def _write(tried: Tried, outcome: Outcome, *, how: Sequence[str], origin: Origin) -> None:
    now = clock.now()
    if tried.user_id is None:
        fold, origin = f"nobody/{secrets.randbelow(DECOYS)}", Origin()
    else:
        fold = f"{tried.user_id}/{tried.number}/{outcome.value}/{origin.network}"
    dialect = sqlite if db.session.get_bind().dialect.name == "sqlite" else postgresql
    row = dialect.insert(SignIn).values(
        user_id=tried.user_id,
        fold=fold,
        number=tried.number,
        outcome=outcome.value,
        how=",".join(how)[:HOW_LENGTH],
        at=now,
        last_at=now,
        times=1,
        network=origin.network,
        agent=origin.agent[:AGENT_LENGTH],
    )
    again = {
        "times": SignIn.times + 1,
        "last_at": row.excluded.last_at,
        "how": row.excluded.how,
        "agent": row.excluded.agent,
    }
    quietly = {"synchronize_session": False}
    db.session.execute(
        row.on_conflict_do_update(index_elements=[SignIn.fold], set_=again),
        execution_options=quietly,
    )
    is_success = SignIn.outcome == Outcome.OK.value
    too_many = (
        select(SignIn.id)
        .where(
            SignIn.user_id == (tried.user_id or 0),
            is_success if outcome is Outcome.OK else ~is_success,
        )
        .order_by(SignIn.last_at.desc(), SignIn.id.desc())
        .offset(MOST)
    )
    db.session.execute(delete(SignIn).where(SignIn.id.in_(too_many)), execution_options=quietly)
