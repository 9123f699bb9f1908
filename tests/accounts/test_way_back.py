"""The way back: what was added since to sign in with is gone, and what the owner had stays."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from portal import clock, links
from portal.accounts import alarm, credentials
from portal.accounts.alarm import Alarm
from portal.accounts.factors import authenticator, ceremony, passkey, recovery, standing
from portal.accounts.factors.standing import Missing
from portal.accounts.user import User
from portal.audit import Action, Way
from portal.database import db, locked, transaction
from portal.mail.mail import Mail
from portal.mail.sealing import unseal
from tests.accounts.test_alarm import notice_to, press, token
from tests.admin_views.panel import entries
from tests.people import password_hash
from tests.phone import Phone, set_up
from tests.security_key import SecurityKey

pytestmark = pytest.mark.settings(PORTAL_PUBLIC_URL="http://localhost:8000")

SAID = "nothing stays that was added since then"


@pytest.fixture
def ada(a_user):
    return a_user(approved=True, username="ada", email="ada@example.org")


def now(user: User) -> User:
    found = locked(User, user.id)
    assert found is not None
    return found


def add_passkey(user: User, name: str) -> SecurityKey:
    key = SecurityKey()
    with transaction():
        answer = key.make(ceremony.options_to_add(now(user)))
        ceremony.add(now(user), answer=answer, name=name)
    return key


def add_app(user: User) -> None:
    with transaction():
        offer = authenticator.offer(now(user))
        typed = Phone(offer.secret).shows()
        authenticator.add(now(user), sealed=offer.sealed, typed=typed)


def make_codes(user: User) -> None:
    with transaction():
        recovery.make(now(user))
        recovery.keep(now(user))


def come_back(user: User) -> None:
    """Choose a new password by a link that was mailed."""
    with transaction():
        credentials.reset_password(now(user), password_hash=password_hash())


def newest(kind: str) -> str:
    """The text of the last mail of a kind."""
    mails = db.session.scalars(select(Mail).filter_by(kind=kind).order_by(Mail.id)).all()
    return unseal(mails[-1].body).text


def removed() -> list[str]:
    """The kinds of factors that were removed, as the trail has them."""
    return sorted(str(entry.details["kind"]) for entry in entries(Action.FACTOR_REMOVED))


@pytest.mark.both_databases(everyday="postgresql")
def test_what_was_added_since_the_notice_goes_and_what_is_older_stays(ada):
    with time_machine.travel(clock.now(), tick=False) as moment:
        add_passkey(ada, "Mine")
        set_up(ada)
        moment.shift(60)
        mark = notice_to(ada)
        moment.shift(60)
        add_passkey(ada, "Not mine")
        add_app(ada)  # in place of the owner's
        make_codes(ada)
        moment.shift(60)

        press(mark)
        moment.shift(60)
        come_back(ada)

    assert [each.name for each in passkey.of(ada)] == ["Mine"]
    assert authenticator.of(ada) is None
    assert recovery.left(ada) == 0
    assert standing.has_factor(ada)
    assert standing.missing(ada) is Missing.RECOVERY_CODES, "and makes new ones"
    assert removed() == ["app", "passkey", "recovery codes"]
    assert entries(Action.FACTOR_REMOVED)[0].details["how"] == [Way.LINK]
    text = newest("password_changed")
    assert SAID in text
    for part in ("authenticator app was removed", "1 passkey was", "recovery codes were"):
        assert part in text


@pytest.mark.parametrize(
    ("add", "kind", "mail"),
    [
        (lambda ada: add_passkey(ada, "Not mine"), "passkey", "factor_added"),
        (add_app, "app", "factor_added"),
        (make_codes, "recovery codes", "recovery_codes_replaced"),
    ],
    ids=["passkey", "app", "codes"],
)
def test_what_a_notice_tells_of_is_not_older_than_the_notice(ada, add, kind, mail):
    with time_machine.travel(clock.now()) as moment:
        if kind == "recovery codes":
            set_up(ada)
        moment.shift(60)
        add(ada)
        link = re.search(r"http://\S+/not-me", newest(mail))
        assert link is not None

        press(token(link[0]))
        come_back(ada)

    assert removed() == [kind]
    if kind == "recovery codes":
        assert authenticator.of(ada) is not None
    else:
        assert not standing.has_factor(ada)


@pytest.mark.settings(PORTAL_SECOND_FACTOR_REQUIRED_OF="staff")
def test_whose_app_was_replaced_is_not_locked_out_but_led_through_the_set_up(reviewer):
    with time_machine.travel(clock.now(), tick=False) as moment:
        set_up(reviewer)
        moment.shift(60)
        mark = notice_to(reviewer, str(reviewer.email))
        moment.shift(60)
        add_app(reviewer)

        press(mark)
        come_back(reviewer)

    assert not standing.has_factor(reviewer), "so that the new password leads to the set-up"
    assert standing.missing(reviewer) is Missing.FACTOR
    assert recovery.left(reviewer) == 0, "codes stand in for a factor, and there is none"


def test_of_several_notices_that_were_used_the_earliest_counts(ada):
    with time_machine.travel(clock.now(), tick=False) as moment:
        early = notice_to(ada)
        moment.shift(60)
        add_passkey(ada, "Not mine")
        moment.shift(60)
        late = notice_to(ada)
        moment.shift(60)

        press(late)
        press(early)
        come_back(ada)

    assert passkey.of(ada) == []


def test_a_reset_without_an_alarm_or_after_a_settled_one_takes_nothing_away(ada):
    with time_machine.travel(clock.now(), tick=False) as moment:
        add_passkey(ada, "Mine")
        come_back(ada)
        assert SAID not in newest("password_changed")
        mark = notice_to(ada)
        press(mark)
        moment.shift(60)
        come_back(ada)
        add_passkey(ada, "Also mine")
        moment.shift(60)
        come_back(ada)

    assert [each.name for each in passkey.of(ada)] == ["Also mine"]
    assert removed() == ["passkey"], "the first one was as old as the notice"


def test_who_comes_back_late_finds_nothing_of_a_thiefs_either(ada):
    with time_machine.travel(clock.now(), tick=False) as moment:
        mark = notice_to(ada)
        moment.shift(60)
        add_passkey(ada, "Not mine")
        press(mark)
        moment.shift(timedelta(days=30))
        with transaction():
            alarm.purge()
        (kept,) = db.session.scalars(select(Alarm)).all()
        assert kept.address == "", "only the moment is kept for so long"

        come_back(ada)
        assert passkey.of(ada) == []
        with transaction():
            alarm.purge()

    assert db.session.scalars(select(Alarm)).all() == []


def test_the_link_of_the_way_back_says_how_long_it_is_good_for_whoever_stays_away(ada):
    with time_machine.travel(clock.now(), tick=False) as moment:
        press(notice_to(ada))
        moment.shift(timedelta(days=30))
        with transaction():
            alarm.purge()
            credentials.ask_for_password_reset(now(ada))

    link = re.search(r"http://\S+/reset/\S+", newest("password_reset"))
    assert link is not None
    assert links.read_password_reset(link[0].rpartition("/")[2]).user == ada
