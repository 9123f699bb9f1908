"""Traces: what a registration leaves behind by which another one can be told to be like it."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import unicodedata
from collections.abc import Iterator
from enum import StrEnum
from itertools import pairwise
from typing import cast

from disposable_email_domains import blocklist
from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    String,
    Table,
    delete,
    exists,
    insert,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from portal import canonical, settings
from portal.accounts import mistyped, search
from portal.accounts.user import User
from portal.database import Model, db, folded, locked
from portal.desk.review import Review
from portal.fingerprints import fingerprint

LENGTH = 253
BANDS = 20  # of a reason's likeness: two that differ in a few words share at least one
_ROWS = 6
_FEWEST_WORDS = 6
_MOST_SHINGLES = 128


class Trace(StrEnum):
    """What can be compared."""

    DOMAIN = "domain"
    THROWAWAY = "throwaway"
    MISTYPED = "mistyped"
    MAILBOX = "mailbox"
    NETWORK = "network"
    NAME = "name"
    REASON = "reason"
    HASTY = "hasty"
    ADDRESS_FINGERPRINT = "address_print"
    NAME_FINGERPRINT = "name_print"


class RequestTrace(Model):
    """One thing that a registration can be compared by. Gone with the person's data."""

    __tablename__ = "request_traces"
    __table_args__ = (Index("ix_request_traces_kind_value_user_id", "kind", "value", "user_id"),)

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    value: Mapped[str] = mapped_column(folded(LENGTH), primary_key=True)


_ADDED = insert(cast("Table", RequestTrace.__table__))


def leave(user: User) -> None:
    """Note what a registration can be compared by. Again changes nothing.

    This takes longer than most of a registration, so that it is not done there: the time would
    tell a stranger that nobody had the address (ASVS 6.3.8). It is done when the address is
    confirmed, and where that takes a while, by a round.
    """
    desk = user.review
    if desk is None or desk.network is None:
        return
    found = {
        *_of_address(user.email_canonical or ""),
        *_of_name(user.full_name),
        *_of_reason(user.reason),
    }
    if desk.network:
        found.add((Trace.NETWORK, desk.network))
    seconds = desk.seconds_to_fill_in
    if seconds is not None and seconds < settings.current().desk.hasty_seconds:
        found.add((Trace.HASTY, ""))
    desk.network = None
    _add(user, found)


def due(*, most: int) -> list[int]:
    """Who registered and has not left traces yet, by the account's id, the oldest first."""
    untraced = select(Review.user_id).where(Review.network.is_not(None))
    return list(db.session.scalars(untraced.order_by(Review.user_id).limit(most)))


def leave_late(user_id: int) -> None:
    """The same for a registration that nobody confirmed yet, so that staff see its marks.

    The account is locked first, as by whoever confirms it: of the two one leaves the traces.
    """
    user = locked(User, user_id, patient=False)
    if user is not None:
        leave(user)


def follow_address(user: User) -> None:
    """Compare by the address that the account has now."""
    _replace(
        user,
        (
            Trace.DOMAIN,
            Trace.THROWAWAY,
            Trace.MISTYPED,
            Trace.MAILBOX,
            Trace.ADDRESS_FINGERPRINT,
        ),
        set(_of_address(user.email_canonical or "")),
    )


def follow_words(user: User) -> None:
    """Compare by the name and the reason that the account has now."""
    words = {*_of_name(user.full_name), *_of_reason(user.reason)}
    _replace(user, (Trace.NAME, Trace.NAME_FINGERPRINT, Trace.REASON), words)


