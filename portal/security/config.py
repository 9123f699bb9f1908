"""What Flask, Flask-Security and Flask-WTF are told; every key that we do not leave alone."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from flask import Flask

from portal import clock, i18n, settings

KIB = 1024


def apply(app: Flask) -> None:
    """Turn the portal's settings into the libraries' keys."""
    ours = settings.of(app)
    public = urlsplit(ours.public_url)
    app.config.update(
        SECRET_KEY=ours.secrets.secret_key,
        SERVER_NAME=public.netloc,
        PREFERRED_URL_SCHEME=public.scheme,
        APPLICATION_ROOT=public.path.rstrip("/") or "/",
        TRUSTED_HOSTS=_trusted_hosts(ours),
        # No page takes more than a long form; more is refused before it is read.
        MAX_CONTENT_LENGTH=256 * KIB,
        MAX_FORM_MEMORY_SIZE=64 * KIB,
        MAX_FORM_PARTS=500,
        # Flask's cookie is the visit's, with nothing in it that says who somebody is.
        SESSION_COOKIE_NAME=ours.cookie_name("portal_visit"),
        SESSION_COOKIE_SECURE=ours.is_https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(hours=ours.sessions.idle_hours),
        # Flask-Login's protection compares network and browser, which change for honest people;
        # the row of a session is what decides.
        SESSION_PROTECTION=None,
        WTF_CSRF_TIME_LIMIT=None,
        # Token pages send no referrer at all, so its absence proves nothing; the token does.
        WTF_CSRF_SSL_STRICT=False,
        **_flask_security(ours),
    )


def _flask_security(ours: settings.Settings) -> dict[str, object]:
    keys: dict[str, object] = {
        "PASSWORD_SALT": ours.secrets.password_salt,
        "PASSWORD_HASH": "argon2",
        "PASSWORD_HASH_PASSLIB_OPTIONS": {
            "argon2__type": "ID",
            "argon2__time_cost": ours.passwords.hash_time_cost,
            "argon2__memory_cost": ours.passwords.hash_memory_kib,
            "argon2__parallelism": ours.passwords.hash_parallelism,
        },
        "PASSWORD_SCHEMES": ["argon2"],
        "DEPRECATED_PASSWORD_SCHEMES": [],
        # The token is signed anyway; the default costs half a second of sha256 a link.
        "HASHING_SCHEMES": ["hex_sha256"],
        "DEPRECATED_HASHING_SCHEMES": [],
        "PASSWORD_NORMALIZE_FORM": "NFKC",
        "PASSWORD_LENGTH_MIN": ours.passwords.shortest,
        "STATUS_SALT": "status-salt",
        "ALARM_SALT": "alarm-salt",
        "REGISTERABLE": False,
        "CONFIRMABLE": False,
        "RECOVERABLE": False,
        "CHANGEABLE": False,
        "TRACKABLE": True,
        "JOIN_USER_ROLES": False,
        "API_ENABLED_METHODS": ["session"],
        "LOGOUT_METHODS": ["POST"],
        "POST_LOGIN_VIEW": "pages.home",
        "POST_LOGOUT_VIEW": "security.login",
        "FRESHNESS": timedelta(minutes=ours.sessions.fresh_minutes),
        # It would count in the visitor's cookie, which could be sent again.
        "FRESHNESS_GRACE_PERIOD": timedelta(0),
        "EMAIL_VALIDATOR_ARGS": {"check_deliverability": False},
        "DATETIME_FACTORY": clock.now,
        "I18N_DOMAIN": i18n.SECURITY_I18N_DOMAIN,
        "I18N_DIRNAME": i18n.SECURITY_I18N_DIRNAME,
        "FLASH_MESSAGES": False,
        "STATIC_FOLDER": None,
    }
    return {f"SECURITY_{name}": value for name, value in keys.items()}


def _trusted_hosts(ours: settings.Settings) -> list[str]:
    public = ours.public_host
    hosts = [f"[{public}]" if ":" in public else public]
    if ours.is_loopback:
        hosts += ["localhost", "127.0.0.1", "[::1]"]
    return [_Whole(host) for host in hosts]


class _Whole(str):
    """A host in one piece: Werkzeug takes what follows a colon for a port, also in [::1]."""

    __slots__ = ()

    def partition(self, _separator: str) -> tuple[str, str, str]:
        return str(self), "", ""
