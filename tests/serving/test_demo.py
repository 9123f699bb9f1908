"""The demo: whatever the settings say, it is apart from everything real."""

from __future__ import annotations

from pathlib import Path

import pytest

from portal import settings
from portal.serving import demo
from portal.serving.problems import Problem


def test_a_demo_uses_nothing_that_the_settings_point_at(tmp_path: Path) -> None:
    real = {
        "PORTAL_BIND": "127.0.0.1:8123",
        "PORTAL_INSTANCE": "/var/lib/portal",
        "PORTAL_DATABASE_URL_FILE": "/run/secrets/database",
        "PORTAL_REDIS_URL": "redis://cache",
        "PORTAL_MAIL_SERVER": "mail.example.org",
        "PORTAL_MAIL_USERNAME": "portal",
        "PORTAL_MAIL_PASSWORD": "hush",
        "PORTAL_WEBHOOK_URL": "https://chat.example.org/hooks/portal",
        "PORTAL_PASSWORDS_BREACH_CHECK_URL": "https://pwned.example.org/range/",
        "PORTAL_WEBHOOK_SECRET_FILE": "/run/secrets/hook",
        "PORTAL_PUBLIC_URL": "https://portal.example.org",
        "PORTAL_SECRET_KEY_FILE": "/run/secrets/key",
        "PORTAL_SITE_NAME": "Our door",
    }

    own = demo.environment(real, tmp_path)

    settings.make_secrets(tmp_path, own)
    ours = settings.load(own)
    assert ours.instance == tmp_path
    assert ours.database_url == f"sqlite:///{tmp_path}/portal.sqlite3"
    assert (ours.redis.url, ours.mail.effective_transport) == ("", "mailbox")
    assert (ours.webhook.url, ours.passwords.breach_check_url) == ("", "")
    assert ours.public_url == "http://127.0.0.1:8123"
    assert ours.mailbox_enabled
    assert ours.site.name == "Our door"
    assert set(ours.origins.values()).isdisjoint({"PORTAL_SECRET_KEY_FILE", "PORTAL_MAIL_PASSWORD"})


def test_a_demo_is_not_put_into_a_folder_with_something_in_it(tmp_path: Path) -> None:
    (tmp_path / "letter").touch()

    with pytest.raises(Problem, match="is not empty"):
        demo.run({}, tmp_path)
