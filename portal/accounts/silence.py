"""Silence: an address whose owner said "not me" is not mailed by strangers any more (B3)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import String, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from portal import audit, clock, fingerprints
from portal.accounts import canonical
from portal.accounts.user import User
from portal.audit import Action
from portal.database import Model, UtcDateTime, db, folded
from portal.errors import StepRefused
from portal.fingerprints import LENGTH


class SilencedAddress(Model):
    """The fingerprint of an address that asked for silence; the address itself is not kept."""

    __tablename__ = "silenced_addresses"

    fingerprint: Mapped[str] = mapped_column(folded(LENGTH), primary_key=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    # The kind of mail that brought the answer, for whoever looks into it.
    kind: Mapped[str] = mapped_column(String(40), default="")


def silence(address: str, kind: str) -> bool:
    """Mail this address no more because of what strangers type. Returns whether it is new.

    Mails of an account whose owner confirmed the address go on. It holds for the one address
    in all its spellings, and not for others that may be the same mailbox: they may be others'.
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
    known = select(SilencedAddress.fingerprint).where(SilencedAddress.fingerprint == found)
    return db.session.scalar(known) is not None


def silenced_among(addresses: Iterable[str]) -> set[str]:
    """Those of these addresses that strangers may not cause mail to. One query."""
    by_fingerprint = {fingerprint(address): address for address in addresses}
    known = select(SilencedAddress.fingerprint).where(
        SilencedAddress.fingerprint.in_(by_fingerprint)
    )
    return {by_fingerprint[found] for found in db.session.scalars(known)}


def lift(address: str, *, by: User) -> None:
    """Let an address be mailed again, because its owner asked the staff for it.

    Raises:
        StepRefused: this address is not silenced.
    """
    lifted = db.session.execute(
        delete(SilencedAddress)
        .where(SilencedAddress.fingerprint == fingerprint(address))
        .returning(SilencedAddress.fingerprint)
    )
    if lifted.first() is None:
        raise StepRefused(_l("Nobody silenced this address."), field="email")
    # Whose address it was, the trail must not say.
    audit.record(Action.SILENCE_LIFTED, by=by)


def fingerprint(address: str) -> str:
    """What an address is recognised by; confirmation links carry the same."""
    return fingerprints.fingerprint(canonical.email(address), of="address")
