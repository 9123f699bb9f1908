"""The outbox: a mail is a row, written in the transaction of its cause, until it is delivered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, inspect, select, text

from portal import audit, clock
from portal.accounts.user import User
from portal.audit import Action, AuditEntry
from portal.database import db, transaction
from portal.errors import StepRefused
from portal.mail import delivery, lease, outbox
from portal.mail.mail import Mail, MailState
from portal.mail.message import Message, UnsafeMessage
from portal.mail.outbox import mail_posted
from portal.mail.sealing import Unreadable, unseal
from tests.mail.conftest import letter
from tests.mail.server import MailServer


@pytest.fixture
def rung() -> Iterator[list[int]]:
    """The ids for which the bell rang."""
    ids: list[int] = []

    def hear(_sender: object, ids: list[int], heard: list[int] = ids) -> None:
        heard.extend(ids)

    with mail_posted.connected_to(hear):
        yield ids


def test_a_mail_is_committed_with_its_cause_and_then_the_bell_rings(
    app: Flask, rung: list[int]
) -> None:
    with transaction():
        mail = outbox.post(letter())
        assert rung == []

    assert rung == [mail.id]
    assert mail.state is MailState.WAITING


def test_a_cause_that_is_rolled_back_leaves_no_mail_and_no_bell(
    app: Flask, rung: list[int]
) -> None:
    with pytest.raises(ZeroDivisionError), transaction():
        outbox.post(letter())
        db.session.flush()
        raise ZeroDivisionError

    with transaction():
        audit.record(Action.AGENT_EDITED)

    assert rung == []
    assert db.session.scalar(select(func.count()).select_from(Mail)) == 0


def test_a_savepoint_that_is_rolled_back_takes_only_its_own_mails_along(
    app: Flask, rung: list[int]
) -> None:
    with transaction():
        kept = outbox.post(letter())
        db.session.flush()
        savepoint = db.session.begin_nested()
        outbox.post(letter("nobody@example.org"))
        db.session.flush()
        savepoint.rollback()
        with db.session.begin_nested():
            also_kept = outbox.post(letter("grace@example.org"))
        assert rung == []

    assert rung == [kept.id, also_kept.id]


def test_what_a_mail_says_cannot_be_read_in_the_database(
    app: Flask, post: Callable[..., Mail]
) -> None:
    mail = post(text="The link is https://example.org/reset/token\n")

    stored = db.session.execute(
        text("SELECT body, subject FROM (SELECT body, '' AS subject FROM mails)")
    )
    body = bytes(stored.one()[0])
    assert b"token" not in body
    assert "https" not in repr(letter(text="https://example.org"))
    assert unseal(mail.body or b"").text == "The link is https://example.org/reset/token\n"
    with pytest.raises(Unreadable):
        unseal(b"sealed with another key")


@pytest.mark.parametrize("sign", ["\r", "\n", "\0", "\u2028", "\x0b"])
def test_a_line_break_in_an_address_or_a_subject_is_refused(sign: str) -> None:
    with pytest.raises(UnsafeMessage):
        letter(f"ada@example.org{sign}Bcc: eve@example.org")
    with pytest.raises(UnsafeMessage):
        letter(subject=f"Hello{sign}Bcc: eve@example.org")


def test_a_mail_to_nobody_is_work_like_any_other_but_is_never_offered(
    app: Flask, a_user: Callable[..., User], rung: list[int]
) -> None:
    outbox_before = len(outbox.waiting())
    with transaction():
        outbox.post_nothing()

    decoy = db.session.scalars(select(Mail).where(Mail.recipient.is_(None))).one()
    assert decoy.state is MailState.DROPPED
    assert decoy.kind == "password_reset"
    assert len(decoy.body or b"") > 5000
    assert rung == [decoy.id]
    assert lease.take(decoy.id) is None
    assert len(outbox.waiting()) == outbox_before


def test_a_mail_that_failed_can_be_tried_again_and_the_trail_says_by_whom(
    app: Flask,
    manager: User,
    post: Callable[..., Mail],
    mail_server: MailServer,
    deliver_to: Callable[..., None],
) -> None:
    deliver_to(mail_server)
    mail_server.manners.recipients["ada@example.org"] = "550 no such person"
    mail = post()
    delivery.deliver(mail.id)
    db.session.expire_all()
    assert outbox.failed() == [mail]
    db.session.rollback()

    mail_server.manners.recipients.clear()
    with transaction():
        outbox.retry(mail, by=manager)
    delivery.deliver(mail.id)

    db.session.expire_all()
    assert mail.state is MailState.DELIVERED
    entry = db.session.scalars(select(AuditEntry).filter_by(action=Action.MAIL_RETRIED.value)).one()
    assert entry.by_id == manager.id
    assert entry.details == {"mail": mail.id, "kind": "test"}


def test_a_mail_that_was_delivered_or_has_expired_is_not_tried_again(
    app: Flask, manager: User, post: Callable[..., Mail]
) -> None:
    delivered = post()
    delivery.deliver(delivered.id)
    expired = post(expires_at=clock.now() - timedelta(seconds=1))

    for mail in (delivered, expired):
        with pytest.raises(StepRefused), transaction():
            outbox.retry(mail, by=manager)


def test_forgetting_a_person_drops_what_waits_and_removes_their_address(
    app: Flask, a_user: Callable[..., User]
) -> None:
    ada, grace = a_user(username="ada"), a_user(username="grace")

    with transaction():
        outbox.forget(ada)

    of_ada = db.session.scalars(select(Mail).filter_by(user_id=ada.id)).one()
    of_grace = db.session.scalars(select(Mail).filter_by(user_id=grace.id)).one()
    assert (of_ada.state, of_ada.recipient, of_ada.body) == (MailState.DROPPED, None, None)
    assert (of_grace.state, of_grace.recipient) == (MailState.WAITING, "grace@example.org")


def test_everything_that_waits_can_be_taken_back(app: Flask, post: Callable[..., Mail]) -> None:
    delivered, waiting = post(), post()
    delivery.deliver(delivered.id)

    with transaction():
        assert outbox.drop() == 1

    db.session.expire_all()
    assert (delivered.state, waiting.state) == (MailState.DELIVERED, MailState.DROPPED)
    assert waiting.body is None


@pytest.mark.both_databases(everyday="postgresql")
def test_every_list_of_mails_has_an_index(app: Flask, database_kind: str) -> None:
    indexed = {index["column_names"][0] for index in inspect(db.engine).get_indexes("mails")}

    assert {
        "due_at",
        "delivered_at",
        "failed_at",
        "dropped_at",
        "posted_at",
        "recipient",
        "user_id",
        "kind",
        "message_id",
    } <= indexed | {"message_id"}


def test_a_message_keeps_its_message_id_and_no_two_share_one(
    app: Flask, post: Callable[..., Mail]
) -> None:
    ids = {post().message_id for _ in range(20)}

    assert len(ids) == 20
    assert all(name.endswith("@127.0.0.1>") for name in ids)
    assert isinstance(letter(), Message)
