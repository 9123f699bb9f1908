"""The commands: each explains itself, does what it says, and names the remedy when it cannot."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.accounts.staff_invitation import StaffInvitation
from portal.accounts.user import User
from portal.cli import main
from portal.database import db
from portal.revisions import without_password
from portal.serving import first_run, rescue
from portal.serving.problems import Problem
from portal.settings import ROOT
from tests.mail.hook import SECRET
from tests.serving.running import command, within


def commands(group: click.Group, *before: str) -> Iterator[tuple[str, ...]]:
    """Every command there is, by the words that call it."""
    for name, one in group.commands.items():
        yield (*before, name)
        if isinstance(one, click.Group):
            yield from commands(one, *before, name)


def test_there_are_the_commands_that_scripts_rely_on() -> None:
    stable = {
        ("run",), ("worker",), ("create-staff",), ("demo",), ("doctor",),
        ("config", "show"), ("db", "upgrade"), ("db", "backup"), ("db", "restore"),
    }  # fmt: skip

    assert stable <= set(commands(main))


@pytest.mark.parametrize("words", list(commands(main)), ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    context = click.Context(main)
    found: click.Command | None = main
    for word in words:
        assert isinstance(found, click.Group)
        found = found.get_command(context, word)

    assert found
    assert found.help
    assert "Usage:" in found.get_help(context)


def test_help_is_quick_and_needs_no_instance(tmp_path: Path) -> None:
    program = (
        "import sys; from portal.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'gunicorn', 'alembic', 'huey'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )

    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "create-staff" in done.stdout
    assert time.monotonic() - began < 5


def test_an_unknown_command_ends_with_the_code_for_usage(tmp_path: Path) -> None:
    done = command(tmp_path, "rum")

    assert done.returncode == 2
    assert "No such command 'rum'" in done.stderr


@pytest.mark.parametrize(
    "words", [["run"], ["worker"], ["secrets"], ["config", "show"], ["db", "upgrade"], ["demo"]]
)
def test_wrong_settings_are_one_sentence_and_exit_code_one(
    tmp_path: Path, words: list[str]
) -> None:
    done = within(tmp_path, *words, PORTAL_SERVER_WORKERS="many")

    assert done.returncode == 1
    assert "PORTAL_SERVER_WORKERS: expected a whole number from 1 to 64" in done.stderr
    assert "Traceback" not in done.stderr


def test_config_show_says_where_each_value_came_from_and_no_secret(place: Path) -> None:
    done = command(
        place,
        "config",
        "show",
        PORTAL_SITE_NAME="Our door",
        PORTAL_DATABASE_URL="postgresql://portal:hush@db/portal",
        PORTAL_REDIS_URL="redis://:hush@cache:6379/0",
        PORTAL_SECRET_KEY="k3y-abcdefghijklmnopqrstuvwxyz01234",
        PORTAL_WEBHOOK_URL="https://chat.example.org/hooks/hush",
        PORTAL_WEBHOOK_SECRET=SECRET,
    )

    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert done.returncode == 0
    assert rows["site.name"].split() == ["site.name", '"Our', 'door"', "PORTAL_SITE_NAME"]
    assert rows["mail.port"].endswith("settings.toml")
    assert rows["instance"].endswith("PORTAL_INSTANCE")
    assert '"postgresql://portal:***@db/portal"' in rows["database.url"]
    assert '"redis://:***@cache:6379/0"' in rows["redis.url"]
    assert '"https://chat.example.org/…"' in rows["webhook.url"]
    assert "not shown" in rows["secrets.webhook_secret"]
    assert "not shown" in rows["secrets.secret_key"]
    assert rows["secrets.secret_key"].endswith("PORTAL_SECRET_KEY")
    assert rows["secrets.password_salt"].endswith("secrets.toml")
    secrets = re.findall('"(.+)"', (place / "instance" / "secrets.toml").read_text())
    for secret in (*secrets, "hush", "k3y-", SECRET):
        assert secret not in done.stdout


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://portal:hush@db/portal", "postgresql://portal:***@db/portal"),
        ("postgresql+psycopg://portal:hush@db/x", "postgresql+psycopg://portal:***@db/x"),
        ("postgresql://portal:hu@sh@db/portal", "postgresql://portal:***@db/portal"),
        ("postgresql://portal:hu/sh@db/portal", "postgresql://portal:***@db/portal"),
        (
            "postgresql://db/portal?user=p&password=hush",
            "postgresql://db/portal?user=p&password=***",
        ),
        ("postgresql://db/x?sslpassword=hush&a=b", "postgresql://db/x?sslpassword=***&a=b"),
        ("redis://:hush@cache:6379/0", "redis://:***@cache:6379/0"),
        ("rediss://portal:hush@cache/0", "rediss://portal:***@cache/0"),
        ("unix://:hush@/run/redis.sock?db=0", "unix://:***@/run/redis.sock?db=0"),
        ("postgresql://portal@db:5432/portal", "postgresql://portal@db:5432/portal"),
        ("sqlite:////srv/portal.sqlite3", "sqlite:////srv/portal.sqlite3"),
    ],
)
def test_a_url_is_shown_without_the_password_in_it(url: str, shown: str) -> None:
    assert without_password(url, url) == shown
    assert without_password(f"{url} does not answer", url) == f"{shown} does not answer"


def test_create_staff_prints_a_link_and_nothing_else(place: Path) -> None:
    arguments = ("--email", "ada@example.org", "--username", "ada", "--role", "reviewer")

    done = within(place, "create-staff", *arguments)

    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/setup/[\w-]{40,}\n", done.stdout)


def test_create_staff_says_in_a_sentence_what_it_refuses(place: Path) -> None:
    arguments = ("--email", "ada", "--username", "ada", "--role", "reviewer")

    done = command(place, "create-staff", *arguments)

    assert done.returncode == 1
    assert "e-mail address" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("email", "username", "role", "words"),
    [
        ("ada@example.org", "ada", "reviwer", 'no role "reviwer"; did you mean "reviewer"?'),
        ("ada", "ada", "reviewer", "e-mail address"),
        ("ada@example.org", "a b", "reviewer", "Use only the letters"),
    ],
)
def test_nobody_is_invited_who_cannot_become_an_account(
    app: Flask, email: str, username: str, role: str, words: str
) -> None:
    with pytest.raises(Problem) as refused:
        first_run.staff_link(app, email=email, username=username, role=role)

    assert words in str(refused.value)
    assert db.session.scalar(select(func.count()).select_from(StaffInvitation)) == 0


def test_nobody_is_invited_who_has_an_account(app: Flask, a_user: Callable[..., User]) -> None:
    """Whoever runs the command learns it now, and not the invited person at the end."""
    a_user(username="ada", email="ada@example.org")
    taken = {"Ada@Example.org": "grace", "grace@example.org": "ADA"}

    for email, username in taken.items():
        with pytest.raises(Problem, match=r"There is an account (Ada@example\.org|ada) already"):
            first_run.staff_link(app, email=email, username=username, role="reviewer")

    assert db.session.scalar(select(func.count()).select_from(StaffInvitation)) == 0
    assert first_run.staff_link(
        app, email="grace@example.org", username="grace", role="reviewer"
    ).startswith("http://127.0.0.1:8000/setup/")


def test_a_set_up_link_is_printed_while_there_is_no_administrator(place: Path) -> None:
    done = within(place, "setup-link")

    assert done.returncode == 0, done.stderr
    assert "/setup/" in done.stdout


def test_commands_that_need_a_database_name_what_makes_one(tmp_path: Path) -> None:
    within(tmp_path, "secrets")

    for words in (["setup-link"], ["create-staff", "--email=a@b.cd", "--username=ada", "--role=x"]):
        done = within(tmp_path, *words)
        assert done.returncode == 1
        assert "`portal db upgrade`" in done.stderr


def test_backup_of_nothing_says_so(tmp_path: Path) -> None:
    done = within(tmp_path, "db", "backup")

    assert done.returncode == 1
    assert "There is no database" in done.stderr
    assert not list((tmp_path / "instance").glob("backups/*"))


def test_a_second_factor_is_reset_for_nobody_who_is_not_there(app: Flask) -> None:
    with pytest.raises(Problem, match="Nobody is called ada"):
        rescue.reset_second_factor(app, "ada", reason="Lost")
