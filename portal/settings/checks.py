"""What must hold between settings: each refusal says which keys disagree and what to change."""

from __future__ import annotations

import base64
import ipaddress
import re
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from portal.settings.errors import SettingsError, suggestion
from portal.settings.shape import Settings, is_loopback

_WHO_MAY_BE_REQUIRED = ("everyone", "staff", "reviewer", "manager", "administrator")
_SHIPPED_LANGUAGES = ("en", "de", "es", "ar")


def where(settings: Settings, key: str) -> str:
    """Name a key and the place it was set in: "mail.port (in PORTAL_MAIL_PORT)"."""
    origin = settings.origins.get(key)
    return f"{key} (in {origin})" if origin else key


def check(settings: Settings) -> None:
    """Refuse settings that contradict each other or the machine they run on."""
    _check_bind(settings)
    _check_public_url(settings)
    _check_languages(settings)
    _check_time_zone(settings)
    _check_mail(settings)
    _check_stores(settings)
    _check_registration(settings)
    _check_desk(settings)
    _check_webhook(settings)
    _check_breaches(settings)
    _check_sessions(settings)
    _check_second_factor(settings)
    _check_logs(settings)


def _check_bind(settings: Settings) -> None:
    host, _, port = settings.bind.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not host or (":" in host and not bracketed) or re.search(r"[\s/@]", host):
        raise SettingsError(
            f"{where(settings, 'bind')}: expected host:port such as 127.0.0.1:8000, "
            f'found "{settings.bind}".'
        )
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise SettingsError(
            f"{where(settings, 'bind')}: expected a port from 1 to 65535 after the colon, "
            f'found "{port}".'
        )


def _check_public_url(settings: Settings) -> None:
    url = settings.public_url
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_fine = urlsplit(""), False
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_fine:
        raise SettingsError(
            f"{where(settings, 'public_url')}: expected an address such as "
            f'https://portal.example.org, found "{url}".'
        )
    if parts.username or parts.query or parts.fragment or re.search(r"[\s\\]", url):
        raise SettingsError(
            f"{where(settings, 'public_url')}: expected scheme, host and path only, such as "
            "https://portal.example.org."
        )
    if _is_every_address(parts.hostname):
        raise SettingsError(
            f"{where(settings, 'public_url')}: {parts.hostname} means every address of this "
            "machine and cannot be opened; set PORTAL_PUBLIC_URL to the address that people type."
        )
    if not settings.public_is_loopback and settings.mail.effective_transport != "smtp":
        raise SettingsError(
            f"{where(settings, 'public_url')} is {url}, which is not loopback, and no mail "
            "leaves: set server in [mail] (PORTAL_MAIL_SERVER), so that people who register "
            "can be written to."
        )


def _is_every_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _check_languages(settings: Settings) -> None:
    languages = settings.site.languages
    if not languages:
        raise SettingsError(
            f'{where(settings, "site.languages")}: expected at least one language, such as ["en"].'
        )
    for code in languages:
        if languages.count(code) > 1:
            raise SettingsError(f'{where(settings, "site.languages")} names "{code}" twice.')
        if code not in _SHIPPED_LANGUAGES and not _babel_knows(code):
            hint = suggestion(code, _SHIPPED_LANGUAGES)
            raise SettingsError(
                f'{where(settings, "site.languages")}: no language has the code "{code}"; {hint}'
            )
    if settings.site.default_language not in languages:
        raise SettingsError(
            f"{where(settings, 'site.default_language')} is "
            f'"{settings.site.default_language}", which is not one of '
            f"site.languages ({', '.join(languages)})."
        )


def _babel_knows(code: str) -> bool:
    # Imported only for languages that the portal does not bring, to start quickly.
    from babel import localedata

    return bool(re.fullmatch(r"[A-Za-z_]{2,20}", code)) and localedata.exists(code)


def _check_time_zone(settings: Settings) -> None:
    zone = settings.site.time_zone
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        hint = suggestion(zone, available_timezones())
        if "known ones" in hint:
            hint = "write it as Europe/Berlin or UTC."
        raise SettingsError(
            f'{where(settings, "site.time_zone")}: there is no time zone "{zone}"; {hint}'
        ) from None


def _check_mail(settings: Settings) -> None:
    mail = settings.mail
    if mail.transport == "smtp" and not mail.server:
        raise SettingsError(
            f"{where(settings, 'mail.transport')} is "
            '"smtp", but mail.server is empty; name the server.'
        )
    if mail.security == "none" and mail.server and not is_loopback(mail.server.strip("[]")):
        raise SettingsError(
            f"{where(settings, 'mail.security')} is "
            '"none", which is for a server on this machine only, and '
            f'mail.server is {mail.server}; use "tls" (port 465) or "starttls" (port 587).'
        )
    if settings.secrets.mail_password and not mail.username:
        raise SettingsError(
            f"There is a mail password ({settings.origins.get('secrets.mail_password')}), "
            "but mail.username is empty; set it."
        )


