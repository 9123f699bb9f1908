"""Trouble: what can go wrong with a mail, in words for staff and in consequences for the queue."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext as _l


class Trouble(StrEnum):
    """Why a mail was not delivered."""

    UNREACHABLE = "unreachable"
    UNTRUSTED = "untrusted"
    NO_ENCRYPTION = "no_encryption"
    SIGN_IN = "sign_in"
    SENDER = "sender"
    DISCONNECTED = "disconnected"
    LATER = "later"
    REFUSED = "refused"
    ADDRESS = "address"
    HOOK_UNREACHABLE = "hook_unreachable"
    HOOK_UNTRUSTED = "hook_untrusted"
    HOOK_BUSY = "hook_busy"
    HOOK_REFUSED = "hook_refused"
    HELD_BACK = "held_back"
    UNREADABLE = "unreadable"
    SILENCED = "silenced"
    UNEXPECTED = "unexpected"

    @property
    def label(self) -> Any:
        """The words for it that staff read."""
        return _LABELS[self]


_LABELS = {
    Trouble.UNREACHABLE: _l("The mail server cannot be reached."),
    Trouble.UNTRUSTED: _l("The mail server's certificate could not be verified."),
    Trouble.NO_ENCRYPTION: _l("The mail server offers no encryption."),
    Trouble.SIGN_IN: _l("The mail server refuses the portal's username or password."),
    Trouble.SENDER: _l("The mail server refuses the portal's sender address."),
    Trouble.DISCONNECTED: _l("The mail server broke off the conversation."),
    Trouble.LATER: _l("The mail server asked to try again later."),
    Trouble.REFUSED: _l("The mail server refuses this recipient or this mail."),
    Trouble.ADDRESS: _l("The mail server cannot handle this address."),
    Trouble.HOOK_UNREACHABLE: _l("The program that listens cannot be reached."),
    Trouble.HOOK_UNTRUSTED: _l("The certificate of the program that listens is not trusted."),
    Trouble.HOOK_BUSY: _l("The program that listens asked to try again later."),
    Trouble.HOOK_REFUSED: _l("The program that listens refuses this event."),
    Trouble.HELD_BACK: _l("Held back: this address got enough mail of this kind within a day."),
    Trouble.UNREADABLE: _l("The mail was encrypted with another key."),
    Trouble.SILENCED: _l("Not sent: the owner of this address said “this was not me”."),
    Trouble.UNEXPECTED: _l("An unexpected error; the log of the worker says more."),
}


class DeliveryProblem(Exception):
    """A mail was not delivered. Carries a short reason and the server's code, nothing it said."""

    def __init__(self, trouble: Trouble, code: int | None = None) -> None:
        super().__init__(trouble, code)
        self.trouble = trouble
        self.code = code

    def __str__(self) -> str:
        return f"{self.trouble.value} {self.code}" if self.code else self.trouble.value


class NotNow(DeliveryProblem):
    """This mail may be delivered later."""


class Never(DeliveryProblem):
    """This mail will not be delivered, however often it is tried."""


class ServerDown(DeliveryProblem):
    """No mail can be delivered at present; soon, probably, all of them."""


class ServerRefuses(DeliveryProblem):
    """No mail can be delivered until somebody mends the settings, here or there."""


def in_words(error: str | None) -> str:
    """Say to staff what a row's `last_error` means, with the server's code."""
    if not error:
        return ""
    name, _, code = error.partition(" ")
    try:
        label = str(Trouble(name).label)
    except ValueError:
        return error
    return f"{label} ({code})" if code else label
