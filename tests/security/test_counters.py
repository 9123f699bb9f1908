"""Counters: memory that strangers cannot fill, and that forgets in time (M15)."""

import time
from datetime import UTC, datetime

import time_machine

from portal.security import counters
from portal.security.counters import BoundedMemory
from portal.security.delays import Delay


def test_names_that_a_stranger_makes_up_take_no_more_than_so_much_room(monkeypatch):
    monkeypatch.setattr(counters, "MOST", 100)
    memory = BoundedMemory()

    for number in range(1000):
        memory.incr(f"made up {number}", 60)
    memory.incr("the last", 60)

    assert memory.reset() <= 100


def test_what_is_counted_for_long_outlives_what_is_counted_for_a_minute(monkeypatch):
    monkeypatch.setattr(counters, "MOST", 100)
    memory = BoundedMemory()
    memory.incr("guesses at ada", 86_400)

    for number in range(1000):
        memory.incr(f"made up {number}", 60)

    assert memory.get("guesses at ada") == 1


def test_a_count_is_forgotten_in_time_and_its_room_given_back():
    memory = BoundedMemory()
    with time_machine.travel(datetime(2026, 3, 1, tzinfo=UTC), tick=False) as now:
        assert [memory.incr("ada", 60), memory.incr("ada", 60)] == [1, 2]
        assert memory.get_expiry("ada") == time.time() + 60
        now.shift(61)
        assert memory.get("ada") == 0
        memory.incr("eve", 60)

    assert memory.reset() == 1


def test_a_try_that_was_refused_makes_no_wait_longer():
    """Whoever hammers keeps nobody out for longer than whoever tries once in a while."""
    memory, delay = BoundedMemory(), Delay(name="own", free=2, first=10, longest=60)
    with time_machine.travel(datetime(2026, 3, 1, tzinfo=UTC), tick=False) as now:
        first = [delay.take("ada", memory) for _ in range(5)]
        now.shift(10)
        later = [delay.take("ada", memory) for _ in range(5)]

    assert first == [0, 0, 10, 10, 10]
    assert later == [0, 20, 20, 20, 20]
