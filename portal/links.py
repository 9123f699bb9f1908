"""Links that leave the portal in a mail: one maker, one host, and how they are read back.

The tokens are Flask-Security's signed and dated ones, bound to the account and its address.
"""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from cryptography.fernet import Fernet, InvalidToken
from flask import current_app
from flask_security.proxies import _security
from flask_security.utils import check_and_get_token_status, hash_data, verify_hash

from portal import clock, settings
from portal.fingerprints import fingerprint
from portal.logs import SecurityEvent, note_once

if TYPE_CHECKING:
    from portal.accounts.user import User

# How long a status link goes on after the decision.
STATUS_LASTS = timedelta(days=30)


class LinkState(StrEnum):
    """What a link is good for."""

    READY = "ready"
    EXPIRED = "expired"
    INVALID = "invalid"


@dataclass(frozen=True)
class Reading:
    """What a token said: whether it counts, whose it is, and another address where it names one.

    `ticket` is the mail that it came with, as far as it says so.
    """

    state: LinkState
    user: User | None = None
    email: str = ""
    ticket: str = ""

    def __post_init__(self) -> None:
        """Write down that a link was refused; once, however often a request reads it."""
        if self.state is not LinkState.READY:
            note_once(SecurityEvent.LINK_REFUSED, about=self.user, why=self.state.value)


@dataclass(frozen=True)
class Denial:
    """Who may say "this was not me": whoever has this link, to this address, however old it is.

    `user` is the account as long as it has the address, and `address` its fingerprint.
    """

    address: str
    user: User | None
    ticket: str


@dataclass(frozen=True)
class Notice:
    """What a mail was about that told of a change, by the link "this was not me" in it.

    `address` is the one that the account had before the change, to which the mail went, and `at`
    when it was written.
    """

    user: User
    address: str
    at: datetime


def absolute(endpoint: str, **values: Any) -> str:
    """The address of a page as people outside reach it: always on the public URL.

    Never on the host that a request claims to be for (H; Indico 2.3.4).
    """
    adapter = current_app.create_url_adapter(None)
    if adapter is None:
        raise RuntimeError("SERVER_NAME is not set from the public URL")
    return adapter.build(endpoint, values, force_external=True)


def new_ticket() -> str:
    """A name for a mail that its link carries. It opens nothing: the link is signed besides."""
    return secrets.token_urlsafe(12)


def confirmation(user: User, *, ticket: str = "") -> str:
    """Where somebody confirms their address."""
    return absolute("pages.confirm", token=_confirmation_token(user, ticket))


def not_me(user: User, *, ticket: str = "") -> str:
    """Where whoever got a confirmation mail says that they did not register."""
    return absolute("pages.not_me", token=_confirmation_token(user, ticket))


def read_confirmation(token: str) -> Reading:
    """Whose address a confirmation link proves."""
    lasts = timedelta(hours=settings.current().registration.confirm_within_hours)
    state, user, data = _read("confirm", token, lasts)
    if user is None or not _is_address_of(user, data[1]):
        return Reading(LinkState.INVALID)
    return Reading(state, user, ticket=_ticket(data, 2))


def read_denial(token: str) -> Denial | None:
    """What the same link says to "this was not me". It never expires; None: it is no link."""
    state, user, data = _read("confirm", token, timedelta.max)
    if state is LinkState.INVALID or not isinstance(data[1], str):
        note_once(SecurityEvent.LINK_REFUSED, why=LinkState.INVALID.value)
        return None
    if user is not None and not _is_address_of(user, data[1]):
        user = None  # the account has moved on to another address
    return Denial(address=data[1], user=user, ticket=_ticket(data, 2))


def alarm(user: User, address: str, *, at: datetime | None = None) -> str:
    """Where the owner of an address says that a change of their account was not theirs.

    It names the account by its number: what a thief changes afterwards must not make it worthless.
    `at` is the moment of the change, where that is kept, too: what the notice is about must not
    be older than the notice.
    """
    serializer = cast("Any", _security).alarm_serializer
    token = serializer.dumps([user.id, address, (at or clock.now()).isoformat()])
    return absolute("pages.alarm", token=token)


