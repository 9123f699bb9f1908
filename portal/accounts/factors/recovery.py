"""Recovery codes: ten to keep in a safe place, each good for one sign-in without the factor."""

from __future__ import annotations

import secrets
import unicodedata
from datetime import datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import ForeignKey, String, UniqueConstraint, delete, func, select, update
from sqlalchemy.orm import Mapped, mapped_column

from portal import audit, clock
from portal.accounts.factors import authenticator, standing
from portal.accounts.user import User
from portal.audit import Action
from portal.database import Model, UtcDateTime, db
from portal.errors import StepRefused
from portal.fingerprints import fingerprint
from portal.mail import messages, outbox

KIND = "recovery codes"

NUMBER = 10
FEW = 3
# No 0 O 1 I L U, which are taken for each other. 24 of 30 signs are 117 bits: so many that a
# plain keyed hash keeps them (ASVS 6.5.2 asks 112 for that).
SIGNS = "23456789abcdefghjkmnpqrstvwxyz"
LENGTH, GROUP = 24, 4
LONGEST_TYPED = 80


class RecoveryCode(Model):
    """One of the codes of an account. Only its keyed hash is kept."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("user_id", "code_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    code_hash: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


def make(user: User) -> list[str]:
    """Ten fresh codes, to be shown once. Those of before are dead; none counts until it is `kept`.

    Raises:
        StepRefused: there is no factor that they could stand in for.
    """
    standing.must_be_open(user)
    if not standing.has_factor(user):
        raise StepRefused(_l("Set up a second factor first."))
    replaced, now = user.recovery_codes_kept_at is not None, clock.now()

    forget(user)
    codes = ["".join(secrets.choice(SIGNS) for _ in range(LENGTH)) for _ in range(NUMBER)]
    db.session.add_all(
        RecoveryCode(user_id=user.id, code_hash=_hash(user, each), made_at=now) for each in codes
    )
    user.recovery_codes_kept_at = None
    audit.record(Action.RECOVERY_CODES_MADE, about=user, by=user)
    if replaced:
        outbox.post(messages.recovery_codes_replaced(user, at=now))
    return [_grouped(each) for each in codes]


def keep(user: User) -> None:
    """Take somebody's word that they have kept the codes: the last step of the set-up.

    Raises:
        StepRefused: there are none.
    """
    if user.recovery_codes_kept_at is not None:
        return
    if not left(user):
        raise StepRefused(_l("Make recovery codes first."))
    user.recovery_codes_kept_at = clock.now()


def use(user: User, typed: str) -> bool:
    """Whether this is a code that was not used yet. A right one is used up, and the owner told.

    One statement takes it, so that of many who try the same code at once one gets in (ASVS 6.5.1).
    """
    taken = db.session.scalar(
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user.id,
            RecoveryCode.code_hash == _hash(user, _plain(typed)),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=clock.now())
        .returning(RecoveryCode.id),
        execution_options={"synchronize_session": False},
    )
    if taken is None:
        return False
    authenticator.forgive(user)
    audit.record(Action.RECOVERY_CODE_USED, about=user, by=user)
    outbox.post(messages.recovery_code_used(user, left(user), few=FEW))
    return True


def left(user: User) -> int:
    """How many codes still work."""
    unused = select(func.count(RecoveryCode.id)).where(
        RecoveryCode.user_id == user.id, RecoveryCode.used_at.is_(None)
    )
    return db.session.scalar(unused) or 0


def remove_since(user: User, moment: datetime) -> bool:
    """Take all codes of an account back if they were made then or after. Whether they were."""
    newer = select(RecoveryCode.id).where(
        RecoveryCode.user_id == user.id, RecoveryCode.made_at >= moment
    )
    if db.session.scalar(newer.limit(1)) is None:
        return False
    forget(user)
    user.recovery_codes_kept_at = None
    return True


def forget(user: User) -> None:
    """Take all codes of an account back."""
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))


def _grouped(plain: str) -> str:
    return "-".join(plain[at : at + GROUP] for at in range(0, LENGTH, GROUP))


def _plain(typed: str) -> str:
    """What was typed without blanks and dashes, in the one spelling."""
    folded = unicodedata.normalize("NFKC", typed[:LONGEST_TYPED]).casefold()
    return "".join(sign for sign in folded if sign.isalnum())


def _hash(user: User, plain: str) -> str:
    return fingerprint(f"{user.id}\0{plain}", of="recovery code")
