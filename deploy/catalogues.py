"""Catalogues of translations: extracted, merged, compiled, checked.

python -m deploy.catalogues compile   .po -> .mo, where the .po is newer
python -m deploy.catalogues extract   write translations/messages.pot
python -m deploy.catalogues update    extract, then merge into every language's messages.po
python -m deploy.catalogues check     the .pot is fresh; every language is whole
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
TRANSLATIONS = ROOT / "translations"
TEMPLATE = TRANSLATIONS / "messages.pot"
DOMAIN = "messages"

_SOURCES: list[tuple[str, list[tuple[str, str]]]] = [
    ("portal", [("static/**", "ignore"), ("**.py", "python")]),
    ("admin_views", [("**.py", "python")]),
    ("templates", [("**.html", "jinja2"), ("**.txt", "jinja2")]),
]
_OPTIONS = {"**.html": {"silent": "false"}, "**.txt": {"silent": "false"}}
_KEYWORDS = {
    "_": None,
    "_fsdomain": None,
    "_l": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
    "lazy_ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "lazy_pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
_TEMPLATE_HEADER = """\
# What the portal says. Made by `make catalogues`; do not edit.
msgid ""
msgstr ""
"Project-Id-Version: portal\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def compile_all() -> int:
    """Write a .mo beside every .po. One that bears its source's time is current."""
    written = 0
    for source in _files():
        target = source.with_suffix(".mo")
        time = source.stat().st_mtime_ns
        if target.exists() and target.stat().st_mtime_ns == time:
            continue
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        with draft.open("wb") as stream:
            write_mo(stream, _read(source))
        draft.replace(target)
        os.utime(target, ns=(time, time))
        written += 1
    return written


def extract() -> str:
    """Every sentence in code and templates, as the text of a .pot.

    Equal sources give an equal text: sorted, without line numbers and dates.
    """
    catalogue = Catalog(charset="utf-8", fuzzy=False)
    for folder, methods in _SOURCES:
        if not (ROOT / folder).is_dir():
            continue
        found = extract_from_dir(
            ROOT / folder,
            methods,
            _OPTIONS,
            keywords=_KEYWORDS,
            comment_tags=["Translators:"],
            strip_comment_tags=True,
        )
        for name, _line, message, comments, context in found:
            catalogue.add(
                message,
                locations=[(f"{folder}/{name}", 0)],
                auto_comments=comments,
                context=context,
            )
    return _TEMPLATE_HEADER + _entries(catalogue)


def update() -> None:
    """Write the .pot, and bring every language's messages.po to it.

    A new sentence arrives untranslated, never with a guess; one that is gone goes.
    """
    TEMPLATE.write_text(extract(), "utf-8")
    template = _read(TEMPLATE)
    for file in _files():
        if file.stem == DOMAIN:
            catalogue = _read(file)
            catalogue.update(template, no_fuzzy_matching=True, update_header_comment=False)
            catalogue.obsolete.clear()
            file.write_text(_header(file) + _entries(catalogue), "utf-8")


def mistakes() -> Iterator[str]:
    """What keeps the catalogues from being complete."""
    if not TEMPLATE.exists() and not _files():
        return
    if not TEMPLATE.exists() or TEMPLATE.read_text("utf-8") != extract():
        yield "translations/messages.pot is not what the code says; run `make catalogues`"
    for file in _files():
        name = file.relative_to(ROOT)
        catalogue = _read(file)
        for message in catalogue:
            if message.id:
                for text in _faults(catalogue, message):
                    yield f"{name}: {_short(message)}: {text}"
        if file.stem == DOMAIN and TEMPLATE.exists():
            for message in _read(TEMPLATE):
                if message.id and catalogue.get(message.id, message.context) is None:
                    yield f"{name}: {_short(message)}: is missing; run `make catalogues`"


def _faults(catalogue: Catalog, message: Message) -> Iterator[str]:
    forms = [message.string] if isinstance(message.string, str) else list(message.string or [""])
    if message.fuzzy:
        yield "is a guess (fuzzy)"
    if not all(forms):
        yield "is not translated"
    else:
        yield from (str(error) for error in message.check(catalogue))


def _short(message: Message) -> str:
    text = message.id if isinstance(message.id, str) else message.id[0]
    return repr(text if len(text) <= 60 else text[:59] + "…")


def _files() -> list[Path]:
    return sorted(TRANSLATIONS.glob("*/LC_MESSAGES/*.po"))


def _read(file: Path) -> Catalog:
    language = None if file == TEMPLATE else file.parent.parent.name
    with file.open("rb") as stream:
        return read_po(stream, locale=language, domain=file.stem, abort_invalid=True)


def _entries(catalogue: Catalog) -> str:
    out = BytesIO()
    write_po(out, catalogue, width=0, omit_header=True, sort_by_file=True, include_lineno=False)
    return out.getvalue().decode("utf-8").strip("\n") + "\n"


def _header(file: Path) -> str:
    """The first entry as it stands, comments included: it belongs to the translators."""
    return file.read_text("utf-8").partition("\n\n")[0] + "\n\n"


def main(arguments: list[str]) -> int:
    match arguments:
        case ["compile"]:
            compile_all()
        case ["extract"]:
            TRANSLATIONS.mkdir(exist_ok=True)
            TEMPLATE.write_text(extract(), "utf-8")
        case ["update"]:
            TRANSLATIONS.mkdir(exist_ok=True)
            update()
            compile_all()
        case ["check"]:
            found = list(mistakes())
            print(*found, sep="\n", end="\n" if found else "")
            return 1 if found else 0
        case _:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
