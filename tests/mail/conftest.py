"""What tests of mail start from: a real mail server, and a site that delivers to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from portal import settings
from portal.database import transaction
from portal.mail import delivery, outbox
from portal.mail.mail import Mail
from portal.mail.message import Message
from tests.mail.authority import Authority
from tests.mail.server import HOST, MailServer


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the certificates of the tests' mail servers."""
    return Authority.in_folder(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def mail_server(authority: Authority) -> Iterator[MailServer]:
    """A mail server that speaks TLS from the first byte, with a certificate for its name."""
    with MailServer(tls=authority.context_for(HOST)) as server:
        yield server


@pytest.fixture
def deliver_to(app: Flask, authority: Authority) -> Callable[..., None]:
    """Makes the site deliver to a server: deliver_to(server, security="starttls")."""

    def use(server: MailServer, **changes: Any) -> None:
        ours = settings.of(app)
        wanted: dict[str, Any] = {
            "transport": "smtp",
            "server": HOST,
            "port": server.port,
            "security": "tls",
            "ca_file": str(authority.file),
            "timeout_seconds": 5,
        }
        password = changes.pop("password", "")
        app.extensions["portal.settings"] = replace(
            ours,
            mail=replace(ours.mail, **(wanted | changes)),
            secrets=replace(ours.secrets, mail_password=password),
        )
        delivery.init_app(app)

    return use


@pytest.fixture
def post(app: Flask) -> Callable[..., Mail]:
    """Posts a letter, and commits: post("ada@example.org")."""

    def posted(to: str = "ada@example.org", **changes: Any) -> Mail:
        with transaction():
            return outbox.post(letter(to, **changes))

    return posted


def letter(to: str = "ada@example.org", **changes: Any) -> Message:
    """A finished message."""
    fields: dict[str, Any] = {
        "kind": "test",
        "to": to,
        "language": "en",
        "subject": "A letter",
        "text": "Dear Ada, here is a secret link.\n",
        "html": "<!doctype html><html><head></head><body><p>Dear Ada</p></body></html>",
    }
    return Message(**(fields | changes))
