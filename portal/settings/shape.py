"""The shape of the settings: every key, its type, its default and its bounds."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from portal.settings.kinds import (
    address,
    address_or_nothing,
    limit,
    one_line,
    one_of,
    whole,
)


@dataclass(frozen=True, kw_only=True)
class Site:
    """What the portal calls itself, and the languages it speaks."""

    name: str = one_line("Portal")
    support_email: str = address_or_nothing()
    languages: tuple[str, ...] = ("en", "de", "es", "ar")
    default_language: str = "en"
    time_zone: str = "UTC"
    terms_version: str = one_line("1")


@dataclass(frozen=True, kw_only=True)
class Database:
    """Where accounts live. No URL means an SQLite file in the instance folder."""

    url: str = field(default="", repr=False)  # may hold a password


@dataclass(frozen=True, kw_only=True)
class Redis:
    """What several processes share. No URL means memory and a queue file."""

    url: str = field(default="", repr=False)  # may hold a password


@dataclass(frozen=True, kw_only=True)
class Mail:
    """How letters leave. Without a server they stay in the development mailbox."""

    transport: str = one_of("", "smtp", "mailbox")
    server: str = one_line("", empty=True)
    port: int = whole(465, 1, 65535)
    security: str = one_of("tls", "starttls", "none")
    username: str = one_line("", empty=True)
    sender: str = address("portal@localhost")
    sender_name: str = one_line("", empty=True)
    reply_to: str = address_or_nothing()
    timeout_seconds: int = whole(10, 1, 300)
    give_up_after_hours: int = whole(48, 1, 240)
    most_asked_a_day: int = whole(10, 1, 10000)
    most_of_a_kind_a_day: int = whole(20, 1, 10000)
    ca_file: str = ""

    @property
    def effective_transport(self) -> str:
        """Say "smtp" or "mailbox", also where the transport is left to the server's presence."""
        return self.transport or ("smtp" if self.server else "mailbox")


@dataclass(frozen=True, kw_only=True)
class Server:
    """The web server and how it stops."""

    workers: int = whole(1, 1, 64)
    threads: int = whole(8, 1, 256)
    proxy_hops: int = whole(0, 0, 10)
    receive_within_seconds: int = whole(20, 1, 300)
    stop_within_seconds: int = whole(10, 1, 300)
    hsts_subdomains: bool = True


@dataclass(frozen=True, kw_only=True)
class Registration:
    """How long a new person has, and how often a mail may be asked for."""

    confirm_within_hours: int = whole(24, 1, 72)
    code_within_minutes: int = whole(10, 1, 60)
    code_tries: int = whole(5, 1, 20)
    resend_pause_seconds: int = whole(60, 0, 86400)
    erase_unconfirmed_after_hours: int = whole(72, 1, 8760)
    most_waiting: int = whole(1000, 0, 10_000_000)
    most_an_hour: int = whole(500, 0, 10_000_000)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """How staff and applicants work together on a registration."""

    undo_seconds: int = whole(10, 0, 3600)
    claim_lapses_after_seconds: int = whole(120, 30, 3600)
    hasty_seconds: int = whole(3, 0, 60)
    overdue_after_hours: int = whole(48, 0, 8760)
    remind_after_days: int = whole(3, 0, 365)
    stale_after_days: int = whole(14, 0, 365)


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """Who listens to what happens at the desk. No URL means nobody."""

    url: str = field(default="", repr=False)  # may hold a password
    personal_data: bool = False
    timeout_seconds: int = whole(10, 1, 60)


@dataclass(frozen=True, kw_only=True)
class Passwords:
    """What a password must be, and what hashing one costs."""

    rules: str = one_of("classes", "length")
    minimum_length: int = whole(8, 8, 64)
    minimum_strength: int = whole(3, 0, 4)
    house_words: tuple[str, ...] = ()
    breach_check_url: str = field(default="", repr=False)  # may hold a key
    breach_check_seconds: int = whole(2, 1, 10)
    hash_time_cost: int = whole(2, 2, 100)
    hash_memory_kib: int = whole(19456, 19456, 4194304)
    hash_parallelism: int = whole(1, 1, 64)
    hashes_at_once: int = whole(0, 0, 256)
    hash_wait_seconds: int = whole(5, 0, 60)

    @property
    def shortest(self) -> int:
        """Characters that a password has at least; 15 where length is all that is asked for.

        That is what NIST SP 800-63B-4, 3.1.1.2, asks of a password that stands alone.
        """
        return max(15, self.minimum_length) if self.rules == "length" else self.minimum_length


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """How long somebody stays signed in, and how long mailed links work."""

    remember_days: int = whole(14, 1, 365)
    fresh_minutes: int = whole(10, 1, 1440)
    idle_hours: int = whole(12, 1, 720)
    longest_hours: int = whole(168, 1, 8760)
    staff_idle_minutes: int = whole(60, 5, 43200)
    staff_longest_hours: int = whole(24, 1, 8760)
    history_days: int = whole(180, 1, 3650)
    alarm_days: int = whole(7, 1, 30)
    reset_within_minutes: int = whole(30, 5, 1440)
    change_address_within_minutes: int = whole(60, 5, 1440)


