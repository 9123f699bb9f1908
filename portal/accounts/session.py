"""Sessions: where a person is signed in. No row, no session; a cookie only helps to find it.

A browser keeps an id of 256 random bits; the row keeps its SHA-256. A plain hash is right for
that: nobody can try out 2^256 ids, so there is nothing that salt or a slow hash would add, and
whoever reads the table still has no cookie to send (ASVS 7.2.3, 11.5.1; NIST SP 800-63B-4, 5.1).
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, cast

from flask_babel import lazy_gettext as _l
from sqlalchemy import CursorResult, Executable, ForeignKey, Index, String, delete, select, update
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from portal import audit, clock, settings
from portal.accounts import authority
from portal.audit import Action
from portal.database import Model, UtcDateTime, db, folded, transaction
from portal.errors import StepRefused

if TYPE_CHECKING:
    from portal.accounts.user import User

PASSWORD = "password"
AGENT_LENGTH = 300
# Of more sessions at once than anybody has browsers, those end that were not used longest.
MOST_AT_ONCE = 50
SEEN_EVERY = timedelta(minutes=1)
# What a page waits for a busy database, so as to write down that somebody was seen.
NO_TIME = timedelta(milliseconds=20)
BATCH = 1000  # so that the write lock is held for moments, however many rows are old


class UserSession(Model):
    """One browser in which somebody is signed in."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index("ix_sessions_user_id_last_seen_at", "user_id", "last_seen_at"),
        Index("ix_sessions_remembered_last_seen_at", "remembered", "last_seen_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    digest: Mapped[str] = mapped_column(folded(64), unique=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # When, and with what, the person last showed that it is them; see `portal.security.recent`.
    proved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    proved_by: Mapped[str] = mapped_column(String(40), default=PASSWORD)
    # Whether it outlives the closing of the browser.
    remembered: Mapped[bool] = mapped_column(default=False)
    agent: Mapped[str] = mapped_column(String(AGENT_LENGTH), default="")
    network: Mapped[str] = mapped_column(String(64), default="")

    user: Mapped[User] = relationship("User", lazy="raise")

    @property
    def standing(self) -> Standing:
        """What it says now."""
        return Standing(*(getattr(self, name) for name in Standing._fields))


class Standing(NamedTuple):
    """What a row said when it was read: for what comes after the row has changed or gone."""

    user_id: int
    digest: str
    started_at: datetime
    last_seen_at: datetime
    proved_at: datetime
    proved_by: str
    remembered: bool
    agent: str
    network: str


class Lifetimes(NamedTuple):
    """How long a session lasts without a request, and altogether."""

    idle: timedelta
    whole: timedelta


def lifetimes(user: User, *, remembered: bool) -> Lifetimes:
    """How long a session of this person lasts (ASVS 7.3.1, 7.3.2).

    Staff have shorter ones, also where they asked to stay signed in. Whoever becomes staff has
    them from the next request on.
    """
    rules = settings.current().sessions
    if user.is_staff:
        return Lifetimes(
            timedelta(minutes=rules.staff_idle_minutes), timedelta(hours=rules.staff_longest_hours)
        )
    if remembered:
        days = timedelta(days=rules.remember_days)
        return Lifetimes(days, days)
    return Lifetimes(timedelta(hours=rules.idle_hours), timedelta(hours=rules.longest_hours))


def digest(secret: str) -> str:
    """What the row keeps of an id: its SHA-256, in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def begin(
    user: User,
    *,
    agent: str = "",
    network: str = "",
    remembered: bool = False,
    proved_by: str = PASSWORD,
) -> str:
    """Let somebody be signed in in one browser more. Returns the id, which only that may learn.

    In the caller's transaction; commit before the browser is told.
    """
    now = clock.now()
    eldest = (
        select(UserSession.id)
        .where(UserSession.user_id == user.id)
        .order_by(UserSession.last_seen_at.desc(), UserSession.id.desc())
        .offset(MOST_AT_ONCE - 1)
    )
    _change(delete(UserSession).where(UserSession.id.in_(eldest)))
    return _add(
        UserSession(
            user_id=user.id,
            started_at=now,
            last_seen_at=now,
            proved_at=now,
            proved_by=proved_by,
            remembered=remembered,
            agent=agent[:AGENT_LENGTH],
            network=network,
        )
    )


def go_on(before: Standing, *, proved_by: str | None = None) -> str:
    """Let a session that has just ended with all others go on under another id, which it returns.

    It gets no longer by that. `proved_by` says with what the person showed now that it is them.
    In the caller's transaction; commit before the browser is told.
    """
    now = clock.now()
    return _add(
        UserSession(
            user_id=before.user_id,
            started_at=before.started_at,
            last_seen_at=now,
            proved_at=now if proved_by else before.proved_at,
            proved_by=proved_by or before.proved_by,
            remembered=before.remembered,
            agent=before.agent,
            network=before.network,
        )
    )


def find(wanted: str) -> UserSession | None:
    """The session with this digest and its person, in one query; None once it is over."""
    from portal.accounts.user import User  # which ends sessions, and so knows this module

    whole_person = joinedload(UserSession.user, innerjoin=True).joinedload(User.roles)
    found = db.session.scalars(
        select(UserSession).where(UserSession.digest == wanted).options(whole_person)
    )
    row = found.unique().one_or_none()
    if row is None or is_over(row, row.user) or not row.user.active:
        return None
    return row


def is_over(row: UserSession, user: User) -> bool:
    """Whether a session lasted as long as it may, or nobody used it for too long."""
    idle, whole = lifetimes(user, remembered=row.remembered)
    now = clock.now()
    return now >= row.started_at + whole or now >= row.last_seen_at + idle


def of(user: User) -> list[UserSession]:
    """Where somebody is signed in now, the latest seen first."""
    found = db.session.scalars(
        select(UserSession)
        .where(UserSession.user_id == user.id)
        .order_by(UserSession.last_seen_at.desc(), UserSession.id.desc())
        .limit(MOST_AT_ONCE)
    )
    return [row for row in found if not is_over(row, user)]


def still_lasts(wanted: str) -> bool:
    """Whether nobody ended the session with this digest. One question, for a step under a lock."""
    return db.session.scalar(select(UserSession.id).where(UserSession.digest == wanted)) is not None


def note_seen(wanted: str) -> None:
    """Note that somebody was here, unless that was noted within the last minute. Commits.

    Waits for nobody.

    Raises:
        sqlalchemy.exc.OperationalError: the database is busy; the next request may try.
    """
    now = clock.now()
    with transaction(patience=NO_TIME):
        _change(
            update(UserSession)
            .where(UserSession.digest == wanted, UserSession.last_seen_at <= now - SEEN_EVERY)
            .values(last_seen_at=now)
        )


def note_proved(wanted: str, *, by: str) -> str | None:
    """Note that the person has just shown that it is them; the session gets another id (7.2.4).

    Returns the id; None where the session ended meanwhile. In the caller's transaction.
    """
    secret = _draw()
    changed = _change(
        update(UserSession)
        .where(UserSession.digest == wanted)
        .values(digest=digest(secret), proved_at=clock.now(), proved_by=by)
    )
    return secret if changed else None


def end(wanted: str) -> None:
    """End the session with this digest, because the person signs out in it."""
    _change(delete(UserSession).where(UserSession.digest == wanted))


def end_one(user: User, session_id: int) -> bool:
    """End one session of somebody's own. Whether there was one: ended before, it stays quiet."""
    ended = _change(
        delete(UserSession).where(UserSession.id == session_id, UserSession.user_id == user.id)
    )
    if ended:
        audit.record(Action.SESSIONS_ENDED, about=user, by=user, number=ended)
    return bool(ended)


def end_others(user: User, *, but: str) -> int:
    """End every session of somebody's own but the one with this digest. Returns how many.

    Take the account locked. Of two browsers that end each other at the same moment, the second
    finds itself ended, and ends nothing: one of them stays.
    """
    still_here = select(UserSession.id).where(UserSession.digest == but)
    if db.session.scalar(still_here) is None:
        return 0
    ended = _change(
        delete(UserSession).where(UserSession.user_id == user.id, UserSession.digest != but)
    )
    if ended:
        audit.record(Action.SESSIONS_ENDED, about=user, by=user, number=ended)
    return ended


def end_for(user: User, *, by: User | None, reason: str = "") -> int:
    """End every session of somebody else's, as staff (ASVS 7.4.5). Returns how many.

    The account stays open: they may sign in again. None to end changes nothing.

    Raises:
        StepRefused: it is oneself, or somebody above.
    """
    must_be_endable(user, by=by)

    ended = end_all(user)
    if ended:
        audit.record(Action.SESSIONS_ENDED, about=user, by=by, number=ended, reason=reason)
    return ended


def must_be_endable(user: User, *, by: User | None) -> None:
    """Refuse to end somebody's sessions.

    Raises:
        StepRefused: it is oneself, or somebody above; nobody can be signed in to the account.
    """
    if not user.active:
        raise StepRefused(_l("Nobody can be signed in to this account."))
    authority.must_outrank(by, user)


def end_all(user: User) -> int:
    """End every session of an account, in the caller's transaction. Returns how many."""
    # As a statement on the table, so that what the step has changed so far is not written early.
    table = UserSession.__table__
    return _change(delete(table).where(table.c.user_id == user.id))  # type: ignore[arg-type]


def purge() -> None:
    """Throw away sessions that nobody can use any more. Commits, in batches (ASVS 14.2.7)."""
    rules = settings.current().sessions
    unused = timedelta(hours=max(rules.idle_hours, rules.staff_idle_minutes / 60))
    for remembered, idle in ((False, unused), (True, timedelta(days=rules.remember_days))):
        batch = (
            select(UserSession.id)
            .where(
                UserSession.remembered.is_(remembered),
                UserSession.last_seen_at < clock.now() - idle,
            )
            .limit(BATCH)
        )
        while ids := db.session.scalars(batch).all():
            with transaction():
                _change(delete(UserSession).where(UserSession.id.in_(ids)))


def _draw() -> str:
    return secrets.token_urlsafe(32)


def _add(row: UserSession) -> str:
    secret = _draw()
    row.digest = digest(secret)
    db.session.add(row)
    return secret


def _change(statement: Executable) -> int:
    options = {"synchronize_session": False}
    done = cast("CursorResult[object]", db.session.execute(statement, execution_options=options))
    return done.rowcount
