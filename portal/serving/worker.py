"""The worker: delivers mail and keeps things tidy, until told to stop."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from portal import jobs, settings
from portal.serving import folder, parent


def work_alone() -> int:
    """Work beside a web server that somebody else looks after."""
    ours = settings.load()
    folder.prepare(ours.instance)
    with folder.in_use(ours.instance):
        return jobs.run_worker()


def work_for(supervisor: int, site: Flask, ready: Callable[[], None]) -> int:
    """Work as a child of the supervisor, and end with it."""
    parent.end_with(supervisor, within=settings.of(site).server.stop_within_seconds)
    return jobs.run_worker(site, ready=ready)
