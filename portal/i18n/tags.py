"""Tags: what languages are called, and which of those on offer a browser or a person means."""

from functools import cache, lru_cache

from babel import Locale
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

# Tags that browsers send and that shortening does not lead to a catalogue's name.
ALIASES = {
    "iw": "he",
    "in": "id",
    "ji": "yi",
    "nb": "no",
    "nn": "nb",
    "no": "nb",
    "tl": "fil",
    "zh-cn": "zh-hans-cn",
    "zh-sg": "zh-hans-cn",
    "zh-hans": "zh-hans-cn",
    "zh-tw": "zh-hant-tw",
    "zh-hk": "zh-hant-tw",
    "zh-mo": "zh-hant-tw",
    "zh-hant": "zh-hant-tw",
}


@cache
def own_name(code: str) -> str:
    """What the speakers of a language call it, the first letter as it stands in a list."""
    locale = Locale.parse(code)
    name = locale.get_display_name(locale) or code
    return name[0].upper() + name[1:]


@cache
def tag(code: str) -> str:
    """A language's code as HTML and HTTP spell it: pt_BR becomes pt-BR."""
    return code.replace("_", "-")


@cache
def direction(locale: Locale | str) -> str:
    """Which way a language is written: "ltr" or "rtl"."""
    return locale_of(str(locale)).text_direction


def match(wanted: str | None, offered: tuple[str, ...]) -> str | None:
    """The offered language that a tag such as "de-AT" or "zh" means, or None."""
    if not wanted:
        return None
    table = _tags(offered)
    subtags = wanted[:35].replace("_", "-").casefold().split("-")
    while subtags:
        shortened = "-".join(subtags)
        for candidate in (shortened, ALIASES.get(shortened)):
            if candidate in table:
                return table[candidate]
        if ALIASES.get(shortened, "").startswith("zh-hant"):
            return None  # simplified characters are another way of writing, not a fallback
        subtags.pop()
    return None


@lru_cache(maxsize=512)
def negotiate(header: str, offered: tuple[str, ...]) -> str | None:
    """The offered language that an Accept-Language header prefers, or None."""
    accepted = parse_accept_header(header, LanguageAccept)
    for wanted, quality in accepted:
        if quality > 0 and (code := match(wanted, offered)):
            return code
    return None


@cache
def _tags(offered: tuple[str, ...]) -> dict[str | None, str]:
    """Every spelling that leads to a language: its whole tag and, first come, its beginnings."""
    table: dict[str | None, str] = {tag(code).casefold(): code for code in offered}
    for code in offered:
        subtags = tag(code).casefold().split("-")
        while subtags:
            table.setdefault("-".join(subtags), code)
            subtags.pop()
    return table


@cache
def locale_of(code: str) -> Locale:
    """What Babel knows of a language."""
    return Locale.parse(code)
