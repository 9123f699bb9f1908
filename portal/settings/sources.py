"""Where values come from: settings.toml, then the environment; each remembers its origin."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

from portal.settings import shape
from portal.settings.errors import SettingsError, suggestion
from portal.settings.kinds import accepts, expected_of

SECTIONS: dict[str, type[Any]] = {
    name: kind
    for name, kind in get_type_hints(shape.Settings).items()
    if isinstance(kind, type) and is_dataclass(kind) and kind is not shape.Secrets
}
TOP_LEVEL = ("bind", "public_url")
SECRETS = tuple(key.name for key in fields(shape.Secrets))
# A URL may carry a password, so these may come from a file that only the portal can read.
MAY_HOLD_PASSWORD = ("database.url", "redis.url", "webhook.url", "passwords.breach_check_url")
PLACES = ("PORTAL_INSTANCE", "PORTAL_SETTINGS_FILE")

Values = dict[str, Any]
Origins = dict[str, str]


def keys() -> Iterator[tuple[str, type, Field[Any] | None]]:
    """Name every key of settings.toml ("mail.server"), with its type and what it may hold."""
    for name in TOP_LEVEL:
        yield name, str, None
    for section, kind in SECTIONS.items():
        types = get_type_hints(kind)
        for key in fields(kind):
            yield f"{section}.{key.name}", types[key.name], key


KEYS = {name: (kind, key) for name, kind, key in keys()}


def variable(name: str) -> str:
    """Say which environment variable sets a key: "mail.server" -> PORTAL_MAIL_SERVER."""
    return "PORTAL_" + name.replace(".", "_").upper()


def from_file(path: Path) -> tuple[Values, Origins]:
    """Read settings.toml; refuse what is not a key, and values of the wrong type."""
    values: Values = {}
    for name, value in _flat(_parse(path), path.name):
        values[name] = _checked(name, value, f"{path.name}, {_place(name)}")
    return values, dict.fromkeys(values, path.name)


def from_environment(environ: Mapping[str, str]) -> tuple[Values, Origins]:
    """Read the PORTAL_* variables that set a key; refuse those that set nothing."""
    by_variable = {variable(name): name for name in KEYS}
    by_file = {f"{variable(name)}_FILE": name for name in MAY_HOLD_PASSWORD}
    _refuse_unknown(environ, {*by_variable, *by_file})
    values: Values = {}
    origins: Origins = {}
    for setting, name in (by_variable | by_file).items():
        text = environ.get(setting)
        if text is None:
            continue
        if name in values:
            raise SettingsError(
                f"Environment: both {variable(name)} and {setting} are set; keep one of them."
            )
        if setting in by_file:
            text = read_value_file(setting, text)
        values[name] = _checked(name, _converted(name, text, setting), f"Environment, {setting}")
        origins[name] = setting
    return values, origins


def read_value_file(setting: str, path: str) -> str:
    """Read the value that a variable ending in _FILE points at, without its last line break."""
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise SettingsError(f"Environment, {setting}: {path} cannot be read ({reason}).") from None


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"There is no settings file at {path}; correct PORTAL_SETTINGS_FILE, or unset it to "
            "use the settings.toml beside the portal."
        ) from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from None


def _flat(document: dict[str, Any], file: str) -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if name in TOP_LEVEL:
            yield name, value
        elif name not in SECTIONS:
            raise SettingsError(_unknown_at_top(name, value, file))
        elif not isinstance(value, dict):
            raise SettingsError(
                f"{file}: {name} is a section; write [{name}] on a line of its own."
            )
        else:
            for key, inner in value.items():
                if f"{name}.{key}" not in KEYS:
                    raise SettingsError(_unknown_in_section(name, key, file))
                yield f"{name}.{key}", inner


def _unknown_at_top(name: str, value: Any, file: str) -> str:
    if name == "instance":
        return f"{file}: the instance folder is set by PORTAL_INSTANCE, not in {file}."
    if name in SECRETS:
        return _secret_misplaced(name, name, file)
    if isinstance(value, dict):
        return f"{file}: there is no section [{name}]; {suggestion(name, SECTIONS)}"
    homes = _sections_with(name)
    if homes:
        return f'{file}: the key "{name}" stands outside its section; it belongs in [{homes[0]}].'
    hint = suggestion(name, [*TOP_LEVEL, *SECTIONS])
    return f'{file}: there is no key "{name}" before the first section; {hint}'


def _unknown_in_section(section: str, key: str, file: str) -> str:
    for secret in (key, f"{section}_{key}"):
        if secret in SECRETS:
            return _secret_misplaced(f"{section}.{key}", secret, file)
    own = [field.name for field in fields(SECTIONS[section])]
    hint = suggestion(key, own)
    homes = _sections_with(key)
    if "known ones" in hint and homes:
        hint = f"did you mean the one in [{homes[0]}]?"
    return f'{file}, [{section}]: there is no key "{key}"; {hint}'


def _secret_misplaced(written: str, secret: str, file: str) -> str:
    return (
        f"{file}: {written} is a secret and does not belong here; "
        f"set {variable(secret)} or {variable(secret)}_FILE, "
        f'or write {secret} = "…" into secrets.toml in the instance folder.'
    )


def _sections_with(key: str) -> list[str]:
    return [section for section in SECTIONS if f"{section}.{key}" in KEYS]


def _refuse_unknown(environ: Mapping[str, str], settable: set[str]) -> None:
    secrets = {variable(name) + end for name in SECRETS for end in ("", "_FILE")}
    known = {*settable, *secrets, *PLACES}
    for name in sorted(environ):
        if name.startswith("PORTAL_") and name not in known:
            raise SettingsError(f"Environment: there is no setting {name}; {_nearest(name, known)}")


def _nearest(name: str, known: set[str]) -> str:
    # The prefix that all share would make everything look alike.
    own = {setting.removeprefix("PORTAL_"): setting for setting in known}
    near = get_close_matches(name.removeprefix("PORTAL_"), own, n=1, cutoff=0.6)
    if near:
        return f'did you mean "{own[near[0]]}"?'
    return "PORTAL_<SECTION>_<KEY> sets the keys that settings.toml names."


def _converted(name: str, text: str, setting: str) -> Any:
    kind, key = KEYS[name]
    if kind is bool:
        if text not in ("true", "false"):
            raise SettingsError(f'Environment, {setting}: expected true or false, found "{text}".')
        return text == "true"
    if kind is int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            expected = (key and expected_of(key)) or "a whole number"
            raise SettingsError(f'Environment, {setting}: expected {expected}, found "{text}".')
        return int(text)
    if kind is not str:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _checked(name: str, value: Any, place: str) -> Any:
    kind, key = KEYS[name]
    if kind not in (str, int, bool):
        if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
            raise SettingsError(f'{place}: expected a list of texts such as ["en", "de"].')
        return tuple(value)
    # bool is a kind of int in Python, and `workers = true` is a mistake
    right_type = type(value) is kind
    if not right_type or (key is not None and not accepts(key, value)):
        plain = {
            str: 'a text in quotes ("…")',
            int: "a whole number",
            bool: "true or false",
        }[kind]
        expected = (key and expected_of(key)) or plain
        found = "a secret" if name in MAY_HOLD_PASSWORD else _shown(value)
        raise SettingsError(f"{place}: expected {expected}, found {found}.")
    return value


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _place(name: str) -> str:
    section, dot, key = name.partition(".")
    return f"[{section}] {key}" if dot else name
