"""A crowd: many people who do something at the very same moment, each in a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from flask import has_app_context

from portal.database import db

Result = TypeVar("Result")


def together(deeds: Iterable[Callable[[], Result]]) -> list[Result]:
    """Do everything at once, released by one barrier. What any of them raises fails the test."""
    waiting = list(deeds)
    if has_app_context():
        db.session.rollback()  # what the test has read holds nobody up
    barrier = threading.Barrier(len(waiting))
    results: dict[int, Result] = {}
    failures: list[BaseException] = []

    def run(number: int, deed: Callable[[], Result]) -> None:
        try:
            barrier.wait(30)
            results[number] = deed()
        except BaseException as failure:
            failures.append(failure)

    threads = [
        threading.Thread(target=run, args=(number, deed), daemon=True)
        for number, deed in enumerate(waiting)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if failures:
        raise failures[0]
    assert len(results) == len(waiting), "somebody never came back"
    return [results[number] for number in range(len(waiting))]
