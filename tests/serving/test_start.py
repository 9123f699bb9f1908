"""Starting: one command, from nothing to a page that answers, and what it says when it cannot."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sqlite3
import stat
from pathlib import Path

import pytest

from portal.settings import ROOT
from tests.serving.running import command, cpu_seconds, running, set_up_link, until, within

pytestmark = pytest.mark.enable_socket


def test_a_first_start_makes_all_that_is_needed_and_a_second_keeps_it(tmp_path: Path) -> None:
    instance = tmp_path / "instance"
    with running(tmp_path) as portal:
        portal.until_ready()

        assert portal.get("/healthz") == (200, "ok\n")
        assert portal.get("/login")[0] == 200
        until(lambda: portal.get("/readyz")[0] == 200)
        first_link = set_up_link(portal)
        assert portal.get(_path(first_link))[0] == 200
        for line in (f"http://127.0.0.1:{portal.port}/", "/dev/mailbox", str(instance)):
            assert line in portal.output
        assert stat.S_IMODE(instance.stat().st_mode) == 0o700
        for file in instance.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file
        portal.process.terminate()
        assert portal.ended() == 0
    secrets = (instance / "secrets.toml").read_bytes()

    with running(tmp_path) as portal:
        portal.until_ready()

        # What it takes of one core: on a machine that does nothing else it is not slower.
        assert sum(map(cpu_seconds, (portal.process.pid, *portal.family()))) < 5
        assert "kept in secrets.toml" in portal.output
        assert (instance / "secrets.toml").read_bytes() == secrets
        assert not (instance / "backups").exists()
        assert set_up_link(portal) != first_link
        assert portal.get(_path(first_link))[0] != 200

    assert list((tmp_path / "home").iterdir()) == []  # nor anything elsewhere
    assert {entry.name for entry in tmp_path.iterdir()} == {"home", "instance", "output.log"}


def test_a_port_that_is_in_use_is_said_with_who_has_it_and_another(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = command(tmp_path, "run", PORTAL_BIND=f"127.0.0.1:{port}")

    assert done.returncode == 1
    assert f"Port {port} is in use by" in done.stderr
    assert f"(process {os.getpid()})" in done.stderr
    assert re.search(r"PORTAL_BIND=127\.0\.0\.1:[0-9]+", done.stderr)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "instance" / "portal.sqlite3").exists()


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"PORTAL_MAIL_SERVR": "x"}, 'PORTAL_MAIL_SERVR; did you mean "PORTAL_MAIL_SERVER"?'),
        ({"PORTAL_PUBLIC_URL": "https://portal.example.org"}, "not loopback"),
        ({"PORTAL_INSTANCE": "/proc/nowhere"}, "instance folder /proc/nowhere cannot be written"),
        ({"PORTAL_BIND": "192.0.2.1:8000", "PORTAL_PUBLIC_URL": "http://localhost"}, "192.0.2.1"),
        ({"PORTAL_DATABASE_URL": "postgresql://u:hush@127.0.0.1:1/x"}, "does not answer"),
    ],
)
def test_what_cannot_start_says_why_in_a_sentence(
    tmp_path: Path, environ: dict[str, str], words: str
) -> None:
    done = command(tmp_path, "run", **environ)

    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "hush" not in done.stderr + done.stdout


def test_a_wrong_key_in_the_settings_file_is_named_with_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[mail]\nservr = "x"\n', encoding="utf-8")

    done = command(tmp_path, "run", PORTAL_SETTINGS_FILE=str(file))

    assert done.returncode == 1
    assert 'mine.toml, [mail]: there is no key "servr"; did you mean "server"?' in done.stderr


def test_a_database_whose_secrets_are_lost_gets_no_others_by_accident(place: Path) -> None:
    (place / "instance" / "secrets.toml").unlink()

    refused = command(place, "run")
    anew = within(place, "secrets", "--new")

    assert refused.returncode == 1
    assert "put" in refused.stderr
    assert "secrets.toml back" in refused.stderr
    assert anew.returncode == 0
    assert (place / "instance" / "secrets.toml").exists()


def test_secrets_that_others_could_read_are_closed(place: Path) -> None:
    path = place / "instance" / "secrets.toml"
    path.chmod(0o644)

    done = within(place, "secrets")

    assert "now readable by its owner only" in done.stdout
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_database_of_a_newer_portal_is_refused(place: Path) -> None:
    with sqlite3.connect(place / "instance" / "portal.sqlite3") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    done = command(place, "run")

    assert done.returncode == 1
    assert "revision 9999" in done.stderr
    assert "Update the portal" in done.stderr


@pytest.mark.long
def test_a_read_only_checkout_serves_with_its_instance_elsewhere(place: Path) -> None:
    checkout = place / "checkout"
    ignored = shutil.ignore_patterns(".git", ".venv", "instance", "node_modules")
    shutil.copytree(ROOT, checkout, ignore=ignored)
    _make_read_only(checkout)
    before = _listing(checkout)

    with running(place, root=checkout, prefix=_bound_by_modes()) as portal:
        portal.until_ready()
        assert portal.get("/login")[0] == 200
        portal.process.terminate()
        assert portal.ended() == 0

    assert _listing(checkout) == before


def _path(link: str) -> str:
    """Where a set-up link leads to."""
    return "/setup/" + link.rpartition("/")[2]


def _make_read_only(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


def _bound_by_modes() -> list[str]:
    """What makes the modes of files count for root as well."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("needs util-linux: root may write everywhere")
    return ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]


def _listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
