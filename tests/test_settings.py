"""Settings: where a value comes from, and what is said about a wrong one."""

from __future__ import annotations

import dataclasses
import os
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from portal import settings
from portal.settings import ROOT, SettingsError
from portal.settings.sources import KEYS
from tests.mail.hook import SECRET

Reading = Callable[..., settings.Settings]


@pytest.fixture
def read(tmp_path: Path) -> Reading:
    """Reads settings.toml with other text, and an environment, in an instance with secrets."""
    settings.make_secrets(tmp_path, {})

    def reading(toml: str = "", **environ: str) -> settings.Settings:
        file = tmp_path / "settings.toml"
        file.write_text(toml, encoding="utf-8")
        return settings.load(environ, file=file, instance=tmp_path)

    return reading


@pytest.fixture
def refusal(read: Reading) -> Callable[..., str]:
    """The sentence with which settings are refused."""

    def refused(toml: str = "", **environ: str) -> str:
        with pytest.raises(SettingsError) as caught:
            read(toml, **environ)
        return str(caught.value)

    return refused


def test_the_file_in_the_repository_names_every_key_with_its_default_and_a_comment() -> None:
    text = (ROOT / "settings.toml").read_text(encoding="utf-8")

    document = tomllib.loads(text)

    written = {
        f"{section}.{key}" if isinstance(values, dict) else section
        for section, values in document.items()
        for key in (values if isinstance(values, dict) else [""])
    }
    assert written == set(KEYS)
    for name, (_kind, key) in KEYS.items():
        if key is not None:
            section, _, short = name.partition(".")
            written_value = document[section][short]
            plain = tuple(written_value) if isinstance(written_value, list) else written_value
            assert plain == key.default, name
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line and line[0] not in "#[":
            assert lines[number - 1].startswith("# "), f"no comment above: {line}"


def test_defaults_hold_where_nothing_is_set(read: Reading) -> None:
    ours = read()

    assert ours.bind == "127.0.0.1:8000"
    assert ours.public_url == "http://127.0.0.1:8000"
    assert ours.site.languages == ("en", "de", "es", "ar")
    assert ours.database_url == f"sqlite:///{ours.instance}/portal.sqlite3"
    assert ours.mail.effective_transport == "mailbox"
    assert ours.mailbox_enabled


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(read: Reading) -> None:
    ours = read('[site]\nname = "From the file"\nterms_version = "7"', PORTAL_SITE_NAME="From here")

    assert (ours.site.name, ours.site.terms_version) == ("From here", "7")
    assert ours.origins["site.name"] == "PORTAL_SITE_NAME"
    assert ours.origins["site.terms_version"] == "settings.toml"
    assert "site.time_zone" not in ours.origins


def test_variables_are_converted_by_the_type_of_their_key(read: Reading) -> None:
    ours = read(
        PORTAL_SERVER_WORKERS="3", PORTAL_LIMITS_ENABLED="false", PORTAL_SITE_LANGUAGES="de, en"
    )

    assert (ours.server.workers, ours.limits.enabled) == (3, False)
    assert ours.site.languages == ("de", "en")


