"""Time zones: found by any of their names, and listed by place in the reader's language."""

import unicodedata
from functools import lru_cache

import pytz
from babel import Locale
from babel.core import get_global
from flask_babel import get_locale
from pytz.tzinfo import BaseTzInfo

from portal.i18n.tags import locale_of


def time_zone_menu(*, besides: str | None = None) -> list[tuple[str, str]]:
    """Name and place of every time zone in the reader's language, as ("Asia/Riyadh", "الرياض …").

    `besides` is one that somebody has already, by an older name perhaps.
    """
    locale = get_locale() or locale_of("en")
    zones = _time_zones_in(str(locale))
    if besides and zone_named(besides) and besides not in dict(zones):
        return [*zones, (besides, _place_of(besides, locale))]
    return list(zones)


@lru_cache(maxsize=32)
def _time_zones_in(code: str) -> tuple[tuple[str, str], ...]:
    places = get_global("zone_territories")
    zones = [zone for zone in pytz.common_timezones if zone in places]
    named = [(zone, _place_of(zone, locale_of(code))) for zone in zones]
    return (("UTC", "UTC"), *sorted(named, key=lambda pair: _as_sorted(pair[1])))


def _place_of(zone: str, locale: Locale) -> str:
    names = _names_of(zone)
    cities = (locale.time_zones.get(name, {}).get("city") for name in names)
    city = next(filter(None, cities), None) or names[0].rpartition("/")[2].replace("_", " ")
    countries = map(get_global("zone_territories").get, names)
    country = locale.territories.get(next(filter(None, countries), ""))
    return f"{city} ({country})" if country and country != city else city


def _names_of(zone: str) -> list[str]:
    """A zone's name of today, and those under which older data know it: Asia/Calcutta."""
    aliases = get_global("zone_aliases")
    today = aliases.get(zone, zone)
    return [today, *(old for old, new in aliases.items() if new == today)]


def _as_sorted(name: str) -> str:
    """Where a name stands in a list: accents and capitals do not move it."""
    plain = unicodedata.normalize("NFD", name)
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


@lru_cache(maxsize=1024)
def zone_named(name: str | None) -> BaseTzInfo | None:
    """The zone of this name; None for none and for one that there is not."""
    try:
        return pytz.timezone(name) if name else None
    except pytz.UnknownTimeZoneError:
        return None
