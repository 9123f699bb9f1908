"""Codes: six digits by mail that prove, for a short time, that somebody reads it (B1, B3)."""

from __future__ import annotations

import hmac
import secrets
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Insert,
    String,
    Table,
    bindparam,
    delete,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from portal import clock, settings
from portal.database import Model, UtcDateTime, db
from portal.fingerprints import fingerprint
from portal.logs import SecurityEvent, note

if TYPE_CHECKING:
    from portal.accounts.user import User

DIGITS = 6

# Wide enough for what a person types; more is nobody's code.
LONGEST_TYPED = 40

_NOBODY = 0


class Purpose(StrEnum):
    """What a code is good for. One that was mailed for the one is worth nothing for the other."""

    CONFIRMATION = "confirmation"
    STATUS = "status"
    OWN_STATUS = "own_status"  # the same, asked for by somebody who is signed in


class MailedCode(Model):
    """The code of an account that works now, one for each purpose. Only its keyed hash is kept."""

    __tablename__ = "mailed_codes"
    __table_args__ = (CheckConstraint("tries_left >= 0", name="tries_left"),)

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    purpose: Mapped[str] = mapped_column(String(16), primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    tries_left: Mapped[int]


def _kept(dialect: Any) -> Insert:
    """The statement that keeps codes, in place of those before."""
    wanted = dialect.insert(_CODES)
    news = {name: wanted.excluded[name] for name in ("code_hash", "expires_at", "tries_left")}
    return cast(
        "Insert", wanted.on_conflict_do_update(index_elements=["user_id", "purpose"], set_=news)
    )


# Built once, because every registration needs one of them. Nobody holds codes as objects.
_CODES = cast("Table", MailedCode.__table__)
_KEPT = {"sqlite": _kept(sqlite), "postgresql": _kept(postgresql)}
_FORGOTTEN = delete(_CODES).where(
    _CODES.c.user_id == bindparam("account"), _CODES.c.purpose == bindparam("of")
)


def issue(user: User | None, purpose: str) -> str:
    """A fresh code for this account, to be mailed to its address. The one before is dead.

    It works for `registration.code_within_minutes`, and for as many tries as
    `registration.code_tries` says (ASVS 6.5.5, 6.6.3). The account has its id already. For
    nobody (None) the code is worth nothing, and costs as much.
    """
    code = draw()
    if user is None:
        _hash(user, purpose, code)
        forget(_NOBODY, purpose)
    else:
        keep({user: code}, purpose)
    return code


def draw() -> str:
    """Six digits that nobody can guess. They work once somebody `keep`s them."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"


def keep(codes: Mapping[User, str], purpose: str) -> None:
    """Let each of these codes work for its account, as `issue` says. One statement for all."""
    if not codes:
        return
    rules = settings.current().registration
    rows = [
        {
            "user_id": user.id,
            "purpose": str(purpose),
            "code_hash": _hash(user, purpose, code),
            "expires_at": clock.now() + timedelta(minutes=rules.code_within_minutes),
            "tries_left": rules.code_tries,
        }
        for user, code in codes.items()
    ]
    db.session.flush()
    db.session.execute(_KEPT[db.session.get_bind().dialect.name], rows)


def check(user: User | None, purpose: str, typed: str) -> bool:
    """Whether this is the code that works now. A right one is used up; a wrong one costs a try.

    The try is taken before anything is compared, in one statement, so that guesses sent at the
    same moment count one each and a right code works once. Nobody (None) costs the same work.
    Commit also where the answer is no: a refusal that rolls back gives the try back.
    """
    hashed = _hash(user, purpose, digits(typed))
    account = user.id if user else _NOBODY
    taken = db.session.scalar(
        update(MailedCode)
        .where(
            MailedCode.user_id == account,
            MailedCode.purpose == str(purpose),
            MailedCode.tries_left > 0,
            MailedCode.expires_at > clock.now(),
        )
        .values(tries_left=MailedCode.tries_left - 1)
        .returning(MailedCode.code_hash),
        execution_options={"synchronize_session": False},
    )
    if not hmac.compare_digest(taken or "", hashed):
        note(SecurityEvent.CODE_REFUSED, about=user, purpose=str(purpose))
        return False
    forget(account, purpose)
    return True


def forget(user_id: int, purpose: str) -> None:
    """Take back the code of an account, whether it was used or is of no use any more."""
    db.session.execute(_FORGOTTEN, {"account": user_id, "of": str(purpose)})


def digits(typed: str) -> str:
    """The digits of what was typed, in any script, without the blanks and dashes between them."""
    signs = (
        str(unicodedata.decimal(sign, sign))
        for sign in unicodedata.normalize("NFKC", typed[:LONGEST_TYPED])
        if not sign.isspace() and unicodedata.category(sign) not in ("Pd", "Cf")
    )
    return "".join(signs)


def purge() -> None:
    """Throw away codes that have expired, in the caller's transaction."""
    db.session.execute(
        delete(MailedCode).where(MailedCode.expires_at <= clock.now()),
        execution_options={"synchronize_session": False},
    )


def _hash(user: User | None, purpose: str, code: str) -> str:
    """Bound to the address too: a code that went to another one proves nothing of this one."""
    account, address = (user.id, user.email_canonical) if user else (_NOBODY, "")
    return fingerprint(f"{account}\0{purpose}\0{address}\0{code}", of="code")
