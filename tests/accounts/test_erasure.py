"""Erasure: personal data goes for good, and with time what nobody confirmed (M2)."""

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from portal import clock
from portal.accounts import erasure
from portal.accounts.confirmation import resend_confirmation
from portal.accounts.user import Status, User
from portal.audit import Action, AuditEntry
from portal.database import db, transaction
from portal.mail import messages, outbox
from portal.mail.mail import Mail, MailState
from tests.people import person


@pytest.mark.both_databases(everyday="postgresql")
def test_nothing_that_tells_who_somebody_was_is_left(browser, a_user, manager):
    words = ["Zebulon", "quagga", "zebulon.q", "Because of the quaggas"]
    ada = a_user(
        confirmed=True,
        full_name="Zebulon Quagga",
        username="zebulon.q",
        email="zebulon@quagga.example",
        reason="Because of the quaggas",
    )
    browser.sign_in(person(ada))

    with transaction():
        erasure.erase(ada, by=manager)

    rows = [
        repr(tuple(row)).casefold()
        for table in db.metadata.sorted_tables
        for row in db.session.execute(select(table))
        if not (table.name == "mails" and row.kind == "erased")
    ]
    for word in words:
        assert not [row for row in rows if word.casefold() in row], word
    assert ada.password is None
    assert ada.current_login_ip is None


def test_what_was_mailed_to_the_address_before_it_had_an_account_is_forgotten_too(a_user, manager):
    """Somebody asked for a name that is taken, and then registered under another one."""
    grace = a_user(email="grace@example.org")
    with transaction():
        told = outbox.post(
            messages.username_taken(
                to="ada@example.org", full_name="Ada", language="en", username="grace", link="/"
            )
        )
    ada = a_user(email="ada@example.org")

    with transaction():
        erasure.erase(ada, by=manager)

    assert (told.state, told.recipient, told.body) == (MailState.DROPPED, None, None)
    assert [mail.user_id for mail in outbox.waiting()] == [grace.id]


def test_the_mail_that_says_so_goes_to_the_address_that_was_erased(a_user, manager):
    ada = a_user(confirmed=True, email="ada@example.org")

    with transaction():
        erasure.erase(ada, by=manager)

    waiting = [(mail.kind, mail.recipient) for mail in outbox.waiting()]
    assert waiting == [("erased", "ada@example.org")], "and what waited before is taken back"


def test_an_address_that_nobody_confirmed_gets_no_mail_about_its_erasure(a_user):
    ada = a_user(email="stranger@example.org")

    with transaction():
        erasure.erase(ada, by=None)

    assert outbox.waiting() == []


def test_erasing_again_changes_nothing(a_user, manager):
    ada = a_user(confirmed=True)
    with transaction():
        erasure.erase(ada, by=manager)
    when = ada.erased_at
    with transaction():
        erasure.erase(ada, by=manager)

    assert ada.erased_at == when
    entries = db.session.scalars(select(AuditEntry).filter_by(action=Action.ERASED)).all()
    assert len(entries) == 1


@pytest.mark.both_databases(everyday="postgresql")
def test_what_nobody_confirmed_in_72_hours_is_erased_and_its_names_are_free(a_user):
    ada = a_user(email="ada@example.org", username="ada")
    confirmed = a_user(confirmed=True)

    for hours, status in ((71, Status.UNCONFIRMED), (73, Status.ERASED)):
        with time_machine.travel(clock.now() + timedelta(hours=hours)), transaction():
            erasure.erase_unconfirmed()
        db.session.refresh(ada)
        assert ada.status is status, hours

    assert confirmed.status is Status.PENDING
    assert a_user(email="ADA@example.org", username="ada").id != ada.id


def test_a_fresh_link_gives_them_as_long_again(a_user):
    ada = a_user()
    with time_machine.travel(clock.now() + timedelta(hours=71)), transaction():
        resend_confirmation(ada, by=None)

    with time_machine.travel(clock.now() + timedelta(hours=80)), transaction():
        assert erasure.erase_unconfirmed() == 0
    with time_machine.travel(clock.now() + timedelta(hours=71 + 73)), transaction():
        assert erasure.erase_unconfirmed() == 1


def test_many_are_erased_in_portions_oldest_first(a_user):
    people = [a_user() for _ in range(3)]

    with time_machine.travel(clock.now() + timedelta(hours=73)):
        with transaction():
            assert erasure.erase_unconfirmed(limit=2) == 2
        assert [user.status for user in people] == [
            Status.ERASED,
            Status.ERASED,
            Status.UNCONFIRMED,
        ]
        with transaction():
            assert erasure.erase_unconfirmed(limit=2) == 1


@pytest.mark.settings(PORTAL_REGISTRATION_ERASE_UNCONFIRMED_AFTER_HOURS="24")
def test_how_long_they_have_is_a_setting(a_user):
    a_user()

    with time_machine.travel(clock.now() + timedelta(hours=25)), transaction():
        assert erasure.erase_unconfirmed() == 1


def test_an_erased_persons_letters_are_emptied_too(a_user, manager):
    ada = a_user(confirmed=True)

    with transaction():
        erasure.erase(ada, by=manager)

    theirs = db.session.scalars(select(Mail).where(Mail.user_id == ada.id)).all()
    assert theirs
    assert all(mail.body is None and mail.recipient is None for mail in theirs)
    assert db.session.get(User, ada.id) is not None, "the row stays for the trail"
