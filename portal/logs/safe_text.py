"""What of a text may stand in a line: nothing that forges one, no token, nobody's address."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

LONGEST = 500
LONGEST_TRACE = 16_000
MOST_VALUES = 100
LENGTH_OF_ADDRESS = 64
DEEPEST = 4

# What follows these in an address is a token: whoever reads the log could use the link.
_IN_PATH = re.compile(
    r"(/(?:confirm|reset|change-email|setup|status)/)"
    r"(?!(?:address|answer|code|done|sent|withdrawal)(?:[/?\s\"']|$))[^/?\s\"']+"
)
# Tokens by their looks, wherever they stand: signed ones (payload.time.signature), and Fernet's.
_SIGNED = re.compile(r"\.?[A-Za-z0-9_-]{12,}\.[A-Za-z0-9_-]{5,8}\.[A-Za-z0-9_-]{27,}")
_ENCRYPTED = re.compile(r"gAAAAA[A-Za-z0-9_-]{50,}={0,2}")
# The password in an address such as postgresql://portal:…@host/portal.
_IN_ADDRESS = re.compile(r"(://[^\s/:@]*):[^\s/@]+@")
_MAIL = re.compile(r"[^\s@<>\"'(),;:=\[\]]+@[^\s@<>\"'(),;:=\[\]]+\.[^\s@<>\"'(),;:=\[\].]{2,}")

# Neither seen nor a space: controls, what turns the direction, halves of a sign, line ends.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def path(of: str) -> str:
    """The path of a request without the token of a mailed link, in ASCII."""
    return _IN_PATH.sub(
        r"\1***", re.sub(r"[^\x21-\x7e]", lambda found: f"%{ord(found[0]):02X}", of)
    )


def text(of: str, *, personal: bool, most: int = LONGEST) -> str:
    """A text as it may stand in a line: tokens masked, what cannot be seen spelled out, cut.

    `personal` leaves addresses of people in it.
    """
    # Cut before anything is searched, and again after what was spelled out made it longer.
    kept = without_tokens(of[: 2 * most])
    if not personal:
        kept = _MAIL.sub("***@***", kept)
    kept = seen(kept)
    return kept if len(kept) <= most and len(of) <= 2 * most else f"{kept[:most]}…"


def without_tokens(of: str) -> str:
    """A text in which nothing opens a door."""
    masked = _IN_PATH.sub(r"\1***", of)
    masked = _ENCRYPTED.sub("***", _SIGNED.sub("***", masked))
    return _IN_ADDRESS.sub(r"\1:***@", masked)


def seen(of: str, *, lines: bool = False) -> str:
    """Spell out what cannot be seen, as Python would: a line break becomes a backslash and an n.

    With `lines`, line breaks stay.
    """
    if of.isprintable():
        return of
    return "".join(
        sign
        if (lines and sign == "\n") or unicodedata.category(sign) not in _UNSEEN
        else _spelled(sign)
        for sign in of
    )


def value(of: Any, *, personal: bool, depth: int = 0) -> Any:
    """The same for whatever a line holds: numbers stay, all else becomes text, lists are cut."""
    if of is None or isinstance(of, bool | int | float):
        return of
    if isinstance(of, str):
        return text(of, personal=personal)
    if depth < DEEPEST and isinstance(of, Mapping):
        return {
            seen(str(key)[:LONGEST]): value(each, personal=personal, depth=depth + 1)
            for key, each in list(of.items())[:MOST_VALUES]
        }
    if depth < DEEPEST and isinstance(of, list | tuple | set | frozenset):
        return [value(each, personal=personal, depth=depth + 1) for each in list(of)[:MOST_VALUES]]
    return text(str(of), personal=personal)


def _spelled(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")


def network(of: Any, *, kept: str) -> str | None:
    """Where a request came from, as much of it as is `kept`: "full", "network", or "none".

    A network is a /24 of IPv4 or a /48 of IPv6: it tells attackers apart, and hardly people.
    """
    if kept == "none" or not of:
        return None
    try:
        address = ipaddress.ip_address(str(of))
    except ValueError:
        return seen(str(of)[:LENGTH_OF_ADDRESS])
    if kept == "full":
        return str(address)
    width = 24 if address.version == 4 else 48
    return str(ipaddress.ip_network((address, width), strict=False))
