"""The device: which browser on which system somebody uses, as far as it says so itself.

Browsers have frozen what they say, so that a dozen marks tell them apart. The known parsers
bring a thousand regular expressions for crawlers and gadgets, and have let a made-up agent keep
a thread busy (CVE-2020-5243, CVE-2021-21240); here, a substring is looked for and no more.
"""

from __future__ import annotations

from typing import NamedTuple


class Device(NamedTuple):
    """A browser and a system, by the names that their makers give them; empty for unknown ones."""

    browser: str
    system: str


# The first mark that is found counts: most browsers also call themselves what they descend from.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Opera", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex Browser"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("iPad", "iPad"),
    ("iPhone", "iPhone"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
    ("X11", "Linux"),
)


def of_agent(agent: str) -> Device:
    """What a User-Agent header says. Whoever wants to can say what they like: it proves nothing."""
    return Device(browser=_first(_BROWSERS, agent), system=_first(_SYSTEMS, agent))


def _first(marks: tuple[tuple[str, str], ...], agent: str) -> str:
    return next((name for mark, name in marks if mark in agent), "")
