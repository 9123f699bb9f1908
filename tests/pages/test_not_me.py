""" "This was not me" (B3): it ends the mails for good, and touches nobody who confirmed."""

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from portal import clock
from portal.accounts import erasure
from portal.accounts.confirmation import confirm_by_hand, resend_confirmation
from portal.accounts.user import Status, User
from portal.audit import Action, AuditEntry
from portal.database import db, transaction
from portal.errors import StepRefused
from portal.mail import outbox, silence
from portal.mail.silence import SilencedAddress
from portal.notifications import Kind, Notification
from tests.crowd import together
from tests.pages import filled_in
from tests.pages.letters import kinds_to, link_in_last_mail
from tests.people import person

ADDRESS = "ada@example.org"


def register(browser, **changed):
    return browser.submit("/register", **filled_in.registration(**changed))


def the_link(kind="confirmation"):
    return link_in_last_mail(ADDRESS, kind) + "/not-me"


def denials() -> int:
    db.session.rollback()
    return len(db.session.scalars(select(AuditEntry).filter_by(action=Action.NOT_ME)).all())


def open_kinds() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Notification.kind).filter_by(settled_at=None)))


def everybody() -> list[Status]:
    db.session.expire_all()
    return [user.status for user in db.session.scalars(select(User).order_by(User.id))]


def test_the_mail_leads_there_and_the_page_of_its_link_too(browser):
    register(browser)

    page = browser.get(the_link().removesuffix("/not-me")).get_data(as_text=True)

    assert f'href="{the_link()}"' in page
    assert "Was it not you?" in browser.get(the_link()).get_data(as_text=True)


@pytest.mark.both_databases(everyday="sqlite")
def test_looking_changes_nothing_and_the_button_erases_silences_and_tells_staff(browser):
    register(browser)
    link = the_link()
    for _ in range(2):
        assert browser.get(link).status_code == browser.head(link).status_code == 200
    assert everybody() == [Status.UNCONFIRMED]

    answer = browser.submit(link)

    assert answer.status_code == 303
    assert "no more of these mails" in browser.get(link).get_data(as_text=True)
    assert everybody() == [Status.ERASED]
    assert silence.is_silenced(ADDRESS)
    assert denials() == 1
    assert open_kinds() == [Kind.NOT_ME]
    assert kinds_to(ADDRESS) == [], "what waited is not sent, and nothing is said any more"


def test_no_address_is_kept_of_whoever_wants_none_of_this(browser):
    register(browser)
    browser.submit(the_link())

    rows = repr(
        [tuple(r) for t in db.metadata.sorted_tables for r in db.session.execute(select(t))]
    )

    assert ADDRESS not in rows


def test_the_button_again_is_quiet(browser):
    register(browser)
    link = the_link()
    token = browser.token(link)
    browser.post(link, data={"csrf_token": token})

    again = browser.post(link, data={"csrf_token": token})

    assert again.status_code == 303
    assert denials() == 1
    assert open_kinds() == [Kind.NOT_ME]


@pytest.mark.both_databases(everyday="postgresql")
def test_the_button_pressed_by_many_at_once_tells_staff_once(app, browser, new_browser):
    register(browser)
    link = the_link()
    browsers = [new_browser() for _ in range(12)]
    tokens = [each.token(link) for each in browsers]

    def press(each, token):
        return lambda: each.post(link, data={"csrf_token": token}).status_code

    assert set(together(map(press, browsers, tokens))) == {303}
    assert denials() == 1
    assert everybody() == [Status.ERASED]


def test_without_the_forms_token_nothing_happens(browser):
    register(browser)

    assert browser.post(the_link()).status_code == 400
    assert everybody() == [Status.UNCONFIRMED]


@pytest.mark.parametrize("days", [2, 30])
def test_a_link_that_is_too_old_to_confirm_can_still_deny(browser, days):
    register(browser)
    link = the_link()

    with time_machine.travel(clock.now() + timedelta(days=days)):
        with transaction():
            erasure.erase_unconfirmed()
        browser.submit(link)

    assert everybody() == [Status.ERASED]
    assert silence.is_silenced(ADDRESS)


