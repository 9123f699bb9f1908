"""A message: one letter to one person, finished, before it is put into the outbox."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")


class UnsafeMessage(ValueError):
    """An address or a subject that could smuggle a header into a mail."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """What goes to whom, in their language, as text and as HTML.

    A message past `expires_at` is of no use any more: its link has stopped working.

    Raises:
        UnsafeMessage: the address or the subject holds a line break or another control character.
    """

    kind: str
    to: str
    language: str
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    user_id: int | None = None
    ticket: str = ""
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what would end a header before its time."""
        for line in (self.to, self.subject):
            if _CONTROL.search(line):
                raise UnsafeMessage(
                    "an address or a subject is one line without control characters"
                )
        if self.to.count("@") < 1 or self.to != self.to.strip():
            raise UnsafeMessage("an address has an @ and no blanks around it")
