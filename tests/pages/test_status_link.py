"""The link to the status page: it shows, answers and explains, and can do no more (B1)."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from portal import clock, links
from portal.accounts import credentials
from portal.accounts.approval import approve, edit_reason, reject
from portal.accounts.confirmation import note_confirmed
from portal.accounts.erasure import erase
from portal.accounts.suspension import suspend
from portal.accounts.user import User
from portal.database import db, transaction
from portal.desk import question
from portal.desk.undo import undo
from portal.mail.mail import Mail
from portal.mail.opening import MailOpening
from tests.pages import filled_in
from tests.pages.letters import texts_to
from tests.people import PASSWORD, level, person
from tests.security.walk import everything_kept


def link_of(user: User) -> str:
    """The path of a link to this person's status page."""
    return links.status(user).partition("8000")[2]


def now(user: User) -> User:
    db.session.expire_all()
    return db.session.get_one(User, user.id)


def main_of(answer) -> str:
    return answer.text.partition("<main")[2].partition("</main>")[0]


def refuses(answer) -> bool:
    return answer.status_code == 400 and "This link does not work" in answer.text


@pytest.mark.both_databases(everyday="sqlite")
def test_the_link_shows_how_far_one_is_without_signing_in(browser, a_user):
    ada = a_user(confirmed=True, reason="I teach.", full_name="Ada Lovelace")

    page = browser.get(link_of(ada))

    assert page.status_code == 200
    assert "Your registration is being reviewed" in page.text
    assert "I teach." in page.text
    assert "Sign out" not in page.text
    assert browser.get("/status").status_code == 302, "it signs nobody in"


def test_every_mail_to_an_applicant_brings_one(browser, app):
    browser.submit("/register", **filled_in.registration())
    ada = db.session.scalars(select(User)).one()
    with transaction():
        note_confirmed(ada)
        question.ask(ada, by=None, question="Which team?")
        question.answer(ada, text="Research")
        approve(ada, by=None, level=level("standard"))
        undo(ada, by=None)
        reject(ada, by=None, reason="No room")

    for kind in ("confirmation", "waiting", "question", "rejected"):
        mail = db.session.scalars(select(Mail).where(Mail.kind == kind)).one()
        assert mail.ticket, kind
    # The welcome was taken back; its letter stands in tests/mail/letters/.
    written = texts_to("ada@example.org")
    assert written.count("/status/") >= 2 * 4
    assert "http://127.0.0.1:8000/status\n" not in written


def test_looking_changes_nothing_but_that_the_mail_was_looked_at(browser, a_user):
    ada = a_user(confirmed=True)
    mail = db.session.scalars(select(Mail).where(Mail.kind == "waiting")).one()
    link = links.status(ada, ticket=mail.ticket or "").partition("8000")[2]
    before = everything_kept()

    for path in (link, f"{link}/withdrawal", f"{link}/address"):
        assert browser.get(path).status_code == 200
        assert browser.head(path).status_code == 200

    after = everything_kept()
    assert {name for name in before if before[name] != after[name]} == {"mail_openings"}
    assert db.session.scalar(select(func.count(MailOpening.id))) == 6


def test_the_link_takes_an_answer_and_a_better_reason(browser, a_user, reviewer):
    ada = a_user(confirmed=True)
    with transaction():
        question.ask(ada, by=reviewer, question="Which <b>team</b>?")
    link = link_of(ada)
    assert "Which &lt;b&gt;team&lt;/b&gt;?" in browser.get(link).text

    answered = browser.submit(link, to=f"{link}/answer", answer="Research")
    explained = browser.submit(link, reason="I teach.")

    assert (answered.status_code, answered.location) == (303, link)
    assert (explained.status_code, explained.location) == (303, link)
    assert now(ada).reason == "I teach."
    assert question.latest(ada).answer == "Research"
    page = browser.get(link).text
    assert "You answered" in page
    assert "Research" in page


def test_whoever_has_the_link_keeps_its_owner_out_of_nothing(browser, new_browser, a_user):
    """Also when they have long been approved: mails stay with whom they were forwarded to."""
    ada = a_user(approved=True, for_an_hour=True)
    link, stranger = link_of(ada), new_browser()
    data = {"csrf_token": stranger.token("/register"), "code": "000000"}
    tries = [stranger.post(f"{link}/withdrawal", data=data).status_code for _ in range(11)]
    browser.sign_in(person(ada))

    changed = browser.submit(
        "/change",
        current_password=PASSWORD,
        password="Sturdier-lantern 43",
        password_again="Sturdier-lantern 43",
    )

    assert tries == [200] * 10 + [429]
    assert changed.status_code in (302, 303)


