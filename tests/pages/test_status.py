"""The status page: the steps done and missing, a better reason while it is undecided (B1)."""

import re
from datetime import timedelta

import pytest
import time_machine

from portal import clock, links
from portal.accounts.approval import approve, reject
from portal.accounts.user import User
from portal.audit import Action, AuditEntry
from portal.database import db, transaction
from portal.desk import bulk, bulk_asking, bulk_round, question
from portal.desk.bulk import Deed
from portal.desk.question import ask
from portal.pages.applicant import Applicant
from portal.pages.status import milestones
from tests.people import level, person


def states(user):
    return {step.key: step.state for step in milestones(user, Applicant(user).status)}


@pytest.mark.parametrize(
    ("facts", "decided", "access"),
    [
        ({"confirmed": True}, "current", "todo"),
        ({"approved": True}, "done", "done"),
        ({"rejected": "No room", "for_an_hour": True}, "stopped", "todo"),
        ({"rejected": "No room"}, "current", "todo"),
    ],
    ids=["pending", "approved", "rejected", "rejected just now"],
)
def test_the_steps_tell_how_far_one_got(browser, a_user, facts, decided, access):
    user = a_user(**facts)

    assert states(user) == {
        "registered": "done",
        "confirmed": "done",
        "decided": decided,
        "access": access,
    }
    browser.sign_in(person(user))
    assert browser.get("/status").status_code == 200


def test_the_rejected_read_why(browser, a_user):
    browser.sign_in(person(a_user(rejected="We know no Ada <b>here</b>", for_an_hour=True)))

    page = browser.get("/status").get_data(as_text=True)

    assert "We know no Ada &lt;b&gt;here&lt;/b&gt;" in page


def test_an_applicant_may_say_better_why_they_ask(browser, a_user):
    ada = a_user(confirmed=True, reason="Please")
    browser.sign_in(person(ada))

    answer = browser.submit("/status", reason="I teach mathematics.")
    again = browser.submit("/status", reason="I teach mathematics.")

    db.session.refresh(ada)
    assert (answer.status_code, again.status_code) == (303, 303)
    assert ada.reason == "I teach mathematics."
    edited = db.session.query(AuditEntry).filter_by(action=Action.REASON_EDITED).all()
    assert [entry.by_id for entry in edited] == [ada.id], "the same again leaves no second entry"


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_what_is_decided_can_no_longer_be_argued(browser, a_user, reviewer, decision):
    ada = a_user(confirmed=True, reason="Please")
    browser.sign_in(person(ada))
    token = browser.token("/status")
    with transaction():
        if decision == "approve":
            approve(ada, by=reviewer, level=level("standard"))
        else:
            reject(ada, by=reviewer)

    answer = browser.post("/status", data={"csrf_token": token, "reason": "Now then"})

    db.session.refresh(ada)
    assert answer.status_code == 400
    assert ada.reason == "Please"


def test_a_reason_has_an_end(browser, a_user):
    browser.sign_in(person(a_user(confirmed=True)))

    assert browser.submit("/status", reason="x" * 1001).status_code == 400
    assert browser.submit("/status", reason="x" * 1000).status_code == 303


@pytest.mark.both_databases(everyday="sqlite")
def test_an_applicant_answers_the_question_of_the_staff(browser, a_user, reviewer):
    ada = a_user(confirmed=True)
    with transaction():
        ask(ada, by=reviewer, question="Which team do you <b>work</b> with?")
    browser.sign_in(person(ada))
    page = browser.get("/status").text
    assert "Which team do you &lt;b&gt;work&lt;/b&gt; with?" in page

    answer = browser.submit("/status", to="/status/answer", answer="Research")

    assert (answer.status_code, answer.location) == (303, "/status")
    asked = question.latest(db.session.get_one(User, ada.id))
    assert asked.answer == "Research"
    assert "/status/answer" not in browser.get("/status").text


@pytest.mark.parametrize("said", ["", "  ", "x" * 2001])
def test_an_answer_that_cannot_be_taken_stays_typed(browser, a_user, reviewer, said):
    ada = a_user(confirmed=True)
    with transaction():
        ask(ada, by=reviewer, question="Which team?")
    browser.sign_in(person(ada))

    answer = browser.submit("/status", to="/status/answer", answer=said)

    assert answer.status_code == 400
    assert said.strip() in answer.text
    assert question.latest(db.session.get_one(User, ada.id)).answered_at is None


def test_an_answer_to_nothing_is_refused_in_words(browser, a_user):
    browser.sign_in(person(a_user(confirmed=True)))

    answer = browser.submit("/status", to="/status/answer", answer="Hello?")

    assert answer.status_code == 400
    assert "There is no question to answer." in answer.text


@pytest.mark.both_databases(everyday="postgresql")
@pytest.mark.parametrize("by_link", [False, True], ids=["signed in", "by link"])
def test_a_rejection_is_not_shown_before_its_mail_may_leave(browser, a_user, reviewer, by_link):
    """Or undoing would take back what they have read. A bulk holds it for longer."""
    ada = a_user(confirmed=True, reason="Please")
    page = links.status(ada).partition("8000")[2] if by_link else "/status"
    if not by_link:
        browser.sign_in(person(ada))
    undecided = content(browser.get(page))
    with transaction():
        bulk_asking.ask(Deed.REJECTION, [ada.id], by=reviewer, reason="We know no Ada")
    bulk_round.work(at_once=1)
    with time_machine.travel(clock.now() + 2 * bulk.grace(), tick=False) as moment:
        waits = content(browser.get(page))
        refused = browser.submit(page, reason="I teach.")
        while bulk_round.work():
            pass
        moment.shift(bulk.grace() - timedelta(seconds=1))
        in_grace = content(browser.get(page))
        moment.shift(timedelta(seconds=2))
        told = content(browser.get(page))

    assert waits == in_grace == undecided
    assert refused.status_code == 400
    assert "Try again in a few minutes" in refused.text
    assert "I teach." in refused.text, "nothing typed is lost"
    assert "rejected" not in refused.text
    assert "We know no Ada" in told


def test_an_open_question_does_not_tell_that_it_was_decided_without_it(browser, a_user, reviewer):
    ada = a_user(confirmed=True)
    link = links.status(ada).partition("8000")[2]
    with transaction():
        question.ask(ada, by=reviewer, question="Which team?")
    with transaction():
        approve(ada, by=reviewer, level=level("standard"))

    page = browser.get(link)
    answer = browser.submit(link, to=f"{link}/answer", answer="Research")

    assert "Which team?" in page.text
    assert "approved" not in page.text
    assert answer.status_code == 400
    assert "Try again in a few minutes" in answer.text


def content(answer) -> str:
    """The page without what is new in each."""
    text = answer.text.partition("<main")[2].partition("</main>")[0]
    return re.sub(r'name="csrf_token"[^>]*>', "", text)