@pytest.mark.parametrize("token", ["nonsense", "%00", "a" * 3000])
def test_an_altered_link_denies_nothing(browser, token):
    register(browser)

    assert browser.get(f"/confirm/{token}/not-me").status_code == 400
    assert db.session.scalars(select(SilencedAddress)).all() == []


def test_an_account_that_its_owner_confirmed_stays_as_it_is(browser):
    """A forwarded or old mail must not be a switch for strangers."""
    register(browser)
    link = the_link()
    browser.submit(link.removesuffix("/not-me"))

    page = browser.get(link).get_data(as_text=True)
    browser.post(link, data={"csrf_token": browser.token("/terms")})

    assert "confirmed already" in page
    assert everybody() == [Status.PENDING]
    assert not silence.is_silenced(ADDRESS)
    assert denials() == 0


def test_an_account_that_staff_confirmed_by_hand_stays_and_staff_are_told(browser, reviewer):
    register(browser)
    link = the_link()
    with transaction():
        user = db.session.scalars(select(User).filter_by(email_canonical=ADDRESS)).one()
        confirm_by_hand(user, by=reviewer, reason="They called")

    browser.submit(link)

    assert user.status is Status.PENDING
    assert set(open_kinds()) == {Kind.NEW_REGISTRATION, Kind.NOT_ME}
    assert silence.is_silenced(ADDRESS)
    browser.post(link, data={"csrf_token": browser.token("/terms")})
    assert denials() == 1


@pytest.mark.settings(PORTAL_LIMITS_ENABLED="false")
def test_afterwards_nothing_that_strangers_type_mails_the_address(browser, new_browser, a_user):
    register(browser)
    browser.submit(the_link())
    mover = new_browser()
    mover.sign_in(person(a_user(approved=True)))

    for form in (
        register(new_browser(), username="other"),
        register(new_browser(), email="ADA@EXAMPLE.ORG", username="another"),
        new_browser().submit("/confirm", email=ADDRESS),
        new_browser().submit("/reset", email=ADDRESS),
        mover.submit("/change-email", email=ADDRESS, current_password="Sturdy-lantern 42"),
    ):
        assert form.status_code == 303

    assert kinds_to(ADDRESS) == []
    assert everybody()[:1] == [Status.ERASED]
    assert len(everybody()) == 2, "no account is made either, and no username taken"


def test_whose_username_is_taken_is_not_told_at_a_silenced_address(browser, a_user):
    a_user(username="ada", email="other@example.org")
    with transaction():
        silence.silence(ADDRESS, "confirmation")

    register(browser)

    assert kinds_to(ADDRESS) == []


def test_staff_cannot_mail_another_link_either(browser, reviewer):
    register(browser)
    with transaction():
        silence.silence(ADDRESS, "confirmation")

    with time_machine.travel(clock.now() + timedelta(hours=1)):
        user = db.session.scalars(select(User).filter_by(email_canonical=ADDRESS)).one()
        with pytest.raises(StepRefused, match="wants no more"), transaction():
            resend_confirmation(user, by=reviewer)


def test_mails_of_a_confirmed_account_go_on(browser, a_user):
    a_user(email=ADDRESS, approved=True)
    with transaction():
        silence.silence(ADDRESS, "confirmation")
    before = len(kinds_to(ADDRESS))

    browser.submit("/reset", email=ADDRESS)

    assert kinds_to(ADDRESS)[before:] == ["password_reset"]
    register(browser, username="other")
    assert len(kinds_to(ADDRESS)) == before + 1, "and strangers cause none"


def test_once_staff_lifted_the_silence_the_address_can_register(browser, manager):
    with transaction():
        silence.silence(ADDRESS, "confirmation")
        silence.lift("Ada@Example.org", by=manager, reason="She called")

    register(browser)

    assert kinds_to(ADDRESS) == ["confirmation"]
    assert outbox.waiting()
