"""The portal's secrets: made once into the instance folder, or given by the environment."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

from portal.settings.errors import SettingsError, suggestion
from portal.settings.shape import Secrets
from portal.settings.sources import SECRETS, read_value_file, variable

FILE_NAME = "secrets.toml"
MADE = ("secret_key", "password_salt", "outbox_key")
SHORTEST = 32

# Values that quick starts and tutorials print, and words that such values are made of.
_PUBLISHED = {
    "pf9Wkove4IKEAXvy-cQkeDPhv9Cb3Ag-wyJILbq_dFw",
    "146585145368132386173505678016728509634",
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    "you-will-never-guess",
}
_PLACEHOLDERS = (
    "changeme",
    "change-me",
    "change_me",
    "secret",
    "password",
    "example",
    "insecure",
)

_HEADER = """\
# The secrets of this instance, made at its first start. Keep a copy apart from the
# database backups: without password_salt nobody can sign in with their password, and
# without outbox_key waiting mails cannot be read.
"""


def make_secrets(instance: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Make the secrets that the environment does not give, unless the file is there already.

    Of several processes that do this at once, one wins, and all see its file whole.
    """
    path = instance / FILE_NAME
    needed = [name for name in MADE if not _given(environ, name)]
    if not needed or path.exists():
        return path
    instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    lines = [f'{name} = "{_new(name)}"' for name in needed]
    _write_once(path, _HEADER + "\n" + "\n".join(lines) + "\n")
    return path


def read_secrets(instance: Path, environ: Mapping[str, str]) -> tuple[Secrets, dict[str, str]]:
    """Read the secrets, the environment's before the file's, and say where each came from."""
    path = instance / FILE_NAME
    in_file = _read_file(path)
    values: dict[str, str] = {}
    origins: dict[str, str] = {}
    for name in SECRETS:
        given = _given(environ, name)
        if given:
            values[name], origins[f"secrets.{name}"] = (
                _from_environment(environ, name),
                given,
            )
        elif name in in_file:
            values[name], origins[f"secrets.{name}"] = in_file[name], str(path)
        elif name in MADE:
            raise SettingsError(_missing(name, path, bool(in_file)))
    for name in MADE:
        _refuse_weak(name, values[name], origins[f"secrets.{name}"])
    if values["secret_key"] == values["password_salt"]:
        raise SettingsError("secret_key and password_salt are the same; each needs its own value.")
    return Secrets(**values), origins


def _given(environ: Mapping[str, str], name: str) -> str | None:
    plain, file = variable(name), f"{variable(name)}_FILE"
    if plain in environ and file in environ:
        raise SettingsError(f"Environment: both {plain} and {file} are set; keep one of them.")
    return plain if plain in environ else file if file in environ else None


def _from_environment(environ: Mapping[str, str], name: str) -> str:
    plain, file = variable(name), f"{variable(name)}_FILE"
    return environ[plain] if plain in environ else read_value_file(file, environ[file])


def _read_file(path: Path) -> dict[str, str]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror}); run the portal as the user who owns it."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from None
    for name, value in document.items():
        if name not in SECRETS:
            raise SettingsError(f'{path}: there is no secret "{name}"; {suggestion(name, SECRETS)}')
        if not isinstance(value, str):
            raise SettingsError(f'{path}: {name} must be a text in quotes ("…").')
    return document


def _missing(name: str, path: Path, has_others: bool) -> str:
    if has_others:
        return (
            f"{path} has no {name}; put the line back from your copy of the file, "
            f"or set {variable(name)}."
        )
    return (
        f"There are no secrets yet: {name} is in none of {path}, {variable(name)} and "
        f"{variable(name)}_FILE; `portal run` or `portal secrets` makes them."
    )


def _refuse_weak(name: str, value: str, origin: str) -> None:
    place = f"{origin}: {name}" if "/" in origin else origin
    remedy = "`python3 -c 'import secrets; print(secrets.token_urlsafe(32))'` makes a good one."
    if name == "outbox_key":
        if not _is_fernet_key(value):
            raise SettingsError(
                f"{place} must be 32 random bytes in URL-safe base64 (a Fernet key); remove it "
                "before the first start, and the portal makes one."
            )
    elif len(value) < SHORTEST:
        raise SettingsError(f"{place} is shorter than {SHORTEST} characters; {remedy}")
    lowered = value.lower()
    placeholder = value in _PUBLISHED or any(word in lowered for word in _PLACEHOLDERS)
    if placeholder or len(set(value)) < 12:
        raise SettingsError(f"{place} is a value that others can guess; {remedy}")


def _is_fernet_key(value: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(value.encode("ascii"))) == 32
    except (ValueError, binascii.Error):
        return False


def _new(name: str) -> str:
    if name == "outbox_key":
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii")
    return secrets.token_urlsafe(48)


def _write_once(path: Path, text: str) -> None:
    # A link appears at once and whole, and refuses to replace what another process made first.
    descriptor, name = tempfile.mkstemp(prefix=".secrets-", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            return
    finally:
        os.unlink(name)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
