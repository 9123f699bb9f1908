"""Passwords as the doors handle them: judged by the domain's rules, hashed by Flask-Security."""

from __future__ import annotations

from typing import Any

from flask_security import hash_password, verify_password
from flask_security.password_util import PasswordUtil

from portal.accounts import passwords
from portal.accounts.passwords import Personal
from portal.accounts.user import User
from portal.logs import SecurityEvent, note
from portal.security import hashing


class PortalPasswordUtil(PasswordUtil):
    """Our rules wherever Flask-Security asks for a verdict (M3)."""

    def normalize(self, password: str) -> str:
        """NFKC, decided once and for all."""
        return passwords.normalize(password)

    def validate(
        self, password: str, is_register: bool, **kwargs: Any
    ) -> tuple[list[str] | None, str]:
        """The sentences of the rules that are broken (None when it is good), and the spelling."""
        broken = passwords.broken_rules(password, personal_of(kwargs.get("user")))
        return [str(rule.sentence) for rule in broken] or None, passwords.normalize(password)


def personal_of(user: User | None) -> Personal:
    """What a person's password must not be made of."""
    if user is None:
        return Personal()
    return Personal(full_name=user.full_name, username=user.username or "", email=user.email or "")


def hashed(password: str) -> str:
    """The hash to keep. Costs tens of milliseconds: never inside a transaction.

    Raises:
        TooBusy: too many are being hashed already.
    """
    with hashing.turn():
        return str(hash_password(passwords.normalize(password)))


def is_password_of(user: User, password: str) -> bool:
    """Whether this is the person's password, and a line of the log that says so.

    Costs what a hash costs, whatever the answer.

    Raises:
        TooBusy: too many are being hashed already.
    """
    spelled = passwords.normalize(password)
    kept = user.password
    with hashing.turn():
        if not kept or len(spelled) > passwords.MAXIMUM:
            hash_password(spelled[: passwords.MAXIMUM])
            proved = False
        else:
            proved = bool(verify_password(spelled, kept))
    note(SecurityEvent.PROVED_AGAIN if proved else SecurityEvent.PROOF_FAILED, about=user)
    return proved