def test_looks_are_limited_too(browser, a_user):
    link = link_of(a_user(confirmed=True))
    at = {"REMOTE_ADDR": "203.0.113.9"}

    answers = [browser.get(link, environ_base=at).status_code for _ in range(61)]

    assert answers == [200] * 60 + [429]
    assert browser.get(link, environ_base={"REMOTE_ADDR": "198.51.100.7"}).status_code == 200


@pytest.mark.parametrize("path", ["", "/answer", "/code", "/address", "/withdrawal"])
def test_a_link_that_says_nothing_says_so_and_leads_on(browser, a_user, path):
    ada = a_user(confirmed=True, full_name="Ada Lovelace", email="ada@example.org")
    other = links.confirmation(ada).rpartition("/")[2]
    token = browser.token("/register")

    for nonsense in ("nonsense", link_of(ada)[:-3].rpartition("/")[2], other):
        answer = browser.post(f"/status/{nonsense}{path}", data={"csrf_token": token})
        assert refuses(answer), nonsense
        assert "/login" in answer.text
        assert "Ada" not in answer.text
        assert "ada@example.org" not in answer.text


def erased(user):
    with transaction():
        erase(now(user), by=None)


def moved(user):
    with transaction():
        credentials.change_address(now(user), email="new@example.org")


def reset(user):
    with transaction():
        credentials.reset_password(now(user), password_hash="x")


def suspended(user):
    with transaction():
        approve(user, by=None, level=level("standard"))
        suspend(user, by=None)


@pytest.mark.both_databases(everyday="sqlite")
@pytest.mark.parametrize("end", [erased, moved, reset, suspended])
def test_the_link_dies_and_then_says_nothing_of_anybody(browser, a_user, end):
    ada = a_user(confirmed=True, full_name="Ada Lovelace")
    link, nobodys = link_of(ada), "/status/nonsense"
    assert browser.get(link).status_code == 200

    end(ada)

    assert main_of(browser.get(link)) == main_of(browser.get(nobodys))
    assert refuses(browser.get(link))


def test_it_outlives_a_decision_that_was_undone(browser, a_user, reviewer):
    ada = a_user(confirmed=True)
    link = link_of(ada)
    with transaction():
        approve(now(ada), by=reviewer, level=level("standard"))
    with transaction():
        undo(now(ada), by=reviewer)

    assert "Your registration is being reviewed" in browser.get(link).text


def test_the_link_of_who_was_approved_leads_to_the_sign_in(browser, a_user):
    ada = a_user(approved=True, full_name="Ada Lovelace", reason="I teach.", for_an_hour=True)

    page = browser.get(link_of(ada))

    assert page.status_code == 200
    assert "Your registration is approved." in page.text
    assert "/login" in page.text
    assert "Ada" not in page.text
    assert "I teach." not in page.text
    assert "csrf_token" not in main_of(page)


def test_the_rejected_read_why_for_a_month(browser, a_user):
    ada = a_user(rejected="We know no Ada <b>here</b>", for_an_hour=True)
    link = link_of(ada)

    soon = browser.get(link)
    with time_machine.travel(clock.now() + timedelta(days=30)):
        late = browser.get(link)

    assert "We know no Ada &lt;b&gt;here&lt;/b&gt;" in soon.text
    assert late.status_code == 400
    assert "This link is too old" in late.text
    assert "We know no Ada" not in late.text


def test_somebody_else_who_is_signed_in_is_shown_nothing(browser, a_user):
    ada = a_user(confirmed=True, full_name="Ada Lovelace", reason="I teach.")
    browser.sign_in(person(a_user(approved=True)))

    page = browser.get(link_of(ada))

    assert page.status_code == 400
    assert "This link belongs to another account" in page.text
    assert "I teach." not in page.text


def test_before_the_confirmation_it_says_what_is_missing_and_confirms_nothing(browser, a_user):
    ada = a_user(reason="I teach.")

    page = browser.get(link_of(ada))

    assert "One step is missing" in page.text
    assert now(ada).confirmed_at is None


def test_a_page_that_stood_open_takes_no_step_after_the_link_died(browser, a_user):
    ada = a_user(confirmed=True, reason="Please")
    link = link_of(ada)
    token = browser.token(link)
    moved(ada)

    answer = browser.post(link, data={"csrf_token": token, "reason": "Now then"})

    assert refuses(answer)
    assert now(ada).reason == "Please"


def test_the_reason_of_a_decided_registration_stays(browser, a_user):
    ada = a_user(confirmed=True, reason="Please")
    link = link_of(ada)
    token = browser.token(link)
    with transaction():
        edit_reason(ada, reason="I teach.")
        reject(ada, by=None)

    answer = browser.post(link, data={"csrf_token": token, "reason": "Now then"})

    assert answer.status_code == 400
    assert now(ada).reason == "I teach."
