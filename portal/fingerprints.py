"""Fingerprints: recognising an address or a name again without keeping it.

A keyed hash (HMAC-SHA-256): whoever has the database alone cannot try out addresses, and
whoever has the key alone has nothing to compare (B4; ASVS 11.4.1).
"""

from __future__ import annotations

import hashlib
import hmac

from portal import settings

LENGTH = 64


def fingerprint(spelling: str, *, of: str) -> str:
    """The fingerprint of a canonical spelling, in hexadecimal.

    `of` names what is spelled ("address", "name"), so that the same text as one thing is
    not recognised as another. The key hangs on the password salt, which never changes.
    """
    key = hmac.digest(_salt(), b"portal fingerprints 1", "sha256")
    return hmac.new(key, f"{of}\0{spelling}".encode(), hashlib.sha256).hexdigest()


def _salt() -> bytes:
    return settings.current().secrets.password_salt.encode()
