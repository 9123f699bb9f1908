"""Headers that every answer carries (ASVS 3.4, 14.3.2)."""

from __future__ import annotations

from flask import Flask, request
from flask.typing import ResponseReturnValue
from flask.wrappers import Response

from portal import settings

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-src 'self'; frame-ancestors 'none'"
)

# Pages whose address holds a token: nothing they link to may learn it.
TOKEN_ENDPOINTS = frozenset(
    {
        "pages.confirm",
        "pages.not_me",
        "pages.reset",
        "pages.confirm_email_change",
        "pages.setup",
        "pages.status_by_link",
        "pages.answer_by_link",
        "pages.proof_code_by_link",
        "pages.new_address_by_link",
        "pages.withdrawal_by_link",
    }
)

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def init_app(app: Flask) -> None:
    """Set the headers on whatever leaves, pages of the libraries and errors included.

    A view that sets a stricter value of its own keeps it.
    """
    https = settings.of(app).is_https
    policy = POLICY + ("; upgrade-insecure-requests" if https else "")

    @app.after_request
    def set_headers(response: Response) -> ResponseReturnValue:
        for name, value in _ALWAYS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Content-Security-Policy", policy)
        token_page = request.endpoint in TOKEN_ENDPOINTS
        if token_page:
            response.headers["X-Robots-Tag"] = "noindex, nofollow"
        response.headers.setdefault(
            "Referrer-Policy", "no-referrer" if token_page else "same-origin"
        )
        if https:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        if request.endpoint != "static" or response.status_code >= 400:
            # The exact directive: `no_store = True` would send "no-store=True".
            response.headers["Cache-Control"] = "no-store"
        return response
