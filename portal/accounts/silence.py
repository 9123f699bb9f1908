"""Silence: an address whose owner said "not me" is not mailed by strangers any more (B3)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Model, UtcDateTime, folded
from portal.fingerprints import LENGTH


class SilencedAddress(Model):
    """The fingerprint of an address that asked for silence; the address itself is not kept."""

    __tablename__ = "silenced_addresses"

    fingerprint: Mapped[str] = mapped_column(folded(LENGTH), primary_key=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    # The kind of mail that brought the answer, for whoever looks into it.
    kind: Mapped[str] = mapped_column(String(40), default="")
