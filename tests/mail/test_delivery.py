"""Delivery: what a worker does with a mail that is due, with a real mail server."""

from __future__ import annotations

import email.utils
import logging
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import event, text

from portal.database import db, transaction
from portal.mail import delivery, outbox, pauses
from portal.mail.mail import Mail, MailState
from portal.mail.mailbox import CapturedMail
from portal.mail.trouble import in_words
from tests.mail.conftest import letter
from tests.mail.server import HOST, PASSWORD, USERNAME, MailServer

SWEEP = timedelta(seconds=30)


def fresh(mail: Mail) -> Mail:
    """The row as it is now."""
    db.session.expire_all()
    return db.session.get_one(Mail, mail.id)


@pytest.mark.both_databases(everyday="sqlite")
def test_a_letter_arrives_with_its_headers_and_its_row_is_emptied(
    app: Flask,
    database_kind: str,
    post: Callable[..., Mail],
    mail_server: MailServer,
    deliver_to: Callable[..., None],
) -> None:
    deliver_to(mail_server, sender="portal@example.org", reply_to="help@example.org")
    mail = post("ada@example.org", subject="Grüße — مرحبا", text="Öffnen Sie\n" + "x" * 2000 + "\n")

    delivery.deliver(mail.id)

    assert fresh(mail).state is MailState.DELIVERED
    assert (mail.body, mail.last_error, mail.lease_until) == (None, None, None)
    (arrived,) = mail_server.letters
    assert arrived.recipient == "ada@example.org"
    parsed = arrived.parsed
    assert parsed["Subject"] == "Grüße — مرحبا"
    assert parsed["From"] == "Portal <portal@example.org>"
    assert parsed["To"] == "ada@example.org"
    assert parsed["Reply-To"] == "help@example.org"
    assert parsed["Message-ID"] == mail.message_id
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["X-Auto-Response-Suppress"] == "All"
    assert parsed["Content-Language"] == "en"
    assert email.utils.parsedate_to_datetime(parsed["Date"]) == mail.posted_at.replace(
        microsecond=0
    )
    assert parsed.get_content_type() == "multipart/alternative"
    plain, html = parsed.iter_parts()
    assert plain.get_content_type() == "text/plain"
    assert plain.get_content().splitlines()[0] == "Öffnen Sie"
    assert html.get_content_type() == "text/html"
    assert arrived.content.isascii()
    assert max(map(len, arrived.content.splitlines())) < 1000


def test_a_second_copy_is_the_same_byte_for_byte(
    app: Flask,
    post: Callable[..., Mail],
    mail_server: MailServer,
    deliver_to: Callable[..., None],
) -> None:
    deliver_to(mail_server)
    mail_server.manners.hang_up_after_data = True
    with time_machine.travel(datetime(2026, 7, 14, 12, tzinfo=UTC)) as clock:
        mail = post()
        delivery.deliver(mail.id)
        assert fresh(mail).last_error == "disconnected"
        mail_server.manners.hang_up_after_data = False
        clock.shift(timedelta(minutes=2))
        delivery.deliver(mail.id)

    assert fresh(mail).state is MailState.DELIVERED
    first, second = mail_server.letters
    assert first == second


