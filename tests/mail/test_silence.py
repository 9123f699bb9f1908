"""Silence: no mail goes to an address whose owner said "this was not me", whoever causes it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from portal import clock, links
from portal.accounts import approval, credentials, denial, erasure, suspension
from portal.accounts.confirmation import confirm_by_hand, note_confirmed
from portal.accounts.user import Status, User
from portal.database import db, transaction
from portal.desk import question, undo
from portal.errors import StepRefused
from portal.mail import messages, outbox, silence, staff_messages
from portal.mail.mail import Mail, MailState
from portal.mail.trouble import Trouble
from tests import plans
from tests.pages.letters import kinds_to
from tests.people import People, level

ADA = "ada@example.org"


@pytest.fixture
def ada(a_user: Any, reviewer: User) -> User:
    """Whom staff confirmed by hand."""
    user: User = a_user(username="ada", email=ADA)
    with transaction():
        confirm_by_hand(user, by=reviewer, reason="They called")
    return user


def deny(link: str) -> None:
    read = links.read_denial(link.rpartition("/")[2])
    assert read is not None
    with transaction():
        denial.deny(read)


def since(number: int) -> list[Mail]:
    """The mails after this one."""
    db.session.expire_all()
    return list(db.session.scalars(select(Mail).where(Mail.id > number).order_by(Mail.id)))


def last() -> int:
    return max(db.session.scalars(select(Mail.id)), default=0)


@pytest.mark.both_databases(everyday="postgresql")
def test_after_it_nothing_that_staff_do_mails_whom_they_confirmed_by_hand(
    ada: User, reviewer: User, manager: User
) -> None:
    deny(links.confirmation(ada))
    before = last()

    with transaction():
        question.ask(ada, by=reviewer, question="Who are you?")
    with transaction():
        question.answer(ada, text="Ada")
        approval.approve(ada, by=reviewer, level=level("standard"))
    with transaction():
        credentials.ask_for_password_reset(ada)
        suspension.suspend(ada, by=manager)
    with transaction():
        erasure.erase(ada, by=manager)

    mails = since(before)
    assert {"question", "welcome", "password_reset", "suspended", "erased"} <= {
        mail.kind for mail in mails
    }
    assert {mail.state for mail in mails if mail.kind != "password_reset"} == {MailState.DROPPED}
    assert all(mail.body is None for mail in mails)
    assert outbox.waiting() == []


def test_each_such_mail_says_why_it_did_not_go_and_cannot_be_tried_again(
    ada: User, reviewer: User, manager: User
) -> None:
    deny(links.confirmation(ada))

    with transaction():
        question.ask(ada, by=reviewer, question="Who are you?")

    mail = db.session.scalars(select(Mail).filter_by(kind="question")).one()
    assert mail.last_error == Trouble.SILENCED
    with pytest.raises(StepRefused, match="this was not me"):
        outbox.retry(mail, by=manager)


def test_what_waits_already_does_not_go_either(ada: User) -> None:
    assert kinds_to(ADA) == ["confirmation", "confirmed_by_hand"]

    deny(links.confirmation(ada))

    assert kinds_to(ADA) == []
    mail = db.session.scalars(select(Mail).filter_by(kind="confirmed_by_hand")).one()
    assert (mail.state, mail.last_error) == (MailState.DROPPED, Trouble.SILENCED)


def test_a_decision_whose_mail_does_not_go_can_be_undone(ada: User, reviewer: User) -> None:
    deny(links.confirmation(ada))
    with transaction():
        approval.reject(ada, by=reviewer, reason="Who is this?")

    with transaction():
        undo.undo(ada, by=reviewer)

    assert ada.status is Status.PENDING


def test_it_outlives_the_account_and_holds_for_whatever_comes_after(
    a_user: Any, people: People
) -> None:
    user = a_user(email=ADA)
    deny(links.confirmation(user))
    assert user.status is Status.ERASED
    colleague = people.staff("reviewer", username="ada")  # who got this address since
    before = last()

    with transaction():
        outbox.post(
            staff_messages.digest(
                colleague, ready=1, overdue=0, answered=0, mentions=0, since=clock.now()
            )
        )

    (mail,) = since(before)
    assert mail.state is MailState.DROPPED


def test_whoever_proved_their_address_is_not_cut_off_by_an_old_mail(a_user: Any) -> None:
    """Somebody else typed it once; that account is gone, and the mail lies about."""
    first = a_user(email=ADA)
    old = links.confirmation(first)
    with time_machine.travel(clock.now() + timedelta(days=30)), transaction():
        erasure.erase_unconfirmed()
    ada = a_user(email=ADA, approved=True)

    deny(old)
    with transaction():
        credentials.ask_for_password_reset(ada)
        credentials.ask_for_address_change(ada, email="new@example.org")

    assert {"welcome", "password_reset", "address_change_asked"} <= set(kinds_to(ADA))
    assert not silence.holds_for(ada)


def test_an_address_that_wants_no_mail_is_not_reached_by_way_of_another_account(
    a_user: Any,
) -> None:
    """Not even where a step forgets to ask: the outbox does."""
    eve = a_user(approved=True)
    with transaction():
        silence.silence(ADA, "confirmation")
        outbox.post(messages.address_change(eve, ADA))

    assert kinds_to(ADA) == []


def test_a_link_of_before_confirms_nothing_once_the_address_is_silenced(a_user: Any) -> None:
    ada, eve = a_user(email=ADA), a_user(approved=True)
    with transaction():
        silence.silence(ADA, "confirmation")

    with pytest.raises(StepRefused, match="lift that first"):
        note_confirmed(ada)
    with pytest.raises(StepRefused, match="can no longer be used"):
        credentials.change_address(eve, email="Ada@example.org")


@pytest.mark.both_databases(everyday="postgresql")
def test_many_mails_ask_once_who_wants_none(a_user: Any) -> None:
    people = [a_user() for _ in range(4)]
    with transaction():
        silence.silence(people[1].email, "confirmation")
    letters = [outbox.sealed(messages.reinstated(user)) for user in people]

    with plans.asked() as asked, transaction():
        for letter in letters:
            outbox.post(letter)

    assert sum("silenced_addresses" in str(statement) for statement in asked) == 1
    assert [letter.state is MailState.DROPPED for letter in letters] == [False, True, False, False]
