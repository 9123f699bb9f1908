"""Proof by passkey: a key instead of the password, where somebody is asked again who is there."""

from __future__ import annotations

from portal.accounts.factors import ceremony, passkey
from portal.accounts.user import User
from portal.database import locked, transaction
from portal.errors import StepRefused
from portal.logs import SecurityEvent, note
from portal.security import sessions
from portal.security.proved import note_proved

FIELD = "proof_passkey"


def options_for(user: User) -> str | None:
    """What the browser needs to ask for a key, as JSON; None for who has no passkey."""
    if not passkey.are_possible() or not passkey.number(user):
        return None
    return ceremony.options_for_proof(user, here=sessions.here())


def take(user: User, answer: str) -> bool:
    """Note that the one who is signed in has proved themselves by a key. Commits.

    False where the session ended at the same moment.

    Raises:
        StepRefused: it is no answer of one of their keys, given for this, here and once.
    """
    refusal = _refusal(user.id, answer)
    note(SecurityEvent.PROVED_AGAIN if refusal is None else SecurityEvent.PROOF_FAILED, about=user)
    if refusal is not None:
        raise refusal
    return note_proved(user, by=passkey.KIND)


def _refusal(user_id: int, answer: str) -> StepRefused | None:
    """Why the answer does not count; that it was given is kept all the same."""
    with transaction():
        user = locked(User, user_id)
        assert user is not None
        try:
            ceremony.check_proof(user, answer, here=sessions.here())
        except StepRefused as refused:
            return refused
    return None