def test_no_transaction_is_open_while_the_server_thinks(
    app: Flask,
    post: Callable[..., Mail],
    mail_server: MailServer,
    deliver_to: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deliver_to(mail_server)
    mail = post()
    locked: list[bool] = []
    hand_over = delivery._hand_over

    def look_and_hand_over(*args: Any) -> None:
        locked.append(db.session().in_transaction())
        with app.app_context(), transaction():  # another request gets the write lock meanwhile
            outbox.post(letter("grace@example.org"))
        hand_over(*args)

    monkeypatch.setattr(delivery, "_hand_over", look_and_hand_over)
    delivery.deliver(mail.id)

    assert locked == [False]
    assert fresh(mail).state is MailState.DELIVERED


def test_one_bad_mail_does_not_hold_up_the_others(
    app: Flask,
    post: Callable[..., Mail],
    mail_server: MailServer,
    deliver_to: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    deliver_to(mail_server)
    mail_server.manners.recipients = {
        "refused@example.org": "550 5.1.1 no such person here",
        "later@example.org": "451 4.7.1 greylisted",
    }
    refused, later = post("refused@example.org"), post("later@example.org")
    unreadable, garbled, good = post(), post(), post("good@example.org")
    with transaction():
        db.session.get_one(Mail, unreadable.id).body = b"sealed with another key"
        db.session.get_one(Mail, garbled.id).recipient = "a\r\nBcc: eve@example.org"

    with caplog.at_level(logging.DEBUG):
        assert delivery.deliver_due(within=SWEEP) == 5

    assert [one.recipient for one in mail_server.letters] == ["good@example.org"]
    states = {
        name: (fresh(mail).state, mail.last_error)
        for name, mail in {
            "refused": refused,
            "later": later,
            "unreadable": unreadable,
            "garbled": garbled,
            "good": good,
        }.items()
    }
    assert states == {
        "refused": (MailState.FAILED, "refused 550"),
        "later": (MailState.WAITING, "later 451"),
        "unreadable": (MailState.FAILED, "unreadable"),
        "garbled": (MailState.WAITING, "unexpected"),
        "good": (MailState.DELIVERED, None),
    }
    ours = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith("portal")
    )
    assert "BadHeaderError" in ours
    for private in ("secret link", "no such person", "example.org"):
        assert private not in ours
    assert in_words("refused 550") == "The mail server refuses this recipient or this mail. (550)"


@pytest.mark.parametrize(
    ("answer", "state", "error"),
    [
        ("554 5.7.1 looks like spam", MailState.FAILED, "refused 554"),
        ("452 4.3.1 no room", MailState.WAITING, "later 452"),
        ("421 4.3.2 going down", MailState.WAITING, "later 421"),
    ],
)
def test_the_answer_to_the_letter_itself_decides(
    app: Flask,
    post: Callable[..., Mail],
    mail_server: MailServer,
    deliver_to: Callable[..., None],
    answer: str,
    state: MailState,
    error: str,
) -> None:
    deliver_to(mail_server)
    mail_server.manners.data = answer
    mail = post()

    delivery.deliver(mail.id)

    assert (fresh(mail).state, mail.last_error, mail.attempts) == (state, error, 1)
    assert pauses.current() is None


def test_a_server_that_is_down_blames_no_mail_and_all_leave_when_it_is_back(
    app: Flask,
    post: Callable[..., Mail],
    mail_server: MailServer,
    deliver_to: Callable[..., None],
) -> None:
    deliver_to(mail_server)
    mail_server.close()
    with time_machine.travel(datetime(2026, 7, 14, 12, tzinfo=UTC)) as clock:
        mails = [post(f"person{number}@example.org") for number in range(20)]
        assert delivery.deliver_due(within=SWEEP) == 1  # the first one finds out for all

        pause = pauses.current()
        assert pause is not None
        assert pause.reason == "unreachable"
        assert {(fresh(mail).state, mail.attempts) for mail in mails} == {(MailState.WAITING, 0)}

        mail_server.open()
        delivery.deliver(mails[5].id)
        assert mail_server.letters == []  # not before the pause is over
        clock.shift(timedelta(minutes=2, seconds=30))
        assert delivery.deliver_due(within=SWEEP) == 20

    assert {fresh(mail).state for mail in mails} == {MailState.DELIVERED}
    assert pauses.current() is None
    assert mail_server.connections == 1  # one conversation for all of them


def test_a_refused_password_stops_the_whole_queue_where_staff_can_see_it(
    app: Flask,
    post: Callable[..., Mail],
    authority: Any,
    deliver_to: Callable[..., None],
) -> None:
    with MailServer(tls=authority.context_for(HOST), sign_in=True) as server:
        deliver_to(server, username=USERNAME, password="wrong")
        first, second = post(), post("grace@example.org")

        delivery.deliver(first.id)
        delivery.deliver(second.id)

        assert server.connections == 1  # once, not once for each mail
        assert [(fresh(mail).state, mail.attempts) for mail in (first, second)] == [
            (MailState.WAITING, 0),
            (MailState.WAITING, 0),
        ]
        pause = pauses.current()
        assert pause is not None
        assert pause.reason == "sign_in 535"
        assert pause.reason_text == (
            "The mail server refuses the portal's username or password. (535)"
        )

        deliver_to(server, username=USERNAME, password=PASSWORD)
        pauses.end()
        delivery.deliver_due(within=SWEEP)
        assert len(server.letters) == 2


def test_a_refused_sender_stops_the_queue_instead_of_failing_every_mail(
    app: Flask,
    post: Callable[..., Mail],
    mail_server: MailServer,
    deliver_to: Callable[..., None],
) -> None:
    deliver_to(mail_server)
    mail_server.manners.sender = "550 5.7.1 you may not send as that"
    mail = post()

    delivery.deliver(mail.id)

    pause = pauses.current()
    assert pause is not None
    assert pause.reason == "sender 550"
    assert fresh(mail).state is MailState.WAITING


def test_a_sweep_stops_between_two_mails_when_told(
    app: Flask,
    post: Callable[..., Mail],
    mail_server: MailServer,
    deliver_to: Callable[..., None],
) -> None:
    deliver_to(mail_server)
    for _ in range(5):
        post()

    tried = delivery.deliver_due(within=SWEEP, stop=lambda: len(mail_server.letters) == 2)

    assert tried == 2


def test_a_mark_that_meets_a_busy_database_is_made_again(
    app: Flask,
    post: Callable[..., Mail],
    mail_server: MailServer,
    deliver_to: Callable[..., None],
) -> None:
    """A mark that gets lost would send the letter a second time."""
    deliver_to(mail_server)
    mail = post()
    refusals = [0]

    def busy_once(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "delivered_at=?" in statement and not refusals[0]:
            refusals[0] = 1
            raise sqlite3.OperationalError("database is locked")

    event.listen(db.engine, "before_cursor_execute", busy_once)
    try:
        delivery.deliver(mail.id)
    finally:
        event.remove(db.engine, "before_cursor_execute", busy_once)

    assert fresh(mail).state is MailState.DELIVERED
    assert len(mail_server.letters) == 1


def test_without_a_mail_server_letters_go_to_the_development_mailbox(
    app: Flask, post: Callable[..., Mail]
) -> None:
    mail = post("ada@example.org")

    delivery.deliver(mail.id)

    assert fresh(mail).state is MailState.DELIVERED
    captured = db.session.scalars(db.select(CapturedMail)).one()
    assert (captured.recipient, captured.subject) == ("ada@example.org", "A letter")
    assert captured.message_id == mail.message_id
    assert captured.part("plain") == "Dear Ada, here is a secret link.\n"


def test_an_address_in_another_script_is_told_to_the_server_as_it_understands_it(
    app: Flask,
    post: Callable[..., Mail],
    mail_server: MailServer,
    deliver_to: Callable[..., None],
) -> None:
    deliver_to(mail_server)

    delivery.deliver(post("ada@bücher.example").id)
    delivery.deliver(post("jörg@example.org").id)

    assert [one.recipient for one in mail_server.letters] == [
        "ada@xn--bcher-kva.example",
        "jörg@example.org",
    ]


def test_nothing_of_a_mail_is_left_in_the_clear_when_it_has_gone(
    app: Flask,
    post: Callable[..., Mail],
    mail_server: MailServer,
    deliver_to: Callable[..., None],
) -> None:
    deliver_to(mail_server)
    mail = post()
    delivery.deliver(mail.id)

    row = db.session.execute(text("SELECT * FROM mails")).mappings().one()

    assert "secret" not in str(dict(row))
    assert row["body"] is None
