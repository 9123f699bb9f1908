"""Silence: an address whose owner said "this was not me" is mailed no more, for good (B3).

The outbox asks here for every mail that it takes, so that no step can forget to. The one thing
that is stronger: whoever proved themselves, by a link or a code, that the address of their account
is theirs. An old mail that somebody forwarded must not cut them off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from flask_babel import lazy_gettext as _l
from sqlalchemy import String, bindparam, delete, exists, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from portal import audit, canonical, clock, fingerprints
from portal.audit import Action, AuditEntry
from portal.database import Base, Model, UtcDateTime, db, folded
from portal.errors import StepRefused
from portal.fingerprints import LENGTH

if TYPE_CHECKING:
    from portal.accounts.user import User

# Nothing that a session still holds back says who is silenced.
_AS_IT_IS = {"autoflush": False}

# What shows that whoever has the account reads mail at its address.
_PROOFS = (Action.CONFIRMED.value, Action.ADDRESS_CHANGED.value)


class SilencedAddress(Model):
    """The fingerprint of an address that asked for silence; the address itself is not kept."""

    __tablename__ = "silenced_addresses"

    fingerprint: Mapped[str] = mapped_column(folded(LENGTH), primary_key=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    # The kind of mail that brought the answer, for whoever looks into it.
    kind: Mapped[str] = mapped_column(String(40), default="")


def silence(address: str, kind: str) -> bool:
    """Mail this address no more. Returns whether it is new.

    It holds for the one address in all its spellings, and not for others that may be the same
    mailbox: they may be others'. The erasure of an account does not touch it.
    """
    return silence_fingerprint(fingerprint(address), kind)


def silence_fingerprint(found: str, kind: str) -> bool:
    """The same where nothing but the fingerprint is known."""
    dialect = sqlite if db.session.get_bind().dialect.name == "sqlite" else postgresql
    added = db.session.execute(
        dialect.insert(SilencedAddress)
        .values(fingerprint=found, since=clock.now(), kind=kind)
        .on_conflict_do_nothing()
        .returning(SilencedAddress.fingerprint)
    )
    return added.first() is not None


def is_silenced(address: str) -> bool:
    """Whether strangers may not cause mail to this address. The same work for every address."""
    return is_fingerprint_silenced(fingerprint(address))


def is_fingerprint_silenced(found: str) -> bool:
    """The same where nothing but the fingerprint is known."""
    return bool(_among({found}))


def silenced_among(addresses: Iterable[str]) -> set[str]:
    """Those of these addresses that strangers may not cause mail to. One query."""
    fingerprints_of = {address: fingerprint(address) for address in addresses}
    found = _among(set(fingerprints_of.values()))
    return {address for address, theirs in fingerprints_of.items() if theirs in found}


def stopped(letters: Mapping[int, tuple[str, int | None]]) -> set[int]:
    """Which of these letters do not go; each is an address and the account that it is about.

    One query, and one more where somebody of them is silenced.
    """
    silenced = silenced_among({address for address, _ in letters.values()})
    theirs = {key: letter for key, letter in letters.items() if letter[0] in silenced}
    proved = _proved({user_id for _, user_id in theirs.values() if user_id is not None})
    return {
        key
        for key, (address, user_id) in theirs.items()
        if user_id is None or proved.get(user_id) != canonical.email(address)
    }


def holds_for(user: User) -> bool:
    """Whether no mail goes to this person: their address is silenced, and they never proved it."""
    return bool(user.email) and bool(stopped({0: (user.email or "", user.id)}))


def lift(address: str, *, by: User, reason: str) -> None:
    """Let an address be mailed again, because its owner asked the staff for it.

    Raises:
        StepRefused: this address is not silenced; no reason is given.
    """
    if not reason.strip():
        raise StepRefused(_l("Say how you know that the owner asks for it."), field="reason")
    lifted = db.session.execute(
        delete(SilencedAddress)
        .where(SilencedAddress.fingerprint == fingerprint(address))
        .returning(SilencedAddress.fingerprint)
    )
    if lifted.first() is None:
        raise StepRefused(_l("Nobody silenced this address."), field="email")
    # Whose address it was, the trail must not say.
    audit.record(Action.SILENCE_LIFTED, by=by, reason=reason.strip())


def fingerprint(address: str) -> str:
    """What an address is recognised by; confirmation links carry the same."""
    return fingerprints.fingerprint(canonical.email(address), of="address")


def _among(found: set[str]) -> set[str]:
    return set(db.session.scalars(_KNOWN, {"found": list(found)}, execution_options=_AS_IT_IS))


# Built once, because every mail needs it.
_KNOWN = select(SilencedAddress.fingerprint).where(
    SilencedAddress.fingerprint.in_(bindparam("found", expanding=True))
)


def _proved(user_ids: Iterable[int]) -> dict[int, str]:
    """The canonical address of each of these accounts whose owner proved that it is theirs.

    From the trail, which nothing changes: staff who confirm by hand prove nothing.
    """
    ids = set(user_ids)
    if not ids:
        return {}
    users = Base.metadata.tables["users"]
    proof = exists().where(AuditEntry.about_id == users.c.id, AuditEntry.action.in_(_PROOFS))
    found = select(users.c.id, users.c.email_canonical).where(users.c.id.in_(ids), proof)
    return {row.id: row.email_canonical for row in db.session.execute(found)}