def read_alarm(token: str) -> Notice | None:
    """What such a link says; whether it still counts, `portal.accounts.alarm` knows."""
    expired, invalid, data = check_and_get_token_status(token, "alarm", timedelta.max)
    if expired or invalid or not isinstance(data, list) or len(data) != 3:
        return None
    user = cast("User | None", _security.datastore.find_user(id=data[0]))
    return None if user is None else Notice(user, data[1], datetime.fromisoformat(data[2]))


def password_reset(user: User, *, ticket: str = "", address: str = "") -> str:
    """Where somebody chooses a new password. Works until the password changes.

    With the address that they had before, by which they prove that it is still theirs (see
    `portal.accounts.alarm`), it works for days.
    """
    about = [user.fs_uniquifier, _password_mark(user), ticket, address]
    token = _security.reset_serializer.dumps(about)
    return absolute("pages.reset", token=token)


def read_password_reset(token: str) -> Reading:
    """Whose password a link may set."""
    rules = settings.current().sessions
    state, user, data = _read("reset", token, timedelta(minutes=rules.reset_within_minutes))
    address = str(data[3]) if len(data) > 3 else ""
    if address:
        state, user, data = _read("reset", token, timedelta(days=rules.alarm_days))
    if user is None or not verify_hash(data[1], _password_mark_source(user)):
        return Reading(LinkState.INVALID)
    return Reading(state, user, address, ticket=_ticket(data, 2))


def change_of_address(user: User, new_email: str, *, ticket: str = "") -> str:
    """Where somebody proves the address they want to move to."""
    token = _security.change_email_serializer.dumps(
        [user.fs_uniquifier, hash_data(user.email or ""), new_email, ticket]
    )
    return absolute("pages.confirm_email_change", token=token)


def read_change_of_address(token: str) -> Reading:
    """Whose account moves, and to which address."""
    lasts = timedelta(minutes=settings.current().sessions.change_address_within_minutes)
    state, user, data = _read("change_email", token, lasts)
    if user is None or not (user.email and verify_hash(data[1], user.email)):
        return Reading(LinkState.INVALID)
    return Reading(state, user, data[2], ticket=_ticket(data, 3))


def status(user: User, *, ticket: str = "") -> str:
    """Where an applicant sees how far their registration is, without signing in."""
    serializer = cast("Any", _security).status_serializer
    token = serializer.dumps([user.fs_uniquifier, _address_mark(user), ticket])
    return absolute("pages.status_by_link", token=token)


def read_status(token: str) -> Reading:
    """Whose registration a status link shows: as long as it is undecided, and a month more.

    A new password, another address, a suspension and the erasure each make it worthless.
    """
    state, user, data = _read("status", token, timedelta.max)
    if user is None or user.suspended_at is not None or not _is_address_of(user, data[1]):
        return Reading(LinkState.INVALID)
    decided_at = user.rejected_at or user.approved_at
    if decided_at is not None and clock.now() >= decided_at + STATUS_LASTS:
        state = LinkState.EXPIRED
    return Reading(state, user, ticket=_ticket(data, 2))


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


def _confirmation_token(user: User, ticket: str) -> str:
    about = [user.fs_uniquifier, _address_mark(user), ticket]
    token: str = _security.confirm_serializer.dumps(about)
    return token


def _address_mark(user: User) -> str:
    # A fingerprint, and not a plain hash: the link may lie about in mailboxes and logs of others.
    return fingerprint(user.email_canonical or "", of="address")


def _is_address_of(user: User, found: Any) -> bool:
    if not user.email_canonical or not isinstance(found, str):
        return False
    return hmac.compare_digest(fingerprint(user.email_canonical, of="address"), found)


def _ticket(data: list[Any], place: int) -> str:
    return str(data[place]) if len(data) > place else ""


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