def _check_stores(settings: Settings) -> None:
    url = settings.database.url
    scheme = url.partition("://")[0]
    if url and scheme not in ("sqlite", "postgres", "postgresql", "postgresql+psycopg"):
        raise SettingsError(
            f"{where(settings, 'database.url')}: expected postgresql://user@host/name or sqlite:///file.sqlite3."
        )
    if scheme == "sqlite" and url.partition("://")[2] in ("", "/", "/:memory:"):
        raise SettingsError(
            f"{where(settings, 'database.url')}: a database in memory is gone with its "
            "process; name a file."
        )
    redis = settings.redis.url
    if redis and redis.partition("://")[0] not in ("redis", "rediss", "unix"):
        raise SettingsError(
            f"{where(settings, 'redis.url')}: expected redis://host:6379/0, rediss://… or unix://…."
        )


def _check_registration(settings: Settings) -> None:
    registration = settings.registration
    if registration.erase_unconfirmed_after_hours < registration.confirm_within_hours:
        raise SettingsError(
            f"{where(settings, 'registration.erase_unconfirmed_after_hours')} is shorter than "
            "registration.confirm_within_hours: accounts would go while their links still work."
        )


def _check_desk(settings: Settings) -> None:
    desk = settings.desk
    if 0 < desk.stale_after_days <= desk.remind_after_days:
        raise SettingsError(
            f"{where(settings, 'desk.stale_after_days')} is not longer than "
            "desk.remind_after_days: questions would be closed before anybody is reminded."
        )


def _check_sessions(settings: Settings) -> None:
    rules = settings.sessions
    for idle, minutes, longest in (
        ("idle_hours", rules.idle_hours * 60, "longest_hours"),
        ("staff_idle_minutes", rules.staff_idle_minutes, "staff_longest_hours"),
    ):
        if minutes > getattr(rules, longest) * 60:
            raise SettingsError(
                f"{where(settings, f'sessions.{idle}')} is longer than sessions.{longest}: "
                "nobody would be signed out for being idle; shorten it."
            )


def _check_webhook(settings: Settings) -> None:
    url, secret = settings.webhook.url, settings.secrets.webhook_secret
    if secret and not _is_webhook_secret(secret):
        raise SettingsError(
            f"{where(settings, 'secrets.webhook_secret')}: expected whsec_ and 24 to 64 bytes in "
            "base64; docs/webhook.md says how to make one."
        )
    if not url:
        return
    if settings.secrets.secret_key and not secret:
        raise SettingsError(
            f"{where(settings, 'webhook.url')} needs a secret to sign with: set "
            "PORTAL_WEBHOOK_SECRET or PORTAL_WEBHOOK_SECRET_FILE; docs/webhook.md says how to "
            "make one."
        )
    _check_address(
        settings,
        "webhook.url",
        "https://chat.example.org/hooks/portal",
        "so that nobody on the way reads or changes what is told",
    )


def _check_breaches(settings: Settings) -> None:
    url = settings.passwords.breach_check_url
    if not url:
        return
    example = "https://api.pwnedpasswords.com/range/"
    _check_address(
        settings,
        "passwords.breach_check_url",
        example,
        "so that nobody on the way reads or changes what is asked",
    )
    if not url.endswith("/") or "?" in url:
        raise SettingsError(
            f"{where(settings, 'passwords.breach_check_url')}: expected an address that ends in / "
            f"such as {example}; five digits are put behind it."
        )


def _check_address(settings: Settings, key: str, example: str, why_https: str) -> None:
    """Refuse what is no address of a server that the portal may talk to."""
    section, _, name = key.partition(".")
    url: str = getattr(getattr(settings, section), name)
    try:
        parts = urlsplit(url)
        host, port_is_fine = parts.hostname or "", parts.port is None or parts.port > 0
    except ValueError:
        parts, host, port_is_fine = urlsplit(""), "", False
    if not host or not port_is_fine or parts.username or re.search(r"[\\#]|[^!-~]", url):
        raise SettingsError(f"{where(settings, key)}: expected an address such as {example}.")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise SettingsError(
            f"{where(settings, key)} must begin with https://, {why_https}; "
            "http:// is for this machine only."
        )


def _check_second_factor(settings: Settings) -> None:
    for word in settings.second_factor.required_of:
        if word not in _WHO_MAY_BE_REQUIRED:
            # A misspelt role would be a door that stands open.
            raise SettingsError(
                f'{where(settings, "second_factor.required_of")}: nobody is called "{word}"; '
                f"{suggestion(word, _WHO_MAY_BE_REQUIRED)}"
            )


def _check_logs(settings: Settings) -> None:
    header = settings.logs.request_id_header
    if not header:
        return
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,63}", header):
        raise SettingsError(
            f"{where(settings, 'logs.request_id_header')}: expected the name of a header such as "
            "X-Request-ID."
        )
    if not settings.server.proxy_hops:
        raise SettingsError(
            f"{where(settings, 'logs.request_id_header')} is for a proxy in front that sets it, "
            "and server.proxy_hops is 0: anybody could choose the id. Set proxy_hops, or leave it "
            "empty."
        )


def _is_webhook_secret(secret: str) -> bool:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        return False
    return secret.startswith("whsec_") and 24 <= len(key) <= 64
