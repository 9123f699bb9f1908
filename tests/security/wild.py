"""A walk past everything that takes something: each parameter, each field, each body.

What there is to fill in is read from the pages themselves, so that a new form is met without being
named here. One site, and one browser for each audience, serve the whole walk.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from zlib import crc32

from flask import Flask
from werkzeug.routing import Rule

from tests.conftest import Browser
from tests.i18n.crawler import Form, Page
from tests.people import person
from tests.world import World

WILD = [
    "\0",
    "a\0b@example.org",
    "\ufffd",
    "\u202eevil\u202c",
    "\x1b[2J",
    "a\r\nBcc: eve@example.org",
    "{{ 7 * 7 }}",
    "%s%n%(x)s{0}",
    "<script>alert(1)</script>",
    "' OR '1'='1",
    "../../etc/passwd",
    "\ud7ff\ue000\uffff\U0010ffff",
    "\ud800",
    "A" * 10_000,
    "a@" * 500,
    "\u0301" * 500,
    "\ufdfa" * 120,
    "9" * 40,
    "2147483648",
    "99999999999999999999",
    "-1",
    "0",
    "1.5",
    "1e9",
    "0x10",
    "NaN",
    "٣",
    "[]",
    '{"a": [{"b": null}, [[[]]]]}',
    "null",
    "true",
    "2026-02-30",
    "0001-01-01",
    "9999-12-31",
    "2026-01-01T00:00",
    "NEAR(",
    "AND",
    "^a*",
    '"',
    "\\",
    "_%",
    "💩",
]

# Bodies that are no form, of every shape that JSON has.
JSON = ["[]", "[1, [2]]", "{}", '{"ids": {"a": []}}', '"x"', "null", "{", '"\\ud800"', "[" * 5000]

# What stands in an address in place of a number or a name.
PLACES = [
    "0",
    "a" * 8000,
    "{{7*7}}",
    "..%2fx",
    "%25",
    "-1",
    "abc",
    "9" * 30,
    "2147483648",
    "2147483647",
    "%00",
    "1%00",
    "1.5",
    "%E2%80%AE1",
    "%ED%A0%80",
]

# Parameters that no page links to where the walk comes by, or that a page takes unseen: all at
# once, beside those that a page names.
UNSEEN = ("next", "lang", "draft", "cursor", "page", "sort", "back", "q")

# It would end the walk.
NOT_SENT = {"security.logout"}

# Last, because little is left of whom or what they are about.
LAST = ("removal", "erasure", "withdrawal", "suspension", "roles", "denial", "not-me")

CALM = (200, 204, 302, 303, 400, 403, 404, 405, 409, 413, 415)


def some(place: str, values: list[str], count: int) -> list[str]:
    """So many of the values, for each place others, and for one place always the same."""
    if count >= len(values):
        return values
    first = crc32(place.encode("utf-8", "replace"))
    return [values[(first + number * 7) % len(values)] for number in range(count)]


def query_of(fields: dict[str, str]) -> str:
    """The fields as an address or a form carries them, halves of characters included."""
    return urlencode({k: v.encode("utf-8", "surrogatepass") for k, v in fields.items()})


@dataclass
class Walk:
    """Somebody who sends `count` wild values to every place that they come to."""

    app: Flask
    browser: Browser
    who: str
    count: int
    token: str = ""
    asked: int = 0
    sent_to: set[str] = field(default_factory=set)
    looked_at: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, world: World, who: str, new_browser: Callable[[], Browser], count: int) -> Walk:
        """The walk of one of the visitors of the world, signed in."""
        browser = new_browser()
        user = world.visitors[who]
        if user is not None:
            browser.sign_in(person(user))
        return cls(browser.application, browser, who, count)

    def past(self, addresses: Iterable[str]) -> None:
        """Look at each address; send wild values to its parameters, then to its forms."""
        forms: dict[str, tuple[str, Form]] = {}
        parameters: dict[str, tuple[str, set[str]]] = {}
        seen: Counter[tuple[str, bool]] = Counter()
        for address in addresses:
            kind = _kind(address)
            if seen[kind, "?" in address] > self.count:
                continue
            answer = self.ask("GET", address)
            if answer.status_code == 404:
                continue
            seen[kind, "?" in address] += 1
            self.looked_at.add(kind)
            names = parameters.setdefault(kind, (address.partition("?")[0], set()))[1]
            names |= {name for name, _ in parse_qsl(urlsplit(address).query)}
            if answer.mimetype != "text/html" or answer.status_code not in (200, 400):
                continue
            names |= set(_linked_parameters(answer.text, address))
            for form in Page(answer.text).forms:
                if form.method == "get":
                    names |= {*form.typed, *form.values}
                    continue
                action = form.action or address
                fields = sorted({*form.typed, *form.values})
                forms.setdefault(f"{_kind(action)} {fields}", (action, form))
                self.token = form.values.get("csrf_token", self.token)
        for kind, (path, found) in parameters.items():
            self._question(kind, path, sorted(found))
        for kind, (action, form) in sorted(forms.items(), key=lambda each: _is_last(each[0])):
            self._fill_in(kind, action, form)

    def past_every_rule(self, address_of: Callable[[Rule], str | None]) -> None:
        """Send bodies that are no form, and forms that no page shows, to whatever takes a POST.

        And ask for what no number leads to.
        """
        for rule in self.app.url_map.iter_rules():
            if rule.endpoint in NOT_SENT:
                continue
            if rule.arguments:
                self._misplace(rule)
            address = address_of(rule)
            if address is None or "POST" not in (rule.methods or ()):
                continue
            headers = {"X-CSRFToken": self.token}
            for body in some(rule.rule, JSON, self.count):
                self.ask(
                    "POST", address, data=body, content_type="application/json", headers=headers
                )
            for value in some(rule.rule, WILD, self.count):
                fields = dict.fromkeys(("ids", "name", "reason", "x[]", "x[0]", "level"), value)
                self.send(address, fields)

    def send(self, address: str, fields: dict[str, str]) -> Any:
        """Send a form with a token that holds."""
        return self.ask(
            "POST",
            address,
            data=query_of({**fields, "csrf_token": self.token}),
            content_type="application/x-www-form-urlencoded",
        )

    def ask(self, method: str, address: str, **more: Any) -> Any:
        """Ask, and see that the answer is calm."""
        answer = self.browser.open(address, method=method, **more)
        self.asked += 1
        about = (self.who, method, address[:300], repr(more)[:300], answer.status_code)
        assert answer.status_code in CALM, about
        if method == "POST" and answer.status_code != 404:
            self.sent_to.add(_kind(address))
        return answer

    def is_still_in(self) -> bool:
        """Whether nothing of all that has signed them out, and so made the walk a walk outside."""
        return self.who == "nobody" or "/login" not in (self.browser.get("/").location or "")

    def _question(self, kind: str, path: str, names: list[str]) -> None:
        for name in names:
            for value in some(f"{kind}?{name}", WILD, self.count):
                self.ask("GET", f"{path}?{query_of({name: value})}")
        every = [*UNSEEN, *names]
        again = "&".join(f"{name}[]=1&{name}=&{name}=a" for name in every)
        for value in some(kind, WILD, self.count):
            self.ask("GET", f"{path}?{query_of(dict.fromkeys(every, value))}&{again}")

    def _fill_in(self, kind: str, action: str, form: Form) -> None:
        if self._endpoint(action) in NOT_SENT:
            return
        names = sorted({*form.typed, *form.values} - {"csrf_token"})
        for value in some(kind, WILD, self.count):
            self.send(action, dict.fromkeys(names, value))
        untouched = {**form.values, **dict.fromkeys(form.typed, "")}
        for name in names:
            for value in some(f"{kind} {name}", WILD, self.count):
                self.send(action, {**untouched, name: value})

    def _misplace(self, rule: Rule) -> None:
        start, _, end = rule.rule.partition("<")
        for value in some(rule.rule, PLACES, self.count):
            address = start + value + re.sub(r"<[^>]+>", "1", end.partition(">")[2])
            method = "GET" if "GET" in (rule.methods or ()) else "POST"
            answer = self.ask(method, address, headers={"X-CSRFToken": self.token})
            if rule.rule.startswith("/admin/"):
                # Whoever is not signed in is asked to, also where nothing is.
                asks = self.who == "nobody" and (answer.location or "").startswith("/login")
                assert answer.status_code == 404 or asks, (address[:300], answer.status_code)

    def _endpoint(self, address: str) -> str:
        path = urlsplit(address).path
        adapter = self.app.url_map.bind("127.0.0.1")
        return str(adapter.match(path, method="POST")[0]) if adapter.test(path, "POST") else ""


def _kind(address: str) -> str:
    """What an address is of a kind with: the same page about somebody else."""
    path = urlsplit(address).path
    return re.sub(r"/(\d+|[\w.~-]{40,})(?=/|$)", "/#", path)


def _is_last(kind: str) -> int:
    return max((number + 1 for number, name in enumerate(LAST) if name in kind), default=0)


def _linked_parameters(page: str, address: str) -> Iterator[str]:
    """The parameters of links from a page to itself."""
    own = urlsplit(address).path
    for link in re.findall(r'href="([^"]*)\?([^"]*)"', page):
        if link[0] in ("", own):
            yield from (name for name, _ in parse_qsl(link[1].replace("&amp;", "&")))