def is_of_domain(domain: str, user_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """For a query: the address of this user has the domain, however that was typed."""
    spelled = domain_of(canonical.email(f"x@{domain.strip().lstrip('@')}"))
    there = [RequestTrace.kind == Trace.DOMAIN.value, RequestTrace.value == spelled]
    few = select(RequestTrace.user_id).where(*there)
    # PostgreSQL knows by itself which domains are common; SQLite has to be told.
    if db.engine.dialect.name == "sqlite" and search.is_common(few):
        return exists().where(RequestTrace.user_id == user_id, *there)
    return user_id.in_(few)


def name_key(full_name: str) -> str:
    """A spelling under which names that differ in order, case or accents are one."""
    plain = unicodedata.normalize("NFKD", full_name[:600]).casefold()
    letters = "".join(
        sign if sign.isalnum() else " " for sign in plain if not unicodedata.combining(sign)
    )
    return " ".join(sorted(letters.split()))[:LENGTH]


def mailbox_key(email_canonical: str) -> str:
    """A spelling under which the many addresses of one mailbox are one: no tag, no dots."""
    local, _, domain = email_canonical.rpartition("@")
    return f"{local.partition('+')[0].replace('.', '') or local}@{domain}"[:LENGTH]


def domain_of(email_canonical: str) -> str:
    """What stands after the @."""
    return email_canonical.rpartition("@")[2][:LENGTH]


def network_of(address: str) -> str:
    """The neighbourhood of a network address: /24, or /56 in IPv6. Empty for a private one.

    Many colleagues share a private network, so that being there together says nothing.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if found.is_loopback or found.is_link_local or _is_private(found):
        return ""
    prefix = 24 if found.version == 4 else 56
    return str(ipaddress.ip_network(f"{found}/{prefix}", strict=False))


def likeness(text: str) -> list[str]:
    """The bands of a text's minhashes; texts that share most of their words share one.

    Broder's minhash: two texts agree in a minhash as often as they share a word, or two that
    follow each other, which people who only write the same language seldom do. In each band
    six have to agree, and one band of twenty: where eight of ten are in common, 998 of 1,000
    pairs are found; where one of ten is, 2 of 100,000. Empty for a text of a few words.
    """
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text[:4000]).casefold())
    if len(set(words)) < _FEWEST_WORDS:
        return []
    shingles = sorted(_number(shingle) for shingle in {*words, *map(" ".join, pairwise(words))})
    compared = shingles[:_MOST_SHINGLES]  # of a long text the same few, so that none costs much
    least = [min((a * each + b) % _PRIME for each in compared) for a, b in _PERMUTATIONS]
    return [
        f"{band}:{_number(' '.join(map(str, least[band * _ROWS : (band + 1) * _ROWS]))):x}"
        for band in range(BANDS)
    ]


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest())


# Carter and Wegman's universal hashing, in place of so many hash functions.
_PRIME = 2**61 - 1
_PERMUTATIONS = [
    (_number(f"a{each}") % (_PRIME - 1) + 1, _number(f"b{each}")) for each in range(BANDS * _ROWS)
]


def _of_address(email_canonical: str) -> Iterator[tuple[Trace, str]]:
    if not email_canonical:
        return
    domain = domain_of(email_canonical)
    yield Trace.DOMAIN, domain
    if domain in blocklist:
        yield Trace.THROWAWAY, domain
    if meant := mistyped.meant(email_canonical):
        yield Trace.MISTYPED, domain_of(meant)
    yield Trace.MAILBOX, mailbox_key(email_canonical)
    yield Trace.ADDRESS_FINGERPRINT, fingerprint(mailbox_key(email_canonical), of="address")


def _of_name(full_name: str) -> Iterator[tuple[Trace, str]]:
    key = name_key(full_name)
    if key:
        yield Trace.NAME, key
        yield Trace.NAME_FINGERPRINT, fingerprint(key, of="name")


def _of_reason(reason: str) -> Iterator[tuple[Trace, str]]:
    for band in likeness(reason):
        yield Trace.REASON, band


def _is_private(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    # Not `is_private`, which counts the networks for documentation in.
    networks = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
    return any(address in ipaddress.ip_network(network) for network in networks)


def _replace(user: User, kinds: tuple[Trace, ...], found: set[tuple[Trace, str]]) -> None:
    if user.review is not None and user.review.network is not None:
        return  # it leaves them later, as the account is then
    db.session.flush()
    db.session.execute(
        delete(RequestTrace).where(RequestTrace.user_id == user.id, RequestTrace.kind.in_(kinds))
    )
    _add(user, found)


def _add(user: User, found: set[tuple[Trace, str]]) -> None:
    # As rows: nobody holds them as objects, which cost several times as much.
    rows = [
        {"user_id": user.id, "kind": kind.value, "value": value} for kind, value in sorted(found)
    ]
    if rows:
        db.session.execute(_ADDED, rows)