@dataclass(frozen=True, kw_only=True)
class SecondFactor:
    """Who has to sign in with more than a password."""

    required_of: tuple[str, ...] = ("staff",)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How often something may be tried, per network address or per account."""

    sign_in_address: str = limit("10 per minute; 100 per hour")
    sign_in_account: int = whole(5, 1, 100)
    sign_in_account_anywhere: int = whole(50, 1, 1000)
    sign_in_first_wait_seconds: int = whole(15, 1, 3600)
    sign_in_longest_wait_minutes: int = whole(30, 1, 1440)
    registration_address: str = limit("20 per minute")
    resend_address: str = limit("20 per minute")
    status_address: str = limit("60 per minute")
    code_account: str = limit("20 per hour")
    reset_address: str = limit("20 per minute")
    report_address: str = limit("30 per minute")
    change_account: str = limit("10 per 10 minutes")
    mails_to_one_address: str = limit("10 per 30 minutes")
    second_step_address: str = limit("20 per minute")
    enabled: bool = True


@dataclass(frozen=True, kw_only=True)
class Logs:
    """What lines of the log look like, and how much they say of people."""

    format: str = one_of("", "json", "text")
    personal_data: bool = False
    addresses: str = one_of("full", "network", "none")
    request_id_header: str = one_line("", empty=True)


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """What must stay unknown to others. None of the first three has a default."""

    secret_key: str = field(repr=False)
    password_salt: str = field(repr=False)
    outbox_key: str = field(repr=False)
    mail_password: str = field(default="", repr=False)
    webhook_secret: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything an operator decides, checked and complete."""

    instance: Path
    secrets: Secrets
    bind: str = "127.0.0.1:8000"
    public_url: str = ""
    site: Site = field(default_factory=Site)
    database: Database = field(default_factory=Database)
    redis: Redis = field(default_factory=Redis)
    mail: Mail = field(default_factory=Mail)
    server: Server = field(default_factory=Server)
    registration: Registration = field(default_factory=Registration)
    desk: Desk = field(default_factory=Desk)
    webhook: Webhook = field(default_factory=Webhook)
    passwords: Passwords = field(default_factory=Passwords)
    sessions: Sessions = field(default_factory=Sessions)
    second_factor: SecondFactor = field(default_factory=SecondFactor)
    limits: Limits = field(default_factory=Limits)
    logs: Logs = field(default_factory=Logs)
    origins: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Let the public URL follow from the bind address where none is given."""
        url = (self.public_url or f"http://{self.bind}").rstrip("/")
        object.__setattr__(self, "public_url", url)

    @property
    def host(self) -> str:
        """The address that the web server listens on, without brackets."""
        return self.bind.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port that the web server listens on."""
        return int(self.bind.rpartition(":")[2])

    @property
    def is_loopback(self) -> bool:
        """Whether the web server can be reached from this machine only."""
        return is_loopback(self.host)

    @property
    def public_host(self) -> str:
        """The host name in the public URL, without its port."""
        return self._public.hostname or ""

    @property
    def public_netloc(self) -> str:
        """The host name in the public URL, with its port where one is written."""
        return self._public.netloc

    @property
    def public_path(self) -> str:
        """The path under which the portal lives; "/" where it has a host of its own."""
        return self._public.path or "/"

    @property
    def is_https(self) -> bool:
        """Whether people reach the portal over TLS."""
        return self._public.scheme == "https"

    def cookie_name(self, name: str) -> str:
        """What a cookie of ours is called, with the prefix that browsers hold it to (RFC 6265bis).

        `__Host-`: set by this host over TLS, and sent back to it alone, so that no other host of
        the domain can plant one (ASVS 3.3.1, 3.3.3). Below a path of its own the portal may only
        have `__Secure-`; over plain http browsers take neither.
        """
        if not self.is_https:
            return name
        return f"__Host-{name}" if self.public_path == "/" else f"__Secure-{name}"

    @property
    def public_is_loopback(self) -> bool:
        """Whether the public URL leads to this machine only."""
        return is_loopback(self.public_host)

    @property
    def mailbox_enabled(self) -> bool:
        """Whether the development mailbox may be shown: nobody else can reach the portal."""
        captured = self.mail.effective_transport == "mailbox"
        return captured and self.is_loopback and self.public_is_loopback

    @property
    def database_url(self) -> str:
        """The database as SQLAlchemy is told: psycopg named, SQLite files absolute."""
        url = self.database.url or "sqlite:///portal.sqlite3"
        scheme, separator, rest = url.partition("://")
        if scheme in ("postgres", "postgresql"):
            return f"postgresql+psycopg://{rest}"
        if scheme == "sqlite" and rest.startswith("/") and not rest.startswith("//"):
            return f"sqlite:///{self.instance / rest[1:]}"
        return scheme + separator + rest

    @property
    def _public(self) -> SplitResult:
        return urlsplit(self.public_url)


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address always means this machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
