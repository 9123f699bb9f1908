"""Catalogues as the tests see them: ours, compiled, and what the libraries can say."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from functools import cache
from gettext import find
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

TRANSLATIONS = Path(__file__).resolve().parents[2] / "translations"

# Each overlay's package, the folder of its own catalogues, and the names it marks messages with.
LIBRARIES = {
    "flask_security": ("flask_security", "translations", ("_", "_fsdomain")),
    "admin": ("flask_admin", "translations", ("gettext", "lazy_gettext")),
    "wtforms": ("wtforms", "locale", ("gettext", "_translate", "_l", "self.gettext")),
}

MessageId = str | tuple[str, ...]


def shipped() -> list[str]:
    """The languages that catalogues exist for."""
    return sorted(folder.name for folder in TRANSLATIONS.iterdir() if folder.is_dir())


def read(file: Path) -> Catalog:
    """One catalogue as it is committed; a mistake in it is an error."""
    with file.open("rb") as stream:
        return read_po(stream, locale=_locale_of(file), abort_invalid=True)


@cache
def ours(language: str, domain: str = "messages") -> Catalog:
    """One of our catalogues; an empty one where nothing had to be said."""
    file = TRANSLATIONS / language / "LC_MESSAGES" / f"{domain}.po"
    return read(file) if file.exists() else Catalog(locale=language)


def template() -> Catalog:
    """Every sentence of the portal, as it was extracted last."""
    with (TRANSLATIONS / "messages.pot").open("rb") as stream:
        return read_po(stream)


def compile_into(folder: Path) -> Path:
    """Write what gettext reads for every committed catalogue into a folder of its own."""
    for file in sorted(TRANSLATIONS.glob("*/LC_MESSAGES/*.po")):
        write(read(file), folder, _locale_of(file), file.stem)
    return folder


def write(catalogue: Catalog, folder: Path, language: str, domain: str) -> None:
    """Compile one catalogue to where gettext looks for it."""
    target = folder / language / "LC_MESSAGES" / f"{domain}.mo"
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as stream:
        write_mo(stream, catalogue)


@cache
def said_by(domain: str) -> frozenset[MessageId]:
    """Every message that a library's code marks as translatable."""
    package, _, marks = LIBRARIES[domain]
    keywords = dict.fromkeys(marks) | {"ngettext": (1, 2), "lazy_ngettext": (1, 2)}
    found = extract_from_dir(_home(package), [("**.py", "python")], keywords=keywords)
    messages = {as_key(message) for _, _, message, _, _ in found}
    return frozenset(message for message in messages if not _is_a_key(message))


@cache
def translated_by(domain: str, language: str) -> frozenset[MessageId]:
    """Every message that a library's own catalogue translates, found as gettext finds it."""
    package, folder, _ = LIBRARIES[domain]
    file = find(domain, str(_home(package) / folder), [language])
    if file is None:
        return frozenset()
    with Path(file).open("rb") as stream:
        return frozenset(
            as_key(message.id) for message in read_mo(stream) if message.id and message.string
        )


def as_key(message: str | Iterable[str]) -> MessageId:
    """A message's identity: its text, or its singular and plural."""
    return message if isinstance(message, str) else tuple(message)


def _home(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _is_a_key(message: MessageId) -> bool:
    """Flask-Security passes names such as API_ERROR through functions that look like gettext."""
    return isinstance(message, str) and message.isupper() and "_" in message


def _locale_of(file: Path) -> str:
    return file.parent.parent.name