@pytest.mark.parametrize(
    ("toml", "environ", "words"),
    [
        ('[site]\nnam = "x"', {}, ["settings.toml", "[site]", '"nam"', '"name"']),
        ('[sitte]\nname = "x"', {}, ["settings.toml", "[sitte]", '"site"']),
        ('[site]\nserver = "x"', {}, ["[site]", '"server"', "[mail]"]),
        ('server = "x"', {}, ["server is a section", "[server]"]),
        ('bindd = "x"', {}, ['"bindd"', '"bind"']),
        ('time_zone = "UTC"', {}, ['"time_zone"', "belongs in [site]"]),
        ('instance = "x"', {}, ["PORTAL_INSTANCE"]),
        ("[site", {}, ["settings.toml", "not valid TOML"]),
        ("", {"PORTAL_MAIL_SERVR": "x"}, ["PORTAL_MAIL_SERVR", '"PORTAL_MAIL_SERVER"']),
        ("", {"PORTAL_BINDD": "x"}, ["PORTAL_BINDD", '"PORTAL_BIND"']),
        ("", {"PORTAL_SECRETKEY": "x"}, ["PORTAL_SECRETKEY", '"PORTAL_SECRET_KEY"']),
        ("", {"PORTAL_QQQQQ": "x"}, ["PORTAL_QQQQQ", "PORTAL_<SECTION>_<KEY>"]),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_right_one(
    refusal: Callable[..., str], toml: str, environ: dict[str, str], words: list[str]
) -> None:
    sentence = refusal(toml, **environ)

    assert "\n" not in sentence.partition("TOML")[0]
    for word in words:
        assert word in sentence


@pytest.mark.parametrize(
    ("toml", "environ", "words"),
    [
        ('[server]\nworkers = "2"', {}, ["[server] workers", "whole number from 1", '"2"']),
        ("[server]\nworkers = true", {}, ["[server] workers", "whole number", "true"]),
        ("[server]\nworkers = 0", {}, ["[server] workers", "from 1 to 64", "0"]),
        ("[limits]\nenabled = 1", {}, ["[limits] enabled", "true or false"]),
        ("[site]\nname = 5", {}, ["[site] name", "text"]),
        ('[site]\nlanguages = "en"', {}, ["[site] languages", '["en", "de"]']),
        ("[site]\nlanguages = [1]", {}, ["[site] languages"]),
        ('[mail]\nsecurity = "ssl"', {}, ["[mail] security", '"tls", "starttls", "none"']),
        ('[mail]\nsender = "portal"', {}, ["[mail] sender", "e-mail address"]),
        ('[mail]\nsender_name = "a\\nBcc: b"', {}, ["[mail] sender_name", "one line"]),
        ('[limits]\nsign_in_address = "often"', {}, ["sign_in_address", "10 per minute"]),
        ("", {"PORTAL_SERVER_WORKERS": "two"}, ["PORTAL_SERVER_WORKERS", '"two"']),
        ("", {"PORTAL_SERVER_WORKERS": ""}, ["PORTAL_SERVER_WORKERS", "whole number"]),
        ("", {"PORTAL_LIMITS_ENABLED": "False"}, ["PORTAL_LIMITS_ENABLED", "true or false"]),
        ("", {"PORTAL_PASSWORDS_MINIMUM_LENGTH": "7"}, ["MINIMUM_LENGTH", "from 8"]),
        ("", {"PORTAL_PASSWORDS_HASH_TIME_COST": "1"}, ["HASH_TIME_COST", "from 2"]),
        ("", {"PORTAL_PASSWORDS_HASH_MEMORY_KIB": "8192"}, ["HASH_MEMORY_KIB", "from 19456"]),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_what_is_expected(
    refusal: Callable[..., str], toml: str, environ: dict[str, str], words: list[str]
) -> None:
    sentence = refusal(toml, **environ)

    for word in words:
        assert word in sentence


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"PORTAL_PUBLIC_URL": "https://portal.example.org"}, ["public_url", "[mail]"]),
        (
            {
                "PORTAL_PUBLIC_URL": "https://portal.example.org",
                "PORTAL_MAIL_SERVER": "mail.example.org",
                "PORTAL_MAIL_TRANSPORT": "mailbox",
            },
            ["public_url", "[mail]"],
        ),
        ({"PORTAL_BIND": "0.0.0.0:8000"}, ["public_url", "PORTAL_PUBLIC_URL"]),
        ({"PORTAL_BIND": "8000"}, ["bind (in PORTAL_BIND)", "host:port"]),
        ({"PORTAL_WEBHOOK_URL": "https://chat.example.org/"}, ["PORTAL_WEBHOOK_SECRET"]),
        ({"PORTAL_WEBHOOK_SECRET": "whsec_short"}, ["webhook_secret", "whsec_"]),
        ({"PORTAL_SECOND_FACTOR_REQUIRED_OF": "stuff"}, ["second_factor.required_of", "staff"]),
        (
            {"PORTAL_WEBHOOK_URL": "http://chat.example.org/x", "PORTAL_WEBHOOK_SECRET": SECRET},
            ["webhook.url (in PORTAL_WEBHOOK_URL)", "https://"],
        ),
        (
            {"PORTAL_WEBHOOK_URL": "https://a:b@example.org", "PORTAL_WEBHOOK_SECRET": SECRET},
            ["webhook.url", "https://chat.example.org"],
        ),
        ({"PORTAL_DESK_STALE_AFTER_DAYS": "3"}, ["desk.stale_after_days", "remind_after_days"]),
        ({"PORTAL_BIND": "localhost:99999"}, ["bind", "65535"]),
        ({"PORTAL_BIND": "::1:8000"}, ["bind", "host:port"]),
        ({"PORTAL_PUBLIC_URL": "portal.example.org"}, ["public_url", "https://"]),
        ({"PORTAL_PUBLIC_URL": "ftp://localhost"}, ["public_url", "https://"]),
        ({"PORTAL_PUBLIC_URL": "http://a:b@localhost"}, ["public_url", "host and path only"]),
        ({"PORTAL_PUBLIC_URL": "http://localhost:port"}, ["public_url"]),
        ({"PORTAL_MAIL_TRANSPORT": "smtp"}, ["mail.transport", "mail.server"]),
        (
            {"PORTAL_MAIL_SERVER": "mail.example.org", "PORTAL_MAIL_SECURITY": "none"},
            ["mail.security", "mail.example.org"],
        ),
        ({"PORTAL_MAIL_PASSWORD": "hunter2"}, ["mail.username"]),
        ({"PORTAL_SITE_TIME_ZONE": "Europe/Berln"}, ["time_zone", '"Europe/Berlin"']),
        ({"PORTAL_SITE_TIME_ZONE": "../../etc/passwd"}, ["time_zone"]),
        ({"PORTAL_SITE_LANGUAGES": "en,xx"}, ["site.languages", '"xx"']),
        ({"PORTAL_SITE_LANGUAGES": "en,en"}, ["site.languages", "twice"]),
        ({"PORTAL_SITE_LANGUAGES": ""}, ["site.languages", "at least one"]),
        ({"PORTAL_SITE_DEFAULT_LANGUAGE": "fr"}, ["default_language", "site.languages"]),
        ({"PORTAL_DATABASE_URL": "mysql://localhost/x"}, ["database.url", "postgresql://"]),
        ({"PORTAL_DATABASE_URL": "sqlite://"}, ["database.url", "memory"]),
        ({"PORTAL_REDIS_URL": "http://localhost"}, ["redis.url", "redis://"]),
        ({"PORTAL_REGISTRATION_ERASE_UNCONFIRMED_AFTER_HOURS": "2"}, ["confirm_within_hours"]),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    refusal: Callable[..., str], environ: dict[str, str], words: list[str]
) -> None:
    sentence = refusal(**environ)

    for word in words:
        assert word in sentence


def test_a_mail_server_without_encryption_is_for_this_machine_only(read: Reading) -> None:
    ours = read(PORTAL_MAIL_SERVER="localhost", PORTAL_MAIL_SECURITY="none")

    assert ours.mail.effective_transport == "smtp"


@pytest.mark.parametrize(
    ("bind", "public_url", "enabled"),
    [
        ("127.0.0.1:8000", "", True),
        ("[::1]:8000", "http://localhost:8000", True),
        ("0.0.0.0:8000", "http://localhost:8000", False),
        ("127.0.0.1:8000", "https://portal.example.org", False),
    ],
)
def test_the_mailbox_is_for_loopback_only(
    read: Reading, bind: str, public_url: str, enabled: bool
) -> None:
    ours = read(PORTAL_BIND=bind, PORTAL_PUBLIC_URL=public_url, PORTAL_MAIL_SERVER="m.example.org")
    captured = dataclasses.replace(ours, mail=dataclasses.replace(ours.mail, server=""))

    assert not ours.mailbox_enabled
    assert captured.mailbox_enabled is enabled


@pytest.mark.parametrize(
    ("url", "full"),
    [
        ("postgres://u:p@h/n", "postgresql+psycopg://u:p@h/n"),
        ("postgresql://h/n?sslmode=require", "postgresql+psycopg://h/n?sslmode=require"),
        ("sqlite:////var/lib/p.sqlite3", "sqlite:////var/lib/p.sqlite3"),
        ("sqlite:///data/p.sqlite3", "sqlite:///{instance}/data/p.sqlite3"),
    ],
)
def test_a_database_url_is_written_out_in_full(read: Reading, url: str, full: str) -> None:
    ours = read(PORTAL_DATABASE_URL=url)

    assert ours.database_url == full.format(instance=ours.instance)


def test_the_public_url_says_host_path_and_scheme(read: Reading) -> None:
    ours = read(PORTAL_PUBLIC_URL="https://example.org:8443/door/", PORTAL_MAIL_SERVER="m.test")

    assert (ours.public_host, ours.public_netloc) == ("example.org", "example.org:8443")
    assert (ours.public_path, ours.is_https) == ("/door", True)


def test_a_url_with_a_password_may_come_from_a_file(read: Reading, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://portal:hush@db/portal\n", encoding="utf-8")

    ours = read(PORTAL_DATABASE_URL_FILE=str(file))

    assert ours.database_url == "postgresql+psycopg://portal:hush@db/portal"
    assert "hush" not in repr(ours)


def test_a_key_given_twice_is_refused(refusal: Callable[..., str]) -> None:
    sentence = refusal(PORTAL_DATABASE_URL="", PORTAL_DATABASE_URL_FILE="/nowhere")

    assert "PORTAL_DATABASE_URL_FILE" in sentence
    assert "both" in sentence


def test_a_settings_file_that_is_named_but_missing_is_refused(tmp_path: Path) -> None:
    environ = {"PORTAL_SETTINGS_FILE": str(tmp_path / "nowhere.toml")}

    with pytest.raises(SettingsError, match=r"no settings file at .*nowhere\.toml"):
        settings.load(environ, instance=tmp_path)


# Secrets


def test_there_is_no_default_for_a_secret(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="`portal run` or `portal secrets` makes them"):
        settings.load({}, instance=tmp_path)


def test_secrets_are_made_once_for_their_owner_only(tmp_path: Path) -> None:
    instance = tmp_path / "new"

    path = settings.make_secrets(instance, {})
    first = path.read_bytes()
    settings.make_secrets(instance, {})

    assert path.read_bytes() == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in instance.iterdir()] == ["secrets.toml"]
    assert settings.load({}, instance=instance).secrets.secret_key.encode() in first


def test_the_environment_and_files_it_names_win_over_the_file_of_secrets(
    read: Reading, tmp_path: Path
) -> None:
    (tmp_path / "salt").write_text("s4lt-" + "abcdefghijklmnopqrstuvwxyz0123\n", encoding="utf-8")

    ours = read(
        PORTAL_SECRET_KEY="k3y-abcdefghijklmnopqrstuvwxyz01234",
        PORTAL_PASSWORD_SALT_FILE=str(tmp_path / "salt"),
    )

    assert ours.secrets.secret_key == "k3y-abcdefghijklmnopqrstuvwxyz01234"
    assert ours.secrets.password_salt == "s4lt-abcdefghijklmnopqrstuvwxyz0123"
    assert ours.origins["secrets.password_salt"] == "PORTAL_PASSWORD_SALT_FILE"
    assert ours.secrets.secret_key not in repr(ours)


def test_only_the_secrets_that_the_environment_does_not_give_are_made(tmp_path: Path) -> None:
    given = {"PORTAL_SECRET_KEY": "k3y-abcdefghijklmnopqrstuvwxyz01234"}

    path = settings.make_secrets(tmp_path, given)

    assert set(tomllib.loads(path.read_text())) == {"password_salt", "outbox_key"}
    with pytest.raises(SettingsError, match="has no secret_key; put the line back"):
        settings.load({}, instance=tmp_path)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "tiny",
        "a" * 64,
        "changeme-changeme-changeme-changeme-1234567890",
        "pf9Wkove4IKEAXvy-cQkeDPhv9Cb3Ag-wyJILbq_dFw",
        "146585145368132386173505678016728509634",
    ],
)
def test_a_secret_that_others_can_guess_is_refused(refusal: Callable[..., str], value: str) -> None:
    sentence = refusal(PORTAL_SECRET_KEY=value)

    assert sentence.startswith("PORTAL_SECRET_KEY ")
    assert not value or value not in sentence


