"""The budget: nobody can be flooded by the portal, and nobody is kept from a way in (M15)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select

from portal import clock
from portal.accounts import confirmation, credentials
from portal.accounts.device import Device
from portal.database import db, transaction
from portal.errors import StepRefused
from portal.jobs import rounds
from portal.mail import budget, listing, messages, outbox
from portal.mail.budget import Spending
from portal.mail.listing import Shelf
from portal.mail.mail import MailState
from tests import plans
from tests.admin_views.panel import words
from tests.people import person

pytestmark = pytest.mark.settings(
    PORTAL_MAIL_MOST_ASKED_A_DAY="3", PORTAL_MAIL_MOST_OF_A_KIND_A_DAY="2"
)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def told_of_a_taken_name(address: str) -> bool:
    """Whether a stranger's registration has mailed this address."""
    with transaction():
        mail = outbox.post(
            messages.username_taken(
                to=address, full_name="Eve", language="en", username="eve", link="/"
            )
        )
    return not mail.is_held_back


def asked_for_a_reset(user) -> bool:
    with transaction():
        before = db.session.scalar(select(func.count(budget.Spending.id)))
        credentials.ask_for_password_reset(db.session.merge(user))
        db.session.flush()
        return db.session.scalar(select(func.count(budget.Spending.id))) > before


@pytest.mark.both_databases(everyday="postgresql")
def test_an_address_gets_so_many_mails_a_day_by_forms_however_it_is_spelled(app: Flask):
    spellings = ["ada@example.org", "ADA@example.org", "ada+news@example.org", "ada@EXAMPLE.org"]
    with time_machine.travel(NOON, tick=False) as now:
        assert [told_of_a_taken_name(each) for each in spellings] == [True] * 3 + [False]
        assert told_of_a_taken_name("grace@example.org")
        now.shift(timedelta(days=1, seconds=1))

        assert told_of_a_taken_name("ada@example.org")


def test_dots_make_another_mailbox_only_where_they_do(app: Flask):
    google = ["a.da@gmail.com", "ad.a@gmail.com", "ada@googlemail.com", "ada+x@gmail.com"]
    assert [told_of_a_taken_name(each) for each in google] == [True] * 3 + [False]

    others = ["a.da@example.org", "ad.a@example.org", "ada@example.org", "a.d.a@example.org"]
    assert all(told_of_a_taken_name(each) for each in others)


def test_strangers_who_use_up_what_may_be_asked_hold_back_no_notice(a_user):
    """A password that was changed is told, whatever was asked for before."""
    ada = a_user(approved=True)
    for _ in range(5):
        told_of_a_taken_name(ada.email)

    with transaction():
        notices = [
            outbox.post(messages.password_changed(ada)),
            outbox.post(messages.address_changed(ada, ada.email)),
            outbox.post(messages.suspended(ada)),
            outbox.post(messages.new_device(ada, Device("", ""), "")),
            outbox.post(messages.way_back(ada, str(ada.email), until=clock.now())),
        ]

    assert not any(mail.is_held_back for mail in notices)


def test_each_kind_of_notice_has_an_end_of_its_own(a_user):
    ada = a_user(approved=True)

    def post(message):
        with transaction():
            return outbox.post(message)

    posted = [post(messages.username_changed(ada, "eve")) for _ in range(3)]
    other = post(messages.password_changed(ada))

    assert [mail.state for mail in posted] == [MailState.WAITING] * 2 + [MailState.DROPPED]
    assert not other.is_held_back


def test_a_link_that_lets_the_owner_in_is_always_in_the_mailbox(a_user):
    """Strangers use up the budget; then one goes out whenever none that works went before."""
    with time_machine.travel(NOON, tick=False) as now:
        ada = a_user(approved=True)  # one mail, to confirm
        asked = [asked_for_a_reset(ada) for _ in range(4)]
        now.shift(timedelta(minutes=29))
        asked.append(asked_for_a_reset(ada))
        now.shift(timedelta(minutes=1, seconds=1))
        asked += [asked_for_a_reset(ada), asked_for_a_reset(ada)]

    assert asked == [True, True, False, False, False, True, False]


def test_staff_see_what_was_held_back_and_why(a_user, manager, browser):
    a_user(approved=True, email="ada@example.org")
    for _ in range(4):
        told_of_a_taken_name("ada@example.org")
    browser.sign_in(person(manager))

    assert "2 mails were held back within a day." in words(browser.get("/admin/"))
    page = words(browser.get("/admin/mail/?tab=held-back"))
    assert page.count("Held back: this address got enough mail of this kind within a day.") == 2
    assert listing.counts()[Shelf.HELD_BACK] == 2


def test_what_was_held_back_is_gone_for_good(app: Flask, manager):
    for _ in range(4):
        told_of_a_taken_name("ada@example.org")
    held = listing.page(Shelf.HELD_BACK).rows[0]

    assert held.body is None
    with pytest.raises(StepRefused, match="enough mail"), transaction():
        outbox.retry(held, by=manager)


def test_staff_who_resend_are_told_that_nothing_left(a_user, reviewer):
    with time_machine.travel(NOON, tick=False) as now:
        ada = a_user()
        for _ in range(3):
            told_of_a_taken_name(ada.email)
        now.shift(timedelta(hours=1))

        with pytest.raises(StepRefused, match="enough mail"), transaction():
            confirmation.resend_confirmation(db.session.merge(ada), by=reviewer)


def test_counting_reads_an_index_and_is_forgotten_after_a_day(app: Flask):
    with time_machine.travel(NOON, tick=False) as now:
        told_of_a_taken_name("ada@example.org")
        with plans.asked() as asked:
            assert budget.has_room("ada@example.org", "password_reset")
        assert not plans.whole_reads(asked, "mail_spendings")
        now.shift(timedelta(days=1))

        rounds.purge()

        assert db.session.scalar(select(func.count(Spending.id))) == 0
