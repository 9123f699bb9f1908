"""Known devices: browsers in which somebody signed in before, so that nobody can lock them out.

A signed cookie holds a number of the browser's own and the marks of the last accounts; it opens
nothing and proves nobody. What it does is that tries from here are counted by the number, and so
apart from what strangers try.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from flask import Flask, after_this_request, current_app, request
from flask.wrappers import Response
from flask_security.signals import user_authenticated
from itsdangerous import BadSignature, URLSafeSerializer

from portal import settings
from portal.accounts.user import User

COOKIE = "portal_known"
ACCOUNTS = 5
NUMBER_LENGTH = 32
YEAR = 365 * 24 * 60 * 60


@dataclass(frozen=True)
class Device:
    """A browser, and who signed in with it."""

    number: str = ""
    accounts: tuple[str, ...] = ()


def init_app(app: Flask) -> None:
    """Remember in a browser who signs in with it."""
    user_authenticated.connect(_remember, app)


def mark(user_id: int) -> str:
    """What stands for an account in the cookie."""
    return f"account-{user_id}"


def known_to(account: str) -> str:
    """The number of the browser that is asking, if this account signed in here before; else ""."""
    device = _device()
    return device.number if account in device.accounts else ""


def remember(user: User) -> None:
    """Take the browser that is asking for one of this person's, from the answer on.

    They have signed in, or chosen a new password by a link that was mailed to them: strangers
    who try that account everywhere cannot keep them out of this browser.
    """
    device, own = _device(), mark(user.id)
    accounts = [own, *(other for other in device.accounts if other != own)][:ACCOUNTS]
    value = _signer().dumps([device.number or secrets.token_hex(16), *accounts])

    @after_this_request
    def set_cookie(response: Response) -> Response:
        response.set_cookie(
            settings.current().cookie_name(COOKIE),
            value,
            max_age=YEAR,
            path=current_app.config["APPLICATION_ROOT"],
            secure=settings.current().is_https,
            httponly=True,
            samesite="Lax",
        )
        return response


def _remember(_app: Flask, user: User, **_about: Any) -> None:
    remember(user)


def _device() -> Device:
    try:
        found = _signer().loads(request.cookies.get(settings.current().cookie_name(COOKIE), ""))
    except BadSignature:
        return Device()
    if not isinstance(found, list) or not found or len(str(found[0])) != NUMBER_LENGTH:
        return Device()
    return Device(str(found[0]), tuple(map(str, found[1:])))


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(settings.current().secrets.secret_key, salt="known-devices")