@pytest.mark.parametrize("value", ["not-base64!", "c2hvcnQ=", "ä" * 44])
def test_an_outbox_key_has_to_be_a_fernet_key(refusal: Callable[..., str], value: str) -> None:
    assert "Fernet key" in refusal(PORTAL_OUTBOX_KEY=value)


def test_two_secrets_may_not_be_the_same(refusal: Callable[..., str]) -> None:
    one = "k3y-abcdefghijklmnopqrstuvwxyz01234"

    assert "its own value" in refusal(PORTAL_SECRET_KEY=one, PORTAL_PASSWORD_SALT=one)


@pytest.mark.parametrize(
    "toml", ['secret_key = "x"', '[mail]\npassword = "hush"', '[site]\nsecret_key = "hush"']
)
def test_a_secret_in_settings_toml_is_refused(refusal: Callable[..., str], toml: str) -> None:
    sentence = refusal(toml)

    assert "is a secret and does not belong here" in sentence
    assert "hush" not in sentence


def test_an_unknown_secret_is_refused_with_the_nearest_right_one(tmp_path: Path) -> None:
    path = settings.make_secrets(tmp_path, {})
    path.write_text(path.read_text() + '\nmail_pasword = "x"\n', encoding="utf-8")

    with pytest.raises(SettingsError, match='"mail_pasword"; did you mean "mail_password"'):
        settings.load({}, instance=tmp_path)


@pytest.mark.long
def test_processes_that_make_secrets_at_once_agree_on_one_file(tmp_path: Path) -> None:
    instance = tmp_path / "instance"
    gate = tmp_path / "gate"
    program = (
        "import pathlib, sys, time\n"
        "from portal import settings\n"
        "instance, gate = map(pathlib.Path, sys.argv[1:])\n"
        "while not gate.exists(): time.sleep(0.001)\n"
        "path = settings.make_secrets(instance, {})\n"
        "print(settings.load({}, instance=instance).secrets.secret_key)\n"
    )
    command = [sys.executable, "-c", program, str(instance), str(gate)]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env=environ, text=True) for _ in range(8)
    ]

    gate.touch()
    answers = {process.communicate(timeout=60)[0] for process in processes}

    assert {process.returncode for process in processes} == {0}
    assert len(answers) == 1
    assert [entry.name for entry in instance.iterdir()] == ["secrets.toml"]
