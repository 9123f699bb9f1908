"""Limits: how often a stranger may try (M15). Per address, and per account that is tried."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import Flask, g, make_response, request, session
from flask.wrappers import Response
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import current_user
from werkzeug.exceptions import TooManyRequests

from portal import canonical, links, settings
from portal.accounts import credentials
from portal.accounts.sign_ins import Outcome, Tried
from portal.security import counters, history, known_devices, sign_in
from portal.security.delays import Delay
from portal.security.sessions import REGISTERED_HERE

# The delay of one network or one browser, as against that of all networks together.
OWN = "own"


class SlowDown(TooManyRequests):
    """A try that comes too soon after the ones before. Carries the seconds to wait."""

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.seconds = seconds


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
    where = counters.SHARED if ours.redis.url else counters.HERE
    app.config["RATELIMIT_STORAGE_URI"] = f"{where}://"
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"url": ours.redis.url}
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
    return _by_typed_address("typed-address")(view)


def reset_by_typed_address(view: Callable[..., Any]) -> Callable[..., Any]:
    """The same for new passwords, on its own: other forms keep nobody from this way in."""
    return _by_typed_address("typed-address-reset")(view)


def _by_typed_address(scope: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return limiter.shared_limit(
        lambda: settings.current().limits.mails_to_one_address,
        key_func=lambda: _digest(canonical.email(request.form.get("email", ""))),
        methods=["POST"],
        scope=scope,
        deduct_when=_succeeded,
    )


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
    """Limit sign-ins from one client address, or in one browser that the account knows."""
    return limiter.shared_limit(
        lambda: settings.current().limits.sign_in_address,
        key_func=lambda: _tried().device or network(),
        methods=["POST"],
        scope="sign_in",
    )(view)


def sign_in_slowly(view: Callable[..., Any]) -> Callable[..., Any]:
    """Slow down guesses at one account, more and more; success costs nothing.

    They are counted by network, and by all networks together. A browser in which this account
    signed in before counts on its own: strangers slow down each other, and not the owner there
    (ASVS 6.1.1). An owner elsewhere has the way by mail, after which that browser is known too.
    """

    @wraps(view)
    def slowed(*args: Any, **kwargs: Any) -> Any:
        rules = settings.current().limits
        typed, password = request.form.get("identity", ""), request.form.get("password", "")
        if request.method != "POST" or not rules.enabled or not typed.strip() or not password:
            return view(*args, **kwargs)
        delays = _delays(rules)
        try:
            _take_tries(delays)
        except SlowDown:
            history.note_failure(_tried().whose, Outcome.DELAYED)
            raise
        try:
            answer = view(*args, **kwargs)
        except Exception:  # no guess: the portal had no time, or no database, for it
            for delay, key in delays:
                delay.give_back(key, limiter.storage)
            raise
        if current_user.is_authenticated or _succeeded(make_response(answer)):
            for delay, key in delays:
                (delay.forget if delay.name == OWN else delay.give_back)(key, limiter.storage)
        return answer

    return slowed


def seconds_left(refusal: Exception) -> int:
    """Seconds until what refused an attempt lets the next one through."""
    if isinstance(refusal, SlowDown):
        return refusal.seconds
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


@dataclass(frozen=True)
class _Tried:
    """What a sign-in is for: the spelling that was typed, and the browser if it is known to it."""

    account: str
    device: str
    whose: Tried


def _tried() -> _Tried:
    """Look once a request for whose sign-in is tried; the same work whoever is known."""
    if "tried_to_sign_in" not in g:
        user = credentials.find_by_identity(request.form.get("identity", "").strip())
        known = known_devices.known_to(known_devices.mark(user.id if user else 0))
        g.tried_to_sign_in = _Tried(_tried_account(), known and f"device-{known}", Tried.of(user))
    found: _Tried = g.tried_to_sign_in
    return found


def _tried_account() -> str:
    """What was typed, in the one spelling of it that would find an account.

    Not the account itself: that would tell strangers which names and addresses belong to one,
    by the attempts that they have in common. An account has two names, its username and its
    address, so that both together may be tried twice as often as each (see settings.toml).
    """
    typed = request.form.get("identity", "").strip()[:320]
    return _digest(canonical.email(typed) if "@" in typed else canonical.username(typed))


def _delays(rules: settings.Limits) -> list[tuple[Delay, str]]:
    """What counts this sign-in, each with its key."""
    tried = _tried()
    waits = {
        "first": rules.sign_in_first_wait_seconds,
        "longest": rules.sign_in_longest_wait_minutes * 60,
    }
    own = Delay(name=OWN, free=rules.sign_in_account, **waits)
    if tried.device:
        return [(own, f"{tried.account}-{tried.device}")]
    anywhere = Delay(name="anywhere", free=rules.sign_in_account_anywhere, **waits)
    return [(own, f"{tried.account}-{network()}"), (anywhere, tried.account)]


def _take_tries(delays: list[tuple[Delay, str]]) -> None:
    taken: list[tuple[Delay, str]] = []
    for delay, key in delays:
        wait = delay.take(key, limiter.storage)
        if wait:
            for earlier, its_key in taken:
                earlier.give_back(its_key, limiter.storage)
            raise SlowDown(wait)
        taken.append((delay, key))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


# Made once: the limiter outlives applications, and would count a view that is wrapped for a
# second one twice.
_sign_in = sign_in_by_address(sign_in_slowly(sign_in.sign_in))
_verify = by_account(sign_in.verify)
