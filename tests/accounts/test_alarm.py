"""Alarm: "this was not me" leads the owner back in, whatever a thief changed, and is no weapon."""

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from portal import clock, links, notifications
from portal.accounts import alarm, credentials
from portal.accounts.alarm import AlarmState
from portal.accounts.erasure import erase
from portal.accounts.user import User
from portal.audit import Action, AuditEntry
from portal.database import db, locked, transaction
from portal.mail.mail import Mail
from portal.notifications import Kind
from tests.people import password_hash

OLD, EVIL = "ada@example.org", "thief@example.net"


@pytest.fixture
def ada(a_user):
    return a_user(approved=True, username="ada", email=OLD)


def notice_to(user, address=OLD):
    """What the link of a notice says that was written now."""
    return token(links.alarm(user, address))


def token(link):
    return link.removesuffix("/not-me").rpartition("/")[2]


def press(link):
    with transaction():
        found = links.read_alarm(link)
        assert found is not None
        locked(User, found.user.id)
        alarm.raise_alarm(found)


def state(link):
    found = links.read_alarm(link)
    return alarm.state_of(found) if found else None


def move(user, email):
    with transaction():
        credentials.change_address(locked(User, user.id), email=email)


def reset_by(address, user):
    """Choose a new password by the link that the way back carries."""
    link = links.password_reset(user, address=address)
    reading = links.read_password_reset(link.rpartition("/")[2])
    with transaction():
        credentials.reset_password(
            locked(User, user.id), password_hash=password_hash(), address=reading.email
        )


def mails(kind):
    return db.session.scalars(select(Mail.recipient).filter_by(kind=kind)).all()


def test_it_shuts_everybody_out_and_mails_the_owner_the_way_back(ada):
    before, mark = ada.fs_uniquifier, notice_to(ada)
    pending = links.change_of_address(ada, EVIL).rpartition("/")[2]

    press(mark)
    press(mark)  # again is quiet

    assert ada.password is None
    assert ada.fs_uniquifier != before
    assert links.read_change_of_address(pending).user is None
    assert mails("way_back") == [OLD]
    assert mails("alarm_elsewhere") == []
    assert notifications.is_open(ada, Kind.ALARM)
    raised = select(AuditEntry).filter_by(action=Action.ALARM_RAISED)
    assert len(db.session.scalars(raised).all()) == 1
    assert state(mark) is AlarmState.DONE


def test_the_old_address_leads_back_in_and_is_the_accounts_again(ada, a_user):
    with time_machine.travel(clock.now(), tick=False) as moment:
        mark = notice_to(ada)
        moment.shift(60)
        move(ada, EVIL)
        squatter = a_user(username="squatter", email=OLD)

        press(mark)
        with transaction():
            credentials.ask_for_password_reset(locked(User, ada.id))

        assert mails("way_back") == [OLD]
        assert mails("alarm_elsewhere") == [EVIL]
        assert EVIL not in mails("password_reset"), "no link to the thief meanwhile"
        reset_by(OLD, ada)

    db.session.expire_all()
    assert ada.email == OLD
    assert ada.password is not None
    assert squatter.email is None
    with transaction():
        credentials.ask_for_password_reset(locked(User, ada.id))
    assert OLD in mails("password_reset")


def test_an_address_that_somebody_proved_meanwhile_is_left_to_them(ada, a_user):
    mark = notice_to(ada)
    move(ada, EVIL)
    bob = a_user(username="bob", email=OLD, confirmed=True)

    press(mark)

    assert mails("way_back") == []
    assert ada.password is None
    assert (bob.email, ada.email) == (OLD, EVIL)


def test_the_notices_that_a_thief_got_are_worthless_after_the_owners_earlier_one(ada):
    with time_machine.travel(clock.now(), tick=False) as moment:
        owners = notice_to(ada)
        moment.shift(60)
        move(ada, EVIL)
        moment.shift(60)
        thiefs = notice_to(ada, EVIL)
        moment.shift(60)

        press(thiefs)
        assert state(owners) is AlarmState.READY, "a later one takes nothing from an earlier one"
        moment.shift(60)
        press(owners)
        reset_by(OLD, ada)

        assert state(thiefs) is AlarmState.DONE
        assert ada.email == OLD
        moment.shift(timedelta(days=5))
        with transaction():
            alarm.purge()
        assert state(thiefs) is AlarmState.DONE


def test_a_notice_works_for_its_days_and_for_an_open_account_only(ada, a_user):
    mark = notice_to(ada)
    with time_machine.travel(clock.now() + timedelta(days=8)):
        assert state(mark) is AlarmState.EXPIRED
        press(mark)
        assert ada.password is not None
    shut = a_user(suspended=True)
    assert state(notice_to(shut, str(shut.email))) is AlarmState.CLOSED
    for wild in ("", "x", mark[:-3], links.password_reset(ada).rpartition("/")[2]):
        assert links.read_alarm(wild) is None


def test_the_addresses_go_with_the_account(a_user):
    ada = a_user(confirmed=True, email=OLD)
    press(notice_to(ada))
    with transaction():
        erase(locked(User, ada.id), by=None)

    assert db.session.scalars(select(alarm.Alarm)).all() == []
