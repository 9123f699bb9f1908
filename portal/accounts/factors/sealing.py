"""Sealing: secrets of authenticator apps are kept encrypted, each for its own account."""

from __future__ import annotations

import base64
import json

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from portal import clock, settings


class Unreadable(Exception):
    """What the key of this instance does not open, or what was sealed for somebody else."""


def seal(secret: str, *, of: int, purpose: str) -> bytes:
    """Encrypt a secret of the account with this id, for one purpose."""
    content = json.dumps([of, purpose, secret]).encode()
    return _lock().encrypt_at_time(content, int(clock.now().timestamp()))


def unseal(sealed: bytes, *, of: int, purpose: str, within: int | None = None) -> str:
    """Open what `seal` made; with `within`, no later than so many seconds after.

    Raises:
        Unreadable: another key, account or purpose; damaged, or too old.
    """
    now = int(clock.now().timestamp())
    try:
        if within is None:
            content = _lock().decrypt(sealed)
        else:
            content = _lock().decrypt_at_time(sealed, ttl=within, current_time=now)
        found = json.loads(content)
    except (InvalidToken, ValueError, TypeError) as problem:
        raise Unreadable from problem
    if not isinstance(found, list) or found[:2] != [of, purpose] or len(found) != 3:
        raise Unreadable
    return str(found[2])


def _lock() -> Fernet:
    """A key of its own, out of the one that never changes (HKDF, RFC 5869).

    So an instance that is older than second factors needs no new secret, and whoever has the
    database alone has none of theirs.
    """
    salt = settings.current().secrets.password_salt.encode()
    derived = HKDF(SHA256(), length=32, salt=None, info=b"portal second factors 1").derive(salt)
    return Fernet(base64.urlsafe_b64encode(derived))
