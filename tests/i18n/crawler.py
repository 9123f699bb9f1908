"""Reads pages as a person would, and says which of their words no translation reaches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import product

from flask import Flask
from werkzeug.routing import Rule

from tests.i18n.pseudo import unbracketed

# What somebody typed, or what machines say to machines; never translated.
DATA = {"bdi", "code", "kbd", "pre", "samp", "time"}
UNSEEN = {"script", "style", "template"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
SPOKEN = {
    "alt",
    "aria-description",
    "aria-label",
    "aria-placeholder",
    "aria-roledescription",
    "aria-valuetext",
    "label",
    "placeholder",
    "title",
}
CODE = {"data-personal"}  # names of fields, for scripts
BUTTONS = {"button", "reset", "submit"}
ADDRESS = re.compile(r"https?://[^\s<>⟦⟧]*")
LETTER = re.compile(r"[^\W\d_]")
WORDS = re.compile(r"[^\W\d_]{2,}\s+[^\W\d_]{2,}")


@dataclass
class Form:
    """A form that a page shows, with what it would send untouched."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    typed: list[str] = field(default_factory=list)  # the names of what can be typed into it


class Page(HTMLParser):
    """The words of one page, each with where it stands, and its forms."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[tuple[str, str]] = []
        self.forms: list[Form] = []
        self.language = ""
        self.direction = ""
        self._choice = ""
        self._open: list[tuple[str, bool]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.language = attributes.get("lang", "")
            self.direction = attributes.get("dir", "")
        is_data = self._is_data() or tag in DATA | UNSEEN or self._speaks_for_itself(attributes)
        if not is_data:
            self._hear(tag, attributes)
        self._note_form(tag, attributes)
        if tag not in VOID:
            self._open.append((tag, is_data))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place][0] == tag:
                del self._open[place:]
                return

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._is_data():
            self.words.append((self._open[-1][0] if self._open else "", " ".join(data.split())))

    def _is_data(self) -> bool:
        return bool(self._open) and self._open[-1][1]

    def _speaks_for_itself(self, attributes: Mapping[str, str]) -> bool:
        """Whether an element is in another language than its page, or not to be translated."""
        other = attributes.get("lang", self.language) != self.language
        return other or attributes.get("translate") == "no"

    def _hear(self, tag: str, attributes: Mapping[str, str]) -> None:
        for name, value in attributes.items():
            heard = name in SPOKEN
            heard |= name == "value" and tag == "input" and attributes.get("type") in BUTTONS
            heard |= name == "content" and attributes.get("name") == "description"
            heard |= name.startswith("data-") and bool(WORDS.search(value))
            if heard and name not in CODE and value.strip():
                self.words.append((f"{tag}[{name}]", " ".join(value.split())))

    def _note_form(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "form":
            method = attributes.get("method", "get").lower()
            self.forms.append(Form(attributes.get("action", ""), method))
        elif self.forms and tag in {"input", "textarea", "button"} and "name" in attributes:
            kind = attributes.get("type", "text")
            typed = tag == "textarea" or kind in {"text", "email", "password", "search"}
            chosen = kind not in {"radio", "checkbox"} or "checked" in attributes
            if typed:
                self.forms[-1].typed.append(attributes["name"])
            if tag == "input" and not typed and chosen:
                self.forms[-1].values[attributes["name"]] = attributes.get("value", "on")
        elif tag == "select" and self.forms:
            self._choice = attributes.get("name", "")
        elif tag == "option" and self.forms and self._choice:
            values = self.forms[-1].values
            if self._choice not in values or "selected" in attributes:
                values[self._choice] = attributes.get("value", "")


def untranslated(page: Page | str, allowed: Iterable[str] = ()) -> list[str]:
    """The words of a page that stand outside of brackets and are nobody's data.

    A sentence may have tags in it, so a bracket opened in one text closes in another.
    """
    found = []
    within = 0
    longest_first = sorted(allowed, key=len, reverse=True)
    for place, text in (Page(page) if isinstance(page, str) else page).words:
        is_attribute = "[" in place
        rest, depth = unbracketed(ADDRESS.sub("", text), 0 if is_attribute else within)
        within = within if is_attribute else depth
        if not LETTER.search(rest):
            continue
        for data in longest_first:
            rest = rest.replace(data, " ")
        if LETTER.search(rest):
            found.append(f"<{place}> {rest.strip()}")
    if within:
        found.append(f"{within} brackets are still open at the end: a sentence was cut")
    return found


def addresses(
    app: Flask,
    samples: Mapping[str, Iterable[object]],
    *,
    queries: Mapping[str, Iterable[str]],
    besides: Iterable[str] = (),
) -> Iterator[str]:
    """Every address that answers a GET, with each sample argument and each query in turn.

    A sample is looked up as "endpoint.argument", then as "argument"; an address whose
    arguments have no sample is an error, so that a new page cannot slip past.
    """
    adapter = app.create_url_adapter(None)
    assert adapter is not None
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and rule.endpoint not in besides:
            names = sorted(rule.arguments - set(rule.defaults or ()))
            for values in product(*(_samples(rule, name, samples) for name in names)):
                chosen = dict(zip(names, values, strict=True)) | dict(rule.defaults or {})
                address = adapter.build(rule.endpoint, chosen)
                yield address
                yield from (f"{address}?{query}" for query in queries.get(rule.endpoint, ()))


def _samples(rule: Rule, name: str, samples: Mapping[str, Iterable[object]]) -> list[object]:
    for key in (f"{rule.endpoint}.{name}", name):
        if key in samples:
            return list(samples[key])
    raise AssertionError(f"no sample for {name!r} of {rule.endpoint} ({rule.rule})")
