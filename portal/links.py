"""Links that leave the portal in a mail: one maker, one host, and how they are read back.

The tokens are Flask-Security's signed and dated ones, bound to the account and its address.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from cryptography.fernet import Fernet, InvalidToken
from flask import current_app
from flask_security.proxies import _security
from flask_security.utils import check_and_get_token_status, hash_data, verify_hash

from portal import settings

if TYPE_CHECKING:
    from portal.accounts.user import User


class LinkState(StrEnum):
    """What a link is good for."""

    READY = "ready"
    EXPIRED = "expired"
    INVALID = "invalid"


@dataclass(frozen=True)
class Reading:
    """What a token said: whether it counts, whose it is, and the new address where it names one."""

    state: LinkState
    user: User | None = None
    email: str = ""


def absolute(endpoint: str, **values: Any) -> str:
    """The address of a page as people outside reach it: always on the public URL.

    Never on the host that a request claims to be for (H; Indico 2.3.4).
    """
    adapter = current_app.create_url_adapter(None)
    if adapter is None:
        raise RuntimeError("SERVER_NAME is not set from the public URL")
    return adapter.build(endpoint, values, force_external=True)


def confirmation(user: User) -> str:
    """Where somebody confirms their address."""
    token = _security.confirm_serializer.dumps([user.fs_uniquifier, hash_data(user.email or "")])
    return absolute("pages.confirm", token=token)


def read_confirmation(token: str) -> Reading:
    """Whose address a confirmation link proves."""
    lasts = timedelta(hours=settings.current().registration.confirm_within_hours)
    state, user, data = _read("confirm", token, lasts)
    if user is None or not (user.email and verify_hash(data[1], user.email)):
        return Reading(LinkState.INVALID)
    return Reading(state, user)


def password_reset(user: User) -> str:
    """Where somebody chooses a new password. Works until the password changes."""
    token = _security.reset_serializer.dumps([user.fs_uniquifier, _password_mark(user)])
    return absolute("pages.reset", token=token)


def read_password_reset(token: str) -> Reading:
    """Whose password a link may set."""
    lasts = timedelta(minutes=settings.current().sessions.reset_within_minutes)
    state, user, data = _read("reset", token, lasts)
    if user is None or not verify_hash(data[1], _password_mark_source(user)):
        return Reading(LinkState.INVALID)
    return Reading(state, user)


def change_of_address(user: User, new_email: str) -> str:
    """Where somebody proves the address they want to move to."""
    token = _security.change_email_serializer.dumps(
        [user.fs_uniquifier, hash_data(user.email or ""), new_email]
    )
    return absolute("pages.confirm_email_change", token=token)


def read_change_of_address(token: str) -> Reading:
    """Whose account moves, and to which address."""
    lasts = timedelta(minutes=settings.current().sessions.change_address_within_minutes)
    state, user, data = _read("change_email", token, lasts)
    if user is None or not (user.email and verify_hash(data[1], user.email)):
        return Reading(LinkState.INVALID)
    return Reading(state, user, data[2])


def registration_draft(**fields: str) -> str:
    """Where somebody whose username was taken finds their form again, filled in but for it."""
    return absolute("pages.register", draft=_drafts().encrypt(json.dumps(fields).encode()).decode())


def read_registration_draft(token: str) -> dict[str, str]:
    """The fields of such a form; empty when the link is altered or older than a day."""
    try:
        plain = _drafts().decrypt(token.encode(), ttl=24 * 60 * 60)
    except (InvalidToken, UnicodeError, ValueError):
        return {}
    fields: dict[str, str] = json.loads(plain)
    return fields


def _read(name: str, token: str, lasts: timedelta) -> tuple[LinkState, User | None, list[Any]]:
    expired, invalid, data = check_and_get_token_status(token, name, lasts)
    if not isinstance(data, list) or len(data) < 2 or (invalid and not expired):
        return LinkState.INVALID, None, []
    user = cast("User | None", _security.datastore.find_user(fs_uniquifier=str(data[0])))
    return (LinkState.EXPIRED if expired else LinkState.READY), user, data


def _password_mark(user: User) -> str:
    return str(hash_data(_password_mark_source(user)))


def _password_mark_source(user: User) -> str:
    return user.password or "none"


def _drafts() -> Fernet:
    return Fernet(settings.current().secrets.outbox_key)
