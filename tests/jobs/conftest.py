"""What tests of the worker start from: the fixtures of mail, and an environment for processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from portal.jobs import bell
from tests.jobs.process import environment
from tests.mail.authority import Authority
from tests.mail.conftest import authority, deliver_to, mail_server, post
from tests.mail.server import HOST, MailServer

__all__ = ["authority", "deliver_to", "mail_server", "post"]


@pytest.fixture
def app(app: Flask) -> Flask:
    """The site with a bell: other tests have no worker that would hear one."""
    bell.init_app(app)
    return app


@pytest.fixture
def environ(
    tmp_path: Path, database_url: str, authority: Authority
) -> Callable[..., dict[str, str]]:
    """The environment of a worker: environ(mail_server, PORTAL_REDIS_URL="...")."""

    def made(server: MailServer | None = None, **names: str) -> dict[str, str]:
        mail = {}
        if server is not None:
            mail = {
                "PORTAL_MAIL_SERVER": HOST,
                "PORTAL_MAIL_PORT": str(server.port),
                "PORTAL_MAIL_CA_FILE": str(authority.file),
                "PORTAL_MAIL_TIMEOUT_SECONDS": "5",
            }
        return environment(tmp_path / "instance", database_url, **mail, **names)

    return made
