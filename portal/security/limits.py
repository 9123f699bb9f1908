"""Limits: how often a stranger may try (M15). Per address, and per account that is tried."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, request, session
from flask.wrappers import Response
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import current_user

from portal import links, settings
from portal.accounts import canonical, credentials
from portal.security import known_devices, sign_in
from portal.security.sessions import REGISTERED_HERE


def network() -> str:
    """Who is asking: an IPv4 address, or the /64 network that one IPv6 customer has whole."""
    try:
        address = ipaddress.ip_address(get_remote_address())
    except ValueError:
        return get_remote_address()
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


limiter = Limiter(key_func=network)


def init_app(app: Flask) -> None:
    """Count in this process, or in Redis where one is configured (several processes)."""
    ours = settings.of(app)
    app.config["RATELIMIT_ENABLED"] = ours.limits.enabled
    app.config["RATELIMIT_STORAGE_URI"] = ours.redis.url or "memory://"
    # Without Redis the counting goes on in this process: never no limit at all.
    app.config["RATELIMIT_IN_MEMORY_FALLBACK_ENABLED"] = bool(ours.redis.url)
    limiter.init_app(app)
    app.view_functions["security.login"] = _sign_in
    app.view_functions["security.verify"] = _verify


def by_address(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Limit POSTs from one client address by the setting `limits.<name>_address`."""
    return _by_address(name, ["POST"])


def looks_by_address(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The same where looking at a page is limited as well."""
    return _by_address(name, ["GET", "HEAD", "POST"])


def _by_address(
    name: str, methods: list[str]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return limiter.shared_limit(
        lambda: str(getattr(settings.current().limits, f"{name}_address")),
        methods=methods,
        scope=name,
    )


def by_typed_address(view: Callable[..., Any]) -> Callable[..., Any]:
    """Limit what one e-mail address is mailed by forms, whoever sends them, known or not."""
    return limiter.shared_limit(
        lambda: settings.current().limits.mails_to_one_address,
        key_func=lambda: _digest(canonical.email(request.form.get("email", ""))),
        methods=["POST"],
        scope="typed-address",
        deduct_when=_succeeded,
    )(view)


def code_by_typed_address(view: Callable[..., Any]) -> Callable[..., Any]:
    """Limit wrong codes for one e-mail address, whoever types them, known or not.

    The link in the same mail goes on working, so that strangers keep nobody out.
    """
    return limiter.shared_limit(
        lambda: settings.current().limits.code_account,
        key_func=lambda: _digest(canonical.email(request.form.get("email", ""))),
        methods=["POST"],
        scope="code-account",
        deduct_when=_was_wrong,
    )(view)


def by_account(view: Callable[..., Any]) -> Callable[..., Any]:
    """Limit POSTs of a signed-in person to what asks for their password."""
    return limiter.shared_limit(
        lambda: settings.current().limits.change_account,
        key_func=lambda: f"account-{getattr(current_user, 'id', 'none')}",
        methods=["POST"],
        scope="own-account",
    )(view)


def by_registration(view: Callable[..., Any]) -> Callable[..., Any]:
    """The same for what this browser registered, whether that came to be an account or not."""
    return limiter.shared_limit(
        lambda: settings.current().limits.change_account,
        key_func=lambda: _digest(session.get(REGISTERED_HERE, "")),
        methods=["POST"],
        scope="own-registration",
        exempt_when=lambda: REGISTERED_HERE not in session,
    )(view)


def by_linked_account(view: Callable[..., Any]) -> Callable[..., Any]:
    """The same for whoever has a status link. Mails get forwarded: it keeps no owner out."""
    return limiter.shared_limit(
        lambda: settings.current().limits.change_account,
        key_func=_linked_account,
        methods=["POST"],
        scope="own-account",
    )(view)


def proof_by_account(view: Callable[..., Any]) -> Callable[..., Any]:
    """Limit wrong passwords and codes for one registration, by its link, or signed in."""
    return limiter.shared_limit(
        lambda: settings.current().limits.code_account,
        key_func=_linked_account,
        methods=["POST"],
        scope="proof-account",
        deduct_when=_was_wrong,
    )(view)


def sign_in_by_address(view: Callable[..., Any]) -> Callable[..., Any]:
    """Limit sign-ins from one client address."""
    return by_address("sign_in")(view)


def sign_in_by_account(view: Callable[..., Any]) -> Callable[..., Any]:
    """Limit failed sign-ins to one account from one client address; success costs nothing."""
    return limiter.shared_limit(
        lambda: settings.current().limits.sign_in_account,
        key_func=lambda: f"{_tried_account()}-{network()}",
        methods=["POST"],
        scope="sign-in-account",
        deduct_when=_failed,
    )(view)


def sign_in_by_account_anywhere(view: Callable[..., Any]) -> Callable[..., Any]:
    """Limit failed sign-ins to one account from all addresses together.

    Looser than what one address may fail, and not for a browser in which this account signed
    in before: so strangers can slow each other down, and not keep the owner out (ASVS 6.1.1).
    """
    return limiter.shared_limit(
        lambda: settings.current().limits.sign_in_account_anywhere,
        key_func=_tried_account,
        methods=["POST"],
        scope="sign-in-account-anywhere",
        exempt_when=_is_known_here,
        deduct_when=_failed,
    )(view)


def seconds_left() -> int:
    """Seconds until the limit that was just hit lets the next attempt through."""
    hit = limiter.current_limit
    return max(1, math.ceil(hit.reset_at - time.time())) if hit else 60


def _linked_account() -> str:
    """Whose registration a page is about, and how one came by it. Else, who asks."""
    token = (request.view_args or {}).get("token")
    if not token:
        return f"account-{getattr(current_user, 'id', 'none')}"
    user = links.read_status(token).user
    return network() if user is None else f"link-{user.id}"


def _succeeded(response: Response) -> bool:
    return response.status_code in (302, 303)


def _was_wrong(response: Response) -> bool:
    """Whether a try is to count: not where the portal itself had no time for it."""
    return not _succeeded(response) and response.status_code < 500


def _failed(response: Response) -> bool:
    return _was_wrong(response) and not current_user.is_authenticated


def _tried_account() -> str:
    """What was typed, in the one spelling of it that would find an account.

    Not the account itself: that would tell strangers which names and addresses belong to one,
    by the attempts that they have in common.
    """
    typed = request.form.get("identity", "").strip()[:320]
    return _digest(canonical.email(typed) if "@" in typed else canonical.username(typed))


def _is_known_here() -> bool:
    """Whether the account that is tried signed in before in the browser that is asking."""
    user = credentials.find_by_identity(request.form.get("identity", "").strip())
    return user is not None and known_devices.knows(known_devices.mark(user.id))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


# Made once: the limiter outlives applications, and would count a view that is wrapped for a
# second one twice.
_sign_in = sign_in_by_address(sign_in_by_account(sign_in_by_account_anywhere(sign_in.sign_in)))
_verify = by_account(sign_in.verify)
