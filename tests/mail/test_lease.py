"""Leases: one worker at a time takes a mail, and what a dead worker held is offered again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from portal.database import db
from portal.mail import lease, pauses
from portal.mail.mail import Mail, MailState
from portal.mail.trouble import Never, NotNow, ServerDown, ServerRefuses, Trouble

pytestmark = pytest.mark.both_databases(everyday="postgresql")

NOON = datetime(2026, 7, 14, 12, tzinfo=UTC)
LATER = NotNow(Trouble.LATER, 451)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Noon, until the test moves on."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def fresh(mail: Mail) -> Mail:
    """The row as it is now."""
    db.session.expire_all()
    return db.session.get_one(Mail, mail.id)


def test_a_mail_is_taken_once(app: Flask, database_kind: str, post: Callable[..., Mail]) -> None:
    mail = post()

    taken, again = lease.take(mail.id), lease.take(mail.id)

    assert taken is not None
    assert taken.attempts == 1
    assert again is None
    assert fresh(mail).state is MailState.DELIVERING


def test_eight_who_reach_for_sixty_mails_get_each_one_once(
    app: Flask, database_kind: str, post: Callable[..., Mail]
) -> None:
    posted = {post(f"person{number}@example.org").id for number in range(60)}
    taken: list[int] = []

    def take_all() -> None:
        with app.app_context():
            while (mail := lease.take_next()) is not None:
                taken.append(mail.mail_id)

    threads = [threading.Thread(target=take_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(taken) == sorted(posted)


def test_what_a_dead_worker_held_is_offered_again_after_two_minutes(
    app: Flask, database_kind: str, post: Callable[..., Mail], clock: time_machine.Traveller
) -> None:
    mail = post()
    dead = lease.take(mail.id)
    assert dead is not None

    clock.shift(timedelta(seconds=119))
    assert lease.take_next() is None
    clock.shift(timedelta(seconds=2))
    alive = lease.take_next()

    assert alive is not None
    assert alive.mail_id == mail.id
    assert alive.attempts == 2
    # The dead one was only slow: what it says now does not touch the other's lease.
    lease.put_off(dead, LATER)
    assert fresh(mail).state is MailState.DELIVERING
    # But a letter that has left has left.
    lease.mark_delivered(dead)
    assert fresh(mail).state is MailState.DELIVERED


def test_pauses_grow_to_an_hour_and_then_the_mail_is_given_up(
    app: Flask, database_kind: str, post: Callable[..., Mail], clock: time_machine.Traveller
) -> None:
    mail = post()
    pauses_taken: list[float] = []

    while fresh(mail).state is MailState.WAITING:
        clock.move_to(mail.due_at)
        taken = lease.take(mail.id)
        assert taken is not None
        lease.put_off(taken, LATER)
        pauses_taken.append((fresh(mail).due_at - taken.until + lease.LEASE).total_seconds() / 60)

    for number, minutes in enumerate(pauses_taken[:-2]):
        wanted = min(2**number, 60)
        assert wanted * 0.8 <= minutes <= wanted * 1.2
    assert mail.failed_at == NOON + timedelta(hours=48)
    assert mail.last_error == "later 451"
    assert mail.body is not None  # staff may try again


def test_no_two_mails_wait_in_step(app: Flask, database_kind: str) -> None:
    minute = timedelta(minutes=1)

    drawn = {pauses.growing(1, first=minute, longest=minute) for _ in range(50)}

    assert len(drawn) == 50
    assert min(drawn) >= minute * 0.8
    assert max(drawn) <= minute * 1.2


def test_a_mail_whose_link_has_expired_is_dropped_and_emptied(
    app: Flask, database_kind: str, post: Callable[..., Mail], clock: time_machine.Traveller
) -> None:
    mail = post(expires_at=NOON + timedelta(minutes=30))
    clock.shift(timedelta(minutes=30))

    assert lease.take(mail.id) is None
    lease.settle_overdue()

    assert fresh(mail).state is MailState.DROPPED
    assert mail.body is None


def test_a_mail_that_nobody_could_even_try_is_given_up_too(
    app: Flask, database_kind: str, post: Callable[..., Mail], clock: time_machine.Traveller
) -> None:
    mail = post()
    clock.shift(timedelta(hours=49))
    pauses.begin(ServerDown(Trouble.UNREACHABLE))

    lease.settle_overdue()

    assert fresh(mail).state is MailState.FAILED
    assert mail.last_error == "unreachable"


def test_a_refused_mail_failed_at_once(
    app: Flask, database_kind: str, post: Callable[..., Mail]
) -> None:
    mail = post()
    taken = lease.take(mail.id)
    assert taken is not None

    lease.mark_failed(taken, Never(Trouble.REFUSED, 550))

    assert (fresh(mail).state, mail.last_error) == (MailState.FAILED, "refused 550")


def test_a_server_that_is_down_is_asked_soon_and_one_that_refuses_us_rarely(
    app: Flask, database_kind: str, clock: time_machine.Traveller
) -> None:
    def waits(problem: ServerDown | ServerRefuses) -> list[float]:
        taken = []
        for _ in range(8):
            pauses.begin(problem)
            pause = pauses.current()
            assert pause is not None
            assert pauses.is_on()
            taken.append((pause.until - datetime.now(UTC)).total_seconds())
            clock.move_to(pause.until)
            assert not pauses.is_on()
        pauses.end()
        assert pauses.current() is None
        return taken

    down = waits(ServerDown(Trouble.UNREACHABLE))
    refused = waits(ServerRefuses(Trouble.SIGN_IN, 535))

    assert 12 <= down[0] <= 18
    assert max(down) <= 144
    assert 48 <= refused[0] <= 72
    assert 48 * 60 <= refused[-1] <= 72 * 60


def test_several_who_ask_in_vain_at_once_count_as_one(
    app: Flask, database_kind: str, clock: time_machine.Traveller
) -> None:
    def ask() -> None:
        with app.app_context():
            pauses.begin(ServerDown(Trouble.UNREACHABLE))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    pause = pauses.current()
    assert pause is not None
    assert pause.times == 1
    assert len(db.session.scalars(select(pauses.Pause)).all()) == 1
