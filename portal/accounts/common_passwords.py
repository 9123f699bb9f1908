"""Common passwords: the million that people choose most, as a table of hashes in one small file.

The file is made at set-up from a list that a package carries (see deploy/assets.py). It holds
the first six bytes of a hash of each password, sorted: 6 MB that all processes share, in which
a password is found by twenty looks. One good password in some seventy million is taken for common.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path

from portal.accounts import spelling

FILE = Path(__file__).with_name("common_passwords.table")

# Shorter ones are refused anyway; without decorations they are no words.
SHORTEST = 4

_WIDTH = 6
# What people put around a common password to please a rule, and no more of it than this.
_DECORATIONS = "0123456789!?.,;:-_#*+$@%&/()='\" "
_MOST_DECORATIONS = 4


def is_common(password: str) -> bool:
    """Whether the whole password, folded, is among the commonest (ASVS 6.2.4, 6.2.12).

    So it is with up to four digits and signs before or after it: Password1!
    """
    table = _table()
    return any(_contains(table, word) for word in _undecorated(spelling.folded(password)))


def size() -> int:
    """How many passwords are known as common. Without the file, those that zxcvbn brings."""
    table = _table()
    return len(table) if isinstance(table, frozenset) else len(table) // _WIDTH


def is_complete() -> bool:
    """Whether the file is there that the set-up makes."""
    return FILE.is_file()


def write(passwords: Iterable[str], file: Path) -> int:
    """Make the file of these passwords, whole or not at all. Returns how many it holds."""
    words = {spelling.folded(password) for password in passwords}
    hashes = sorted({_hash(word) for word in words if len(word) >= SHORTEST})
    draft = file.with_name(f".{file.name}.new")
    try:
        draft.write_bytes(b"".join(hashes))
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return len(hashes)


def _undecorated(folded: str) -> Iterator[str]:
    yield folded
    start, end = folded.lstrip(_DECORATIONS), folded.rstrip(_DECORATIONS)
    before, after = len(folded) - len(start), len(folded) - len(end)
    if before <= _MOST_DECORATIONS:
        yield start
    if after <= _MOST_DECORATIONS:
        yield end
        if before <= _MOST_DECORATIONS:
            yield folded.strip(_DECORATIONS)


def _contains(table: mmap.mmap | frozenset[str], word: str) -> bool:
    if isinstance(table, frozenset):
        return word in table
    if len(word) < SHORTEST:
        return False
    wanted, count = _hash(word), len(table) // _WIDTH
    at = bisect_left(range(count), wanted, key=lambda i: table[i * _WIDTH : (i + 1) * _WIDTH])
    return table[at * _WIDTH : (at + 1) * _WIDTH] == wanted


def _hash(word: str) -> bytes:
    return blake2b(word.encode("utf-8", "surrogatepass"), digest_size=_WIDTH).digest()


@cache
def _table() -> mmap.mmap | frozenset[str]:
    if not is_complete():
        from zxcvbn.frequency_lists import FREQUENCY_LISTS

        return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= SHORTEST)
    with FILE.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
