"""The spelling of passwords: in which they are judged, compared and hashed.

Decided once, because it cannot change later: NFKC, of up to 128 code points.
"""

from __future__ import annotations

import unicodedata

MAXIMUM = 128
LONGEST = 4 * MAXIMUM  # as typed: room for four signs to a character


def normalize(password: str) -> str:
    """The spelling that is judged and hashed: NFKC (NIST SP 800-63B-4, 3.1.1.2).

    What is far too long to be a password comes back as it is, to be refused for its length:
    normalising costs the square of a run of combining signs.
    """
    return unicodedata.normalize("NFKC", password) if len(password) <= LONGEST else password


def folded(password: str) -> str:
    """The spelling in which passwords are compared with what is known: small letters alone."""
    if password.isascii():  # as nearly all of a million are
        return password.lower()
    return normalize(normalize(password).casefold())
