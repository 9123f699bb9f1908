"""The authenticator app: a secret that a phone keeps, and codes of thirty seconds (RFC 6238)."""

from __future__ import annotations

import hmac
import math
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from flask_babel import lazy_gettext as _l
from passlib.totp import TOTP
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary, delete, update
from sqlalchemy.orm import Mapped, mapped_column

from portal import audit, clock, settings
from portal.accounts import code
from portal.accounts.factors import sealing, standing
from portal.accounts.user import User
from portal.audit import Action
from portal.database import Model, UtcDateTime, db, locked
from portal.errors import StepRefused
from portal.mail import messages, outbox

KIND = "app"

STEP = 30
# The step before and the one after count too: clocks differ, and people type (RFC 6238, 5.2).
DRIFT = 1
SECRET_BYTES = 20  # 160 bits, as long as the hash (RFC 4226, 4)
OFFER_LASTS = timedelta(minutes=30)

# From so many wrong codes in a row, the next one has to wait; each one after doubles the wait.
MOST_IN_A_ROW = 5
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)


class AuthenticatorApp(Model):
    """The app of an account; the secret is sealed. Takes a code of a later step only."""

    __tablename__ = "authenticator_apps"
    __table_args__ = (CheckConstraint("wrong_in_a_row >= 0", name="wrong_in_a_row"),)

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # The time step of the newest code that was taken; none of it or before is taken again.
    last_step: Mapped[int] = mapped_column(BigInteger)
    wrong_in_a_row: Mapped[int] = mapped_column(default=0)
    waits_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Offer(NamedTuple):
    """A secret that somebody may put into their app, and the seal by which it comes back."""

    secret: str
    uri: str
    sealed: str


class Verdict(StrEnum):
    """What came of a code."""

    RIGHT = "right"
    WRONG = "wrong"
    USED = "used"
    TOO_MANY = "too_many"


def offer(user: User, *, sealed: str = "") -> Offer:
    """A fresh secret for this account, or the one under a seal that is shown again.

    Nothing is kept: until a code proves that an app has it, the secret is nobody's factor.

    Raises:
        StepRefused: the seal is too old, or not this account's.
    """
    secret = _unsealed_offer(user, sealed) if sealed else TOTP.new(size=SECRET_BYTES).base32_key
    site = settings.current().site.name
    # A colon parts the two in the label of the app, and so stands in neither.
    label, issuer = (user.username or "").replace(":", ""), site.replace(":", " ")
    return Offer(
        secret=secret,
        uri=TOTP(key=secret).to_uri(label=label, issuer=issuer),
        sealed=sealed or sealing.seal(secret, of=user.id, purpose="offer").decode(),
    )


def add(user: User, *, sealed: str, typed: str) -> None:
    """Make an app that shows the right code a factor. The one before is replaced.

    Every session of the account ends, and the owner is told.

    Raises:
        StepRefused: the code is not the one that the app shows now; the set-up is too old; the
            account is not open.
    """
    standing.must_be_open(user)
    secret = _unsealed_offer(user, sealed)
    step = _step_of(secret, typed)
    if step is None:
        raise StepRefused(
            _l(
                "This is not the code that the app shows now. Is the clock of your phone right?"
                " Enter the newest code."
            ),
            field="code",
        )

    now = clock.now()
    _forget(user)
    db.session.add(
        AuthenticatorApp(
            user_id=user.id,
            sealed_secret=sealing.seal(secret, of=user.id, purpose=KIND),
            added_at=now,
            last_step=step,
        )
    )
    standing.note_added(user)
    audit.record(Action.FACTOR_ADDED, about=user, by=user, kind=KIND)
    outbox.post(messages.factor_added(user, KIND, at=now))


def of(user: User) -> AuthenticatorApp | None:
    """The app of this account."""
    return db.session.get(AuthenticatorApp, user.id)


def check(user: User, typed: str) -> Verdict:
    """Whether this is a code of the app that works now. A right one is used up.

    The row is locked, so that guesses sent at the same moment count one each; and the time step
    moves on by one statement that only one can win, so that one code works once (ASVS 6.5.1).
    Wrong codes in a row make the next one wait, right or not (6.6.3). A code that was used is no
    guess, and counts nothing. Commit whatever the answer.
    """
    app = locked(AuthenticatorApp, user.id)
    if app is None:
        return Verdict.WRONG
    if app.waits_until is not None and app.waits_until > clock.now():
        return Verdict.TOO_MANY
    step = _step_of(sealing.unseal(app.sealed_secret, of=user.id, purpose=KIND), typed)
    if step is None:
        _count_wrong(user, app)
        return Verdict.WRONG
    if not _take(app, step):
        return Verdict.USED
    app.used_at = clock.now()
    forgive(user)
    return Verdict.RIGHT


def forgive(user: User) -> None:
    """Forget the wrong codes, because the owner proved themselves."""
    app = of(user)
    if app is not None:
        app.wrong_in_a_row, app.waits_until = 0, None


def minutes_to_wait(user: User) -> int:
    """Whole minutes until a code is looked at again; 0 when it is now."""
    app = of(user)
    if app is None or app.waits_until is None:
        return 0
    return max(0, math.ceil((app.waits_until - clock.now()).total_seconds() / 60))


def remove(user: User) -> None:
    """Take the app away. See `removal`, which looks at what is left."""
    _forget(user)


def remove_since(user: User, moment: datetime) -> bool:
    """Take the app away if it was added or replaced then or after. Whether it was."""
    gone = db.session.scalar(
        delete(AuthenticatorApp)
        .where(AuthenticatorApp.user_id == user.id, AuthenticatorApp.added_at >= moment)
        .returning(AuthenticatorApp.user_id),
        execution_options={"synchronize_session": "fetch"},
    )
    return gone is not None


def _unsealed_offer(user: User, sealed: str) -> str:
    lasts = int(OFFER_LASTS.total_seconds())
    try:
        return sealing.unseal(
            sealed.encode("ascii", "replace"), of=user.id, purpose="offer", within=lasts
        )
    except sealing.Unreadable:
        raise StepRefused(
            _l("This set-up is too old. Start it again: the app needs the new secret.")
        ) from None


def _step_of(secret: str, typed: str) -> int | None:
    """The newest time step around now whose code this is."""
    digits = code.digits(typed)
    app = TOTP(key=secret)
    now = int(clock.now().timestamp()) // STEP
    fitting = [
        step
        for step in range(now - DRIFT, now + DRIFT + 1)
        if hmac.compare_digest(app.generate(time=step * STEP).token.encode(), digits.encode())
    ]
    return fitting[-1] if fitting else None


def _take(app: AuthenticatorApp, step: int) -> bool:
    moved = db.session.scalar(
        update(AuthenticatorApp)
        .where(AuthenticatorApp.user_id == app.user_id, AuthenticatorApp.last_step < step)
        .values(last_step=step)
        .returning(AuthenticatorApp.user_id),
        execution_options={"synchronize_session": False},
    )
    return moved is not None


def _count_wrong(user: User, app: AuthenticatorApp) -> None:
    app.wrong_in_a_row += 1
    over = app.wrong_in_a_row - MOST_IN_A_ROW
    if over < 0:
        return
    app.waits_until = clock.now() + min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(over, 10))
    if over == 0:
        audit.record(Action.FACTOR_GUESSED, about=user, wrong=app.wrong_in_a_row)
        outbox.post(messages.factor_guessed(user))


def _forget(user: User) -> None:
    db.session.execute(delete(AuthenticatorApp).where(AuthenticatorApp.user_id == user.id))
