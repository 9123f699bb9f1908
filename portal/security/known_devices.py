"""Known devices: browsers in which somebody signed in before, so that nobody can lock them out.

A signed cookie holds the marks of the last accounts; it opens nothing and proves nobody.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, after_this_request, current_app, request
from flask.wrappers import Response
from flask_security.signals import user_authenticated
from itsdangerous import BadSignature, URLSafeSerializer

from portal import settings
from portal.accounts.user import User

COOKIE = "portal_known"
ACCOUNTS = 5
YEAR = 365 * 24 * 60 * 60


def init_app(app: Flask) -> None:
    """Remember in a browser who signs in with it."""
    user_authenticated.connect(_remember, app)


def mark(user_id: int) -> str:
    """What stands for an account in the cookie."""
    return f"account-{user_id}"


def knows(account: str) -> bool:
    """Whether this account signed in before in the browser that is asking."""
    return account in _known()


def _remember(_app: Flask, user: User, **_about: Any) -> None:
    known = [mark(user.id), *(other for other in _known() if other != mark(user.id))]

    @after_this_request
    def set_cookie(response: Response) -> Response:
        response.set_cookie(
            COOKIE,
            _signer().dumps(known[:ACCOUNTS]),
            max_age=YEAR,
            path=current_app.config["APPLICATION_ROOT"],
            secure=settings.current().is_https,
            httponly=True,
            samesite="Lax",
        )
        return response


def _known() -> list[str]:
    try:
        found = _signer().loads(request.cookies.get(COOKIE, ""))
    except BadSignature:
        return []
    return found if isinstance(found, list) else []


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(settings.current().secrets.secret_key, salt="known-devices")
