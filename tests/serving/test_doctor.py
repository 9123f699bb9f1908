"""The doctor: what is wrong is found, and each finding says what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from aiosmtpd.smtp import AuthResult

from portal.serving.doctor import Finding, Level, checkout, examine
from portal.settings import ROOT
from tests.serving.running import command, free_port, within

Examination = Callable[..., dict[str, list[Finding]]]


@pytest.fixture
def findings(place: Path) -> Examination:
    """What the doctor finds about the instance of this test, by what it is about."""

    def examination(send_to: str = "", **environ: str) -> dict[str, list[Finding]]:
        found: dict[str, list[Finding]] = {}
        own = {"PORTAL_INSTANCE": str(place / "instance"), **environ}
        for finding in examine(own, send_to=send_to):
            found.setdefault(finding.about, []).append(finding)
        return found

    return examination


def levels(found: dict[str, list[Finding]], about: str) -> list[Level]:
    """How bad it is, in order."""
    return [finding.level for finding in found.get(about, [])]


def test_a_healthy_instance_has_nothing_but_a_worker_that_does_not_run(
    findings: Examination,
) -> None:
    found = findings()

    for about in ("settings", "time zone", "secrets", "folder", "database", "database file"):
        assert set(levels(found, about)) == {Level.OK}, found[about]
    assert levels(found, "worker") == [Level.WARN]
    assert "portal worker" in found["worker"][0].remedy
    assert levels(found, "mail") == [Level.OK]


def test_wrong_settings_end_the_examination_with_their_sentence(findings: Examination) -> None:
    found = findings(PORTAL_SITE_TIME_ZONE="Mars/Olympus")

    assert list(found) == ["settings"]
    assert "Mars/Olympus" in found["settings"][0].text


def test_secrets_that_others_can_read_are_a_failure(findings: Examination, place: Path) -> None:
    (place / "instance" / "secrets.toml").chmod(0o640)

    (finding,) = findings()["secrets"]

    assert finding.level is Level.FAIL
    assert finding.remedy.startswith("chmod 600 ")


def test_missing_secrets_are_a_failure(findings: Examination, place: Path) -> None:
    (place / "instance" / "secrets.toml").unlink()

    assert levels(findings(), "secrets") == [Level.FAIL]


def test_a_database_that_is_behind_newer_damaged_or_away_is_a_failure(
    findings: Examination, place: Path
) -> None:
    file = place / "instance" / "portal.sqlite3"
    away = findings(PORTAL_DATABASE_URL="postgresql://portal:hush@127.0.0.1:1/portal")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        connection.commit()
        behind = findings()
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
        newer = findings()
    file.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    damaged = findings()

    for found in (away, behind, newer, damaged):
        assert levels(found, "database") == [Level.FAIL], found["database"]
        assert found["database"][0].remedy
        assert "hush" not in found["database"][0].text


def test_an_empty_instance_is_told_what_makes_it(findings: Examination, tmp_path: Path) -> None:
    found = findings(PORTAL_INSTANCE=str(tmp_path / "nowhere"))

    assert "`portal run`" in found["secrets"][0].text
    assert levels(found, "folder") == [Level.WARN]
    assert levels(found, "database") == [Level.WARN]
    assert not (tmp_path / "nowhere").exists(), "the doctor only looks"


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"PORTAL_SERVER_WORKERS": "2"}, "[redis]"),
        ({"PORTAL_LIMITS_ENABLED": "false"}, "limits.enabled"),
        ({"PORTAL_BIND": "0.0.0.0:8000", "PORTAL_PUBLIC_URL": "http://localhost"}, "nobody can"),
        (
            {
                "PORTAL_PUBLIC_URL": "https://portal.test",
                "PORTAL_MAIL_SERVER": "localhost",
                "PORTAL_MAIL_PORT": "1",
            },
            "proxy_hops",
        ),
    ],
)
def test_what_is_probably_not_meant_is_a_warning(
    findings: Examination, environ: dict[str, str], words: str
) -> None:
    warned = [one.text for one in findings(**environ)["settings"] if one.level is Level.WARN]

    assert any(words in text for text in warned), warned


class Letters(Message):
    """Keeps what a mail server was given."""

    def __init__(self) -> None:
        super().__init__()
        self.subjects: list[str] = []

    def handle_message(self, message: object) -> None:
        self.subjects.append(str(message["Subject"]))  # type: ignore[index]


@pytest.fixture
def letters() -> Letters:
    """What arrives."""
    return Letters()


@pytest.fixture
def mail_server(letters: Letters):
    """A mail server on this machine that knows one password."""

    def check(_server, _session, _envelope, _mechanism, data) -> AuthResult:
        return AuthResult(success=data.password == b"right")

    port = free_port()
    controller = Controller(
        letters,
        hostname="127.0.0.1",
        port=port,
        authenticator=check,
        auth_require_tls=False,
    )
    controller.start()
    yield {
        "PORTAL_MAIL_SERVER": "127.0.0.1",
        "PORTAL_MAIL_PORT": str(port),
        "PORTAL_MAIL_SECURITY": "none",
        "PORTAL_MAIL_SENDER": "portal@example.org",
    }
    controller.stop()


def test_the_mail_server_is_asked_and_nothing_is_sent(
    findings: Examination, mail_server: dict[str, str], letters: Letters
) -> None:
    found = findings(**mail_server)

    assert levels(found, "mail") == [Level.OK]
    assert letters.subjects == []


def test_a_letter_is_sent_where_asked_for(
    findings: Examination, mail_server: dict[str, str], letters: Letters
) -> None:
    found = findings("ada@example.org", **mail_server)

    assert "letter sent to ada@example.org" in found["mail"][0].text
    assert letters.subjects == ["Portal: test"]


def test_a_mail_server_that_is_away_or_speaks_no_tls_is_a_failure(
    findings: Examination, mail_server: dict[str, str]
) -> None:
    away = findings(**mail_server | {"PORTAL_MAIL_PORT": str(free_port())})
    plain = findings(**mail_server | {"PORTAL_MAIL_SECURITY": "starttls"})

    for found in (away, plain):
        assert levels(found, "mail") == [Level.FAIL]
        assert "[mail]" in found["mail"][0].remedy


def test_the_doctors_code_says_whether_something_failed(place: Path) -> None:
    well = command(place, "doctor")
    ill = within(place, "doctor", PORTAL_DATABASE_URL="postgresql://127.0.0.1:1/portal")

    assert "FAIL" in ill.stdout
    assert ill.returncode == 1
    assert (well.returncode == 1) == ("FAIL" in well.stdout)
    assert "Traceback" not in well.stderr + ill.stderr


def test_a_language_without_a_catalogue_is_a_warning(findings: Examination) -> None:
    (finding,) = findings(PORTAL_SITE_LANGUAGES="en,fi")["languages"]

    assert finding.level is Level.WARN
    assert " fi:" in finding.text


def test_missing_front_end_files_are_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    static = tmp_path / "portal" / "static"
    static.mkdir(parents=True)
    (static / "vendor.toml").write_bytes((ROOT / "portal" / "static" / "vendor.toml").read_bytes())
    monkeypatch.setattr(checkout, "ROOT", tmp_path)

    (front_end,) = checkout.front_end()

    assert front_end.level is Level.FAIL
    assert "bootstrap.min.css" in front_end.text
