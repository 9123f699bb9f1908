"""Headers that every answer carries (ASVS 3.4, 14.3.2), pages and files alike."""

from __future__ import annotations

from flask import Flask, request
from flask.typing import ResponseReturnValue
from flask.wrappers import Response

from portal import settings
from portal.settings import Settings

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-src 'self'; frame-ancestors 'none'"
)
# A file that is opened by itself, an image with a script in it for example, does nothing.
FILE_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"

REPORTS = "/browser-reports"
YEAR = 365 * 24 * 60 * 60

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(
        f"{ability}=()"
        for ability in (
            "accelerometer",
            "bluetooth",
            "browsing-topics",
            "camera",
            "display-capture",
            "geolocation",
            "gyroscope",
            "hid",
            "idle-detection",
            "magnetometer",
            "microphone",
            "midi",
            "payment",
            "screen-wake-lock",
            "serial",
            "usb",
            "xr-spatial-tracking",
        )
    ),
}


def init_app(app: Flask) -> None:
    """Set the headers on whatever leaves, pages of the libraries and errors included.

    A view that sets a stricter value of its own keeps it.
    """
    ours = settings.of(app)
    policy = policy_of(ours)
    reports = _reports_address(ours)
    strict_transport = transport_security(ours)

    @app.after_request
    def set_headers(response: Response) -> ResponseReturnValue:
        for name, value in _ALWAYS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Content-Security-Policy", policy)
        if ours.is_https:
            response.headers.setdefault("Reporting-Endpoints", f'portal="{reports}"')
        holds_token = _address_holds_a_token()
        if holds_token:
            response.headers["X-Robots-Tag"] = "noindex, nofollow"
        response.headers.setdefault(
            "Referrer-Policy", "no-referrer" if holds_token else "same-origin"
        )
        if strict_transport:
            response.headers["Strict-Transport-Security"] = strict_transport
        if request.endpoint != "static" or response.status_code >= 400:
            # The exact directive: `no_store = True` would send "no-store=True".
            response.headers["Cache-Control"] = "no-store"
        return response


def policy_of(ours: Settings) -> str:
    """The content security policy of pages, and where browsers report what it kept out.

    Both ways to say where: some browsers know the older one only. Those that know the newer one
    pass over the older one, and take the newer one under https alone.
    """
    policy = f"{POLICY}; report-uri {_reports_address(ours)}"
    return f"{policy}; report-to portal; upgrade-insecure-requests" if ours.is_https else policy


def transport_security(ours: Settings) -> str | None:
    """What browsers are told about coming back over TLS alone (ASVS 3.4.1); None without TLS."""
    if not ours.is_https:
        return None
    return f"max-age={YEAR}" + ("; includeSubDomains" if ours.server.hsts_subdomains else "")


def of_files(ours: Settings) -> dict[str, str]:
    """The headers of static files, which are served in front of the application."""
    always = {
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": FILE_POLICY,
        "Referrer-Policy": "no-referrer",
    }
    strict_transport = transport_security(ours)
    return always | ({"Strict-Transport-Security": strict_transport} if strict_transport else {})


def _reports_address(ours: Settings) -> str:
    return ours.public_path.rstrip("/") + REPORTS


def _address_holds_a_token() -> bool:
    """Whether nothing that this page leads to may learn its address.

    By the parts of the address, and not by a list of pages, so that none can be forgotten.
    """
    return "token" in (request.view_args or {}) or "draft" in request.args
