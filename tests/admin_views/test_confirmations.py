"""Confirmation in the panel (B3): how each mail fared, by hand, "not me" and what comes of it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine

from portal import clock, links
from portal.accounts import confirmation, denial
from portal.accounts.user import Status, User
from portal.audit import Action
from portal.database import db, transaction
from portal.desk import question
from portal.mail import lease, outbox, silence
from portal.mail.mail import Mail
from tests.admin_views.panel import entries, fail, words
from tests.pages.letters import link_in_last_mail

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
SCANNER = {"User-Agent": "Mozilla/5.0 (compatible; Mimecast URL Protect)"}


def page_of(user: User, step: str = "") -> str:
    return f"/admin/accounts/{user.id}" + (f"/{step}" if step else "")


def now(user: User) -> User:
    db.session.expire_all()
    return db.session.get_one(User, user.id)


def deliver(mail: Mail) -> None:
    taken = lease.take(mail.id)
    assert taken
    lease.mark_delivered(taken)


def deny(user: User) -> None:
    read = links.read_denial(links.confirmation(user).rpartition("/")[2])
    assert read is not None
    with transaction():
        denial.deny(read)


@pytest.fixture
def ada(a_user):
    return a_user(username="ada", email="ada@example.org", full_name="Ada Lovelace")


def test_the_timeline_and_the_list_tell_how_a_mail_fared(
    ada, new_browser, manager, signed_in, browser
):
    """Posted, taken by the server, looked at by a robot and by a person, used."""
    link = link_in_last_mail("ada@example.org", "confirmation")
    mail = outbox.waiting()[0]
    deliver(mail)
    scanner, person_elsewhere = new_browser(), new_browser()
    with time_machine.travel(clock.now() + timedelta(minutes=1)):
        scanner.head(link, headers=SCANNER)
    with time_machine.travel(clock.now() + timedelta(minutes=5)):
        person_elsewhere.get(link, headers=BROWSER)
    with time_machine.travel(clock.now() + timedelta(minutes=6)):
        person_elsewhere.environ_base["HTTP_USER_AGENT"] = BROWSER["User-Agent"]
        person_elsewhere.submit(
            link,
            full_name="Ada Lovelace",
            username="ada",
            reason="",
            password="Quiet-harbour 77",
            password_again="Quiet-harbour 77",
        )

    staff = signed_in(manager)
    for page in (words(staff.get(page_of(ada))), words(staff.get("/admin/mail/?q=ada"))):
        assert "Accepted by the mail server" in page
        assert "Link opened by what looks like a robot" in page
        assert "goes by the name of a scanner" in page
        assert "asked whether the page is there" in page
        assert "Link opened by a person, as it seems" in page
        assert "Link opened on a device that was not here before" in page
        assert "Link or code used" in page


def test_what_failed_says_why_and_what_nobody_opened_says_nothing_of_it(ada, manager, signed_in):
    fail(outbox.waiting()[0])

    page = words(signed_in(manager).get(page_of(ada)))

    assert "refuses this recipient" in page
    assert "opened" not in page
    assert "used" not in page


def test_no_page_of_staff_shows_a_code_a_ticket_or_a_link(ada, manager, signed_in):
    link = link_in_last_mail("ada@example.org", "confirmation")
    mail = outbox.waiting()[0]
    staff = signed_in(manager)

    for path in (page_of(ada), "/admin/mail/", "/admin/audit/", "/admin/"):
        page = staff.get(path).text
        assert link.rpartition("/")[2] not in page
        assert str(mail.ticket) not in page
        assert not re.search(r"(?<![\d#&;-])\d{6}(?![\d])", words(staff.get(path)))


def test_staff_confirm_by_hand_with_a_reason(ada, reviewer, signed_in):
    staff = signed_in(reviewer)
    path = page_of(ada, "confirmation")
    assert path in staff.get(page_of(ada)).text

    without = staff.submit(path, ids=str(ada.id), reason=" ")
    answer = staff.submit(path, ids=str(ada.id), reason="They stood at my desk")

    assert without.status_code == 400
    assert answer.headers["Location"] == page_of(ada)
    assert now(ada).status is Status.PENDING
    assert [entry.by_id for entry in entries(Action.CONFIRMED_BY_HAND)] == [reviewer.id]
    page = words(staff.get(page_of(ada)))
    assert "Address confirmed by hand" in page
    assert "They stood at my desk" in page


def test_who_is_confirmed_cannot_be_confirmed_by_hand(a_user, reviewer, signed_in):
    bob = a_user(confirmed=True)
    staff = signed_in(reviewer)

    assert page_of(bob, "confirmation") not in staff.get(page_of(bob)).text
    page = words(staff.get(page_of(bob, "confirmation")))
    assert "nobody left" in page
    assert "not waiting for a confirmation" in page


def test_of_a_denial_staff_are_told_until_one_of_them_has_seen_it(ada, reviewer, signed_in):
    deny(ada)
    staff = signed_in(reviewer)
    assert "Say that they did not register" in words(staff.get("/admin/"))
    page = words(staff.get(page_of(ada)))
    assert "says that they did not register" in page
    assert "The account is erased" in page
    assert "this was not me" in page

    staff.submit(page_of(ada), to=page_of(ada, "denial"))
    again = staff.submit(page_of(ada), to=page_of(ada, "denial"))

    assert again.status_code == 303
    assert "Say that they did not register" not in words(staff.get("/admin/"))
    assert "says that they did not register" not in words(staff.get(page_of(ada)))


def test_a_manager_lifts_a_silence_by_typing_the_address(manager, signed_in):
    with transaction():
        silence.silence("ada@example.org", "confirmation")
    staff = signed_in(manager)

    wrong = staff.submit("/admin/mail/silence", email="eve@example.org", reason="A guess")
    hasty = staff.submit("/admin/mail/silence", email="ada@example.org")
    answer = staff.submit("/admin/mail/silence", email="ADA@example.org", reason="She called")

    assert wrong.status_code == 400
    assert "Nobody silenced this address" in words(wrong)
    assert hasty.status_code == 400
    assert "Say how you know that the owner asks for it" in words(hasty)
    assert answer.headers["Location"] == "/admin/mail/"
    assert not silence.is_silenced("ada@example.org")
    (entry,) = entries(Action.SILENCE_LIFTED)
    assert (entry.by_id, entry.about_id) == (manager.id, None)
    assert entry.details == {"reason": "She called"}


def test_a_reviewer_lifts_no_silence(reviewer, signed_in):
    assert signed_in(reviewer).get("/admin/mail/silence").status_code == 403


def test_the_pages_of_whom_no_mail_reaches_say_so_and_why(ada, reviewer, manager, signed_in):
    """By hand first, "not me" then: each door to this person, and each mail that did not go."""
    with transaction():
        confirmation.confirm_by_hand(ada, by=reviewer, reason="They called")
    deny(ada)
    with transaction():
        question.ask(now(ada), by=reviewer, question="Who are you?")

    colleague, staff = signed_in(reviewer), signed_in(manager)
    account = words(colleague.get(page_of(ada)))
    review = words(colleague.get(f"/admin/registrations/{ada.id}"))

    for page in (account, review):
        assert "No mail goes to this address" in page
        assert "Not sent: the owner of this address said “this was not me”." in page
        assert "a manager can let the address be mailed again" in page
    lift = staff.get(f"/admin/mail/silence?account={ada.id}").get_data(as_text=True)
    assert 'value="ada@example.org"' in lift
    staff.submit("/admin/mail/silence", email="ada@example.org", reason="She called")
    assert "No mail goes" not in words(staff.get(page_of(ada)))


def test_staff_are_told_before_they_confirm_by_hand_whom_no_mail_reaches(ada, reviewer, signed_in):
    page = f"/admin/accounts/{ada.id}/confirmation"
    before = words(signed_in(reviewer).get(page))
    with transaction():
        silence.silence("ada@example.org", "confirmation")

    after = words(signed_in(reviewer).get(page))

    assert "No mail goes" not in before
    assert "A mail asks the owner" in before
    assert "No mail goes to this address" in after
    assert "A mail asks the owner" not in after
