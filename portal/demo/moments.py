"""Moments: when each thing of the demo happened. The same for the same start and seed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from portal.demo.cast import Person

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

# How long each thing takes after the one before: shortest, longest, usual.
_GAPS = {
    "resent": (HOUR, 20 * HOUR, 4 * HOUR),
    "registered again": (2 * HOUR, 9 * HOUR, 3 * HOUR),
    "forgotten": (73 * HOUR, 74 * HOUR, 73 * HOUR),
    "confirmed": (2 * MINUTE, 6 * HOUR, 8 * MINUTE),
    "reason": (HOUR, 8 * HOUR, 2 * HOUR),
    "approved": (HOUR, 50 * HOUR, 8 * HOUR),
    "rejected": (HOUR, 50 * HOUR, 12 * HOUR),
    "asked": (2 * HOUR, 30 * HOUR, 6 * HOUR),
    "answered": (HOUR, 20 * HOUR, 5 * HOUR),
    "noted": (HOUR, 9 * HOUR, 3 * HOUR),
    "reopened": (3 * HOUR, 30 * HOUR, 10 * HOUR),
    "withdrawn": (20 * HOUR, 70 * HOUR, 30 * HOUR),
    "level": (2 * DAY, 9 * DAY, 4 * DAY),
    "role": (3 * DAY, 6 * DAY, 4 * DAY),
    "suspended": (2 * DAY, 8 * DAY, 5 * DAY),
    "reinstated": (3 * HOUR, 40 * HOUR, 20 * HOUR),
    "erased": (DAY, 4 * DAY, 2 * DAY),
}

# How long ago people registered who are still on their way; everybody else, in the month before.
_UNCONFIRMED = (5 * HOUR, 58 * HOUR)
_WAITING = (4 * HOUR, 7 * DAY)
_THE_MONTH = (5 * DAY, 29 * DAY + 18 * HOUR)


def of_registration(
    person: Person, others: Collection[datetime], random: Random, now: datetime
) -> datetime:
    """When somebody registered: awake, seldom on a weekend, and not all on one day."""
    if person.since is not None:
        return now - person.since * MINUTE
    soonest, longest = _window(person)
    while True:
        moment = now - soonest - random.random() * (longest - soonest)
        weekday = 1.0 if moment.weekday() < 5 else 0.3
        same_day = sum(other.date() == moment.date() for other in others)
        likely = weekday * _likely_at(_hour(moment, person.zone)) * 0.6**same_day
        if random.random() < likely:
            return moment


def of_life(person: Person, registered: datetime, random: Random, now: datetime) -> list[datetime]:
    """When each thing in somebody's life happened. All of it is over by now."""
    gaps = [_gap(word, random) for word in person.life]
    needed, there_is = sum(gaps, timedelta()), now - registered
    if needed > 0.9 * there_is:
        gaps = [gap * (0.9 * there_is / needed) for gap in gaps]
    moments, moment = [], registered
    for gap in gaps:
        moment += gap
        moments.append(moment)
    return moments


def between(
    start: datetime, end: datetime, count: int, zone: str, random: Random
) -> list[datetime]:
    """As many moments in between, in order, when people there are awake if that can be."""
    found = []
    for _ in range(count):
        candidates = [start + random.random() * (end - start) for _ in range(6)]
        found.append(max(candidates, key=lambda moment: _likely_at(_hour(moment, zone))))
    return sorted(found)


def _window(person: Person) -> tuple[timedelta, timedelta]:
    last = person.life[-1] if person.life else ""
    if last in ("", "resent", "registered again"):
        return _UNCONFIRMED
    if last in ("confirmed", "reason edited", "asked", "answered", "noted", "reopened"):
        return _WAITING
    return _THE_MONTH


def _gap(word: str, random: Random) -> timedelta:
    if word.startswith("signs in"):
        return timedelta()
    shortest, longest, usual = _GAPS[word if word in _GAPS else word.partition(" ")[0]]
    share = random.triangular(0, 1, (usual - shortest) / (longest - shortest))
    return shortest + share * (longest - shortest)


def _hour(moment: datetime, zone: str) -> int:
    return moment.astimezone(ZoneInfo(zone)).hour


def _likely_at(hour: int) -> float:
    if 8 <= hour < 19:
        return 1.0
    return 0.4 if hour in (7, 19, 20, 21) else 0.03
