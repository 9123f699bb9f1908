"""Heartbeats: a process that works writes down that it is alive."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask

from portal import heartbeat

pytestmark = pytest.mark.both_databases


def test_a_beat_is_seen_until_several_were_missed(app: Flask, database_kind: str) -> None:
    assert heartbeat.last_beat() is None
    assert not heartbeat.is_alive()

    with time_machine.travel(datetime(2026, 7, 14, 12, tzinfo=UTC), tick=False) as clock:
        heartbeat.beat()
        assert heartbeat.is_alive()
        clock.shift(timedelta(seconds=39))
        assert heartbeat.is_alive()
        clock.shift(timedelta(seconds=2))
        assert not heartbeat.is_alive()
        heartbeat.beat()
        assert heartbeat.is_alive()


def test_several_that_are_born_at_once_share_a_name(app: Flask, database_kind: str) -> None:
    problems: list[Exception] = []

    def live() -> None:
        with app.app_context():
            try:
                for _ in range(3):
                    heartbeat.beat("worker")
            except Exception as problem:
                problems.append(problem)

    threads = [threading.Thread(target=live) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert problems == []
    assert heartbeat.is_alive()
