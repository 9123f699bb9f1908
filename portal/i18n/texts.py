"""Texts: dates, times and numbers as the viewer reads them."""

import math
from datetime import datetime, timedelta
from typing import Literal

import pytz
from babel import Locale, dates, numbers
from flask_babel import format_timedelta, get_locale, get_timezone
from flask_babel import gettext as _

from portal import clock
from portal.i18n.zones import zone_named

JUST_NOW = timedelta(seconds=45)

Unit = Literal["second", "minute", "hour", "day", "week"]
_SECONDS: tuple[Unit, int] = ("second", 1)
_MINUTES: tuple[Unit, int] = ("minute", 60)
_HOURS: tuple[Unit, int] = ("hour", 3600)


def moment_text(moment: datetime | None) -> str:
    """Date and time in the viewer's time zone, and which zone that is."""
    if moment is None:
        return ""
    locale = get_locale()
    there = _in_the_viewers_zone(moment)
    date = dates.format_date(there, "long", locale=locale)
    time = dates.format_time(there, "short", tzinfo=there.tzinfo, locale=locale)
    both = str(dates.get_datetime_format("medium", locale=locale)).replace("'", "")
    return f"{both.replace('{0}', time).replace('{1}', date)} {_zone_name(there, locale)}"


def date_text(moment: datetime | None) -> str:
    """The date of a moment in the viewer's time zone."""
    if moment is None:
        return ""
    return dates.format_date(_in_the_viewers_zone(moment), "long", locale=get_locale())


def time_there(zone_name: str) -> str:
    """What time it is now in a zone, as the viewer writes it; empty where there is no such zone."""
    zone = zone_named(zone_name)
    return dates.format_time(clock.now(), "short", tzinfo=zone, locale=get_locale()) if zone else ""


def ago(moment: datetime | None) -> str:
    """How long ago a moment was, or how soon it comes, in words."""
    if moment is None:
        return ""
    distance = moment - clock.now()
    if abs(distance) < JUST_NOW:
        return str(_("just now"))
    return dates.format_timedelta(
        distance, granularity="minute", add_direction=True, locale=get_locale()
    )


def duration_text(duration: timedelta | None) -> str:
    """How long something lasts, in words; a dash where nothing did."""
    if duration is None:
        return "–"
    return dates.format_timedelta(duration, granularity="minute", threshold=2, locale=get_locale())


def soon_text(wait: timedelta) -> str:
    """How soon something is possible again, rounded up: "in 15 seconds", "in 4 minutes"."""
    seconds = max(1, math.ceil(wait.total_seconds()))
    unit, size = _SECONDS if seconds < 60 else _MINUTES if seconds < 7200 else _HOURS
    return dates.format_timedelta(
        timedelta(seconds=math.ceil(seconds / size) * size),
        granularity=unit,
        threshold=math.inf,
        add_direction=True,
        locale=get_locale(),
    )


def at_most_text(wait: timedelta) -> str:
    """A span of time that the wait does not exceed, in round words: "3 hours", "6 weeks".

    Always rounded up, or what is called the longest wait would be shorter than some; and to no
    more than anybody could rely on: past half a day in days, past a fortnight in weeks.
    """
    hours = max(1, math.ceil(wait / timedelta(hours=1)))
    days, weeks = math.ceil(hours / 24), math.ceil(hours / (7 * 24))
    if hours <= 12:
        return _in_units_of("hour", timedelta(hours=hours))
    if days <= 14:
        return _in_units_of("day", timedelta(days=days))
    return _in_units_of("week", timedelta(weeks=weeks))


def number_text(number: float) -> str:
    """A number with the separators of the viewer's language."""
    return numbers.format_decimal(number, locale=get_locale())


def machine_time(moment: datetime) -> str:
    """A moment for the `datetime` attribute of a `<time>` element, in UTC."""
    return moment.astimezone(pytz.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def _in_units_of(unit: Unit, span: timedelta) -> str:
    # No larger unit comes near this threshold: ten days would else become "one week".
    return str(format_timedelta(span, granularity=unit, threshold=math.inf))


def _in_the_viewers_zone(moment: datetime) -> datetime:
    return moment.astimezone(get_timezone())


def _zone_name(there: datetime, locale: Locale | None) -> str:
    """A short name such as CEST where the language has one, else the distance from Greenwich."""
    short = dates.format_datetime(there, "z", tzinfo=there.tzinfo, locale=locale)
    if short[0] not in "+-":
        return short
    return dates.format_datetime(there, "OOOO", tzinfo=there.tzinfo, locale=locale)
