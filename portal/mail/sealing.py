"""Sealing: what a mail says is encrypted while it waits, because it may hold live links."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken

from portal import settings


class Unreadable(Exception):
    """A body that the outbox key of this instance does not open."""


@dataclass(frozen=True, kw_only=True)
class Letter:
    """The inside of a mail."""

    subject: str
    text: str
    html: str


def seal(letter: Letter) -> bytes:
    """Encrypt a letter with the outbox key of this instance."""
    content = {"subject": letter.subject, "text": letter.text, "html": letter.html}
    return _lock().encrypt(json.dumps(content, ensure_ascii=False).encode())


def unseal(body: bytes) -> Letter:
    """Open what `seal` made.

    Raises:
        Unreadable: the body was sealed with another key, or damaged.
    """
    try:
        return Letter(**json.loads(_lock().decrypt(body)))
    except (InvalidToken, ValueError, TypeError) as problem:
        raise Unreadable from problem


def _lock() -> Fernet:
    return Fernet(settings.current().secrets.outbox_key)
