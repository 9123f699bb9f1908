"""The timeline of an account: what happened, what was mailed, asked and answered, in one order."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from portal import clock
from portal.accounts.approval import approve
from portal.accounts.user import User
from portal.database import db, transaction
from portal.desk import question
from tests.admin_views.panel import words
from tests.people import level


@pytest.fixture
def ada(a_user) -> User:
    return a_user(full_name="Ada Lovelace", confirmed=True)


def page_of(user: User) -> str:
    return f"/admin/accounts/{user.id}"


def test_questions_and_answers_stand_in_it_in_full_and_once(ada, reviewer, signed_in):
    start = clock.now()
    with transaction():
        question.ask(ada, by=reviewer, question="Which team?")
    with time_machine.travel(start + timedelta(hours=1)):
        with transaction():
            question.answer(db.session.merge(ada), text="Research, with Charles")
        page = words(signed_in(reviewer).get(page_of(ada)))

    assert f"Asked a question by {reviewer.full_name}" in page
    assert page.index("Research, with Charles") < page.index("Which team?")
    assert page.count("Which team?") == page.count("Research, with Charles") == 1
    assert "Answered the question by Ada Lovelace" in page


def test_it_says_that_a_question_is_open_and_that_one_was_closed(ada, reviewer, signed_in):
    with transaction():
        question.ask(ada, by=reviewer, question="Which team?")
    browser = signed_in(reviewer)
    assert "Which team? Not answered yet." in words(browser.get(page_of(ada)))

    with transaction():
        approve(db.session.merge(ada), by=reviewer, level=level("guest"))

    page = words(browser.get(page_of(ada)))
    assert "Question closed without an answer" in page
    assert "Not answered yet." not in page
