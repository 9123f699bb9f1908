"""Upkeep: no text and no address stays in the outbox longer than it is of use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from portal import clock
from portal.accounts.user import User
from portal.database import db, transaction
from portal.mail import delivery, lease, outbox, upkeep
from portal.mail.mail import Mail, MailState
from portal.mail.trouble import Never, Trouble
from tests.mail.conftest import letter

pytestmark = pytest.mark.both_databases(everyday="sqlite")


@pytest.fixture
def noon() -> Iterator[time_machine.Traveller]:
    """Noon, until the test moves on."""
    with time_machine.travel(datetime(2026, 7, 14, 12, tzinfo=UTC), tick=False) as traveller:
        yield traveller


def all_mails() -> list[Mail]:
    """Every row as it is now."""
    db.session.expire_all()
    return list(db.session.scalars(select(Mail).order_by(Mail.id)))


def test_decoys_go_after_a_day(
    app: Flask, database_kind: str, noon: time_machine.Traveller
) -> None:
    with transaction():
        outbox.post_nothing()

    upkeep.purge()
    assert len(all_mails()) == 1
    noon.shift(timedelta(days=1, seconds=1))
    upkeep.purge()

    assert all_mails() == []


def test_a_failed_mail_keeps_its_text_for_a_week_or_until_its_link_expires(
    app: Flask, database_kind: str, noon: time_machine.Traveller, a_user: Callable[..., User]
) -> None:
    user = a_user()
    with transaction():
        outbox.drop()
        lasting = outbox.post(letter(user_id=user.id))
        brief = outbox.post(letter(user_id=user.id, expires_at=clock.now() + timedelta(hours=1)))
    for mail in (lasting, brief):
        taken = lease.take(mail.id)
        assert taken is not None
        lease.mark_failed(taken, Never(Trouble.REFUSED, 550))

    def kept() -> list[bool]:
        upkeep.purge()
        db.session.expire_all()
        return [mail.body is not None for mail in (lasting, brief)]

    assert kept() == [True, True]
    noon.shift(timedelta(hours=2))
    assert kept() == [True, False]
    noon.shift(timedelta(days=7))
    assert kept() == [False, False]
    assert lasting.state is MailState.FAILED
    assert lasting.recipient == "ada@example.org"  # of an account: staff see what failed


def test_addresses_that_belong_to_no_account_go_after_a_day(
    app: Flask, database_kind: str, noon: time_machine.Traveller, post: Callable[..., Mail]
) -> None:
    delivered, waiting = post("stranger@example.org"), post("later@example.org")
    delivery.deliver(delivered.id)
    noon.shift(timedelta(days=1, seconds=1))

    upkeep.purge()

    assert [mail.recipient for mail in all_mails()] == [None, "later@example.org"]
    assert waiting.state is MailState.WAITING
