"""Challenges: what a passkey has to answer, made by us, for one purpose, once and for minutes."""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext as _l
from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy import String, delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column
from webauthn.helpers import base64url_to_bytes

from portal import clock, settings
from portal.accounts.user import User
from portal.database import Model, UtcDateTime, db
from portal.errors import StepRefused
from portal.fingerprints import fingerprint

LASTS = timedelta(minutes=10)
LONGEST_ANSWER = 20_000


class Purpose(StrEnum):
    """What a challenge is for. An answer to one of another purpose is none."""

    ADD = "add"
    SIGN_IN = "sign in"
    SECOND_STEP = "second step"
    PROOF = "proof"


class UsedChallenge(Model):
    """A challenge that was answered, so that no answer counts twice; forgotten when too old."""

    __tablename__ = "used_challenges"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


def make(purpose: Purpose, user: User | None, *, here: str = "") -> bytes:
    """A challenge that says itself what it is for: nothing is kept until it is answered.

    With `here`, the digest of a session, it is for that one only.
    """
    said = _signer().dumps([*_bounds(purpose, user, here), _nonce()])
    return said.encode()


def answered(answer: str, purpose: Purpose, user: User | None, *, here: str = "") -> bytes:
    """The challenge of ours that this answers, used up by that in one statement.

    Raises:
        StepRefused: it is none, too old, or was answered before.
    """
    try:
        data = json.loads(base64url_to_bytes(str(part_of(answer, "response", "clientDataJSON"))))
        challenge = base64url_to_bytes(str(data["challenge"]))
        lasts = int(LASTS.total_seconds())
        found = _signer().loads(challenge.decode("ascii"), max_age=lasts)
    except (BadData, ValueError, KeyError, TypeError) as problem:
        raise _too_late() from problem
    if found[:-1] != _bounds(purpose, user, here):
        raise no_answer()
    digest = hashlib.sha256(challenge).hexdigest()
    if not _use(digest):
        raise _too_late()
    return challenge


def part_of(answer: str, *path: str) -> Any:
    """A part of what the browser sent; None where there is no such part."""
    try:
        found: Any = json.loads(answer) if len(answer) <= LONGEST_ANSWER else None
        for name in path:
            found = found.get(name)
    except (ValueError, AttributeError, RecursionError):
        return None
    return found


def no_answer() -> StepRefused:
    """The refusal of what does not answer what was asked."""
    return StepRefused(_l("The passkey did not give the answer that was asked for. Try again."))


def purge() -> None:
    """Forget challenges that are too old to be answered, in the caller's transaction."""
    db.session.execute(delete(UsedChallenge).where(UsedChallenge.expires_at <= clock.now()))


def _bounds(purpose: Purpose, user: User | None, here: str) -> list[object]:
    # Of the session, a fingerprint: what its row is found by is nobody else's business.
    session = fingerprint(here, of="session of a challenge") if here else ""
    return [purpose.value, user.id if user else 0, session]


def _use(digest: str) -> bool:
    dialect = sqlite if db.session.get_bind().dialect.name == "sqlite" else postgresql
    wanted = dialect.insert(UsedChallenge).values(digest=digest, expires_at=clock.now() + 2 * LASTS)
    taken = db.session.scalar(
        wanted.on_conflict_do_nothing().returning(UsedChallenge.digest),
        execution_options={"synchronize_session": False},
    )
    return taken is not None


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings.current().secrets.secret_key, salt="passkey-challenge")


def _nonce() -> str:
    return secrets.token_urlsafe(16)


def _too_late() -> StepRefused:
    return StepRefused(_l("That took too long, or was sent twice. Try again."))
