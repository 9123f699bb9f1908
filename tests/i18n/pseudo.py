"""Two languages that nobody speaks, made from the template to show what was never translated."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import ceil
from pathlib import Path

from babel.messages.catalog import Catalog

from tests.i18n import catalogues

ACCENTED = "en_001"  # real codes that no site ships, so that dates and plurals work as well
MIRRORED = "ar_001"

OPEN, CLOSE = "⟦", "⟧"
LONGER = 0.4

_LATIN = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "áƀçđéƒĝĥíĵķļɱñóþɋŕšŧúṽŵẋýžÁƁÇĐÉƑĜĤÍĴĶĻṀÑÓÞɊŔŠŦÚṼŴẊÝŽ",
)
_ARABIC = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "ابتدهفغحيجكلمنوبقرستوفوخيز" * 2,
)
# What code reads, and no person: placeholders, tags, entities, addresses.
_FIXED = re.compile(r"%\(\w+\)[a-z]|%%|%[sd]|\{\w*\}|<[^>]*>|&\w+;|https?://\S+")


def accented(text: str) -> str:
    """A sentence in letters with accents, longer, and in brackets."""
    return _spoken(text, _LATIN, "·")


def mirrored(text: str) -> str:
    """A sentence in Arabic letters, longer, and in brackets."""
    return _spoken(text, _ARABIC, "ـ")


def write_catalogues(folder: Path) -> Path:
    """Compile both languages for every domain, the libraries' sentences included."""
    for language, speak in ((ACCENTED, accented), (MIRRORED, mirrored)):
        ours = [catalogues.as_key(message.id) for message in catalogues.template() if message.id]
        catalogues.write(_catalogue(language, ours, speak), folder, language, "messages")
        for domain in catalogues.LIBRARIES:
            theirs = list(catalogues.said_by(domain))
            catalogues.write(_catalogue(language, theirs, speak), folder, language, domain)
    return folder


def unbracketed(text: str, depth: int = 0) -> tuple[str, int]:
    """What stands outside the brackets, where no translation reached, and how many are open."""
    outside = []
    for letter in text:
        if letter == OPEN:
            depth += 1
        elif letter == CLOSE:
            depth -= 1
        elif depth <= 0:
            outside.append(letter)
    return "".join(outside), depth


def _catalogue(
    language: str, messages: list[catalogues.MessageId], speak: Callable[[str], str]
) -> Catalog:
    catalogue = Catalog(locale=language)
    for message in messages:
        if isinstance(message, str):
            catalogue.add(message, speak(message))
        else:
            one, many = message
            forms = [speak(one), *[speak(many)] * (catalogue.num_plurals - 1)]
            catalogue.add(message, tuple(forms))
    return catalogue


def _spoken(text: str, letters: dict[int, int], padding: str) -> str:
    parts = []
    end = 0
    for fixed in _FIXED.finditer(text):
        parts += [text[end : fixed.start()].translate(letters), fixed.group()]
        end = fixed.end()
    parts.append(text[end:].translate(letters))
    body = "".join(parts)
    longer = padding * ceil(len(_FIXED.sub("", text)) * LONGER)
    return f"{OPEN}{body}{longer}{CLOSE}"
