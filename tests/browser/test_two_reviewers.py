"""Two members of staff, each in a real browser, work through one queue at the same time."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from flask import Flask
from playwright.sync_api import Error, Locator, sync_playwright
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from portal.accounts.user import Status, User
from portal.audit import Action, AuditEntry
from portal.database import db, transaction
from portal.desk import question
from portal.desk.decision import Decision, Verdict
from portal.desk.question import Question
from portal.mail.mail import Mail
from tests import needs
from tests.browser.conftest import FLAGS, Window
from tests.jobs.process import until
from tests.people import People

# What the reasons of the registrations tell a reviewer to do.
GUEST, EXTENDED, REJECT, SPAM, ASK = (
    "Let me in as guest.",
    "Let me in as extended.",
    "Send me away with words.",
    "Buy cheap pills.",
    "Ask me first.",
)
WANTED = {
    GUEST: (Verdict.APPROVED, "guest", "welcome"),
    EXTENDED: (Verdict.APPROVED, "extended", "welcome"),
    REJECT: (Verdict.REJECTED, None, "rejected"),
    SPAM: (Verdict.REJECTED, None, None),
    ASK: (Verdict.APPROVED, "guest", "welcome"),  # once they have answered
}
ANSWER = "Now you know."
UNDO_EVERY = 4
REGISTRATION = re.compile(r"/admin/registrations/[0-9]+($|[?])")


@dataclass
class Reviewer:
    """One member of staff with a browser of their own, and what they saw."""

    user: str
    site: str
    served: Flask
    stop: threading.Event
    together: threading.Barrier  # until both are signed in, neither begins
    decided: int = 0
    undone: int = 0
    rests: bool = False  # there was nothing to decide when it last looked
    too_late: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def work(self) -> None:
        """Decide what the queue brings, one registration after the other, until it is empty."""
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=needs.chromium(), args=FLAGS)
                page = browser.new_context(locale="en-GB").new_page()
                page.set_default_timeout(30_000)
                self._work(Window(page, self.site, self.served))
                browser.close()
        except (Error, AssertionError, threading.BrokenBarrierError) as problem:
            self.problems.append(f"{self.user}: {problem}")
            self.stop.set()
            self.together.abort()

    def _work(self, window: Window) -> None:
        window.sign_in_as(self.user)
        self.together.wait(60)
        while not self.stop.is_set():
            if not REGISTRATION.search(window.page.url):
                window.open("/admin/registrations/")
                waiting = window.page.locator("tbody input[name=ids]")
                self.rests = waiting.count() == 0
                if self.rests:
                    continue  # there are answers still to come
                window.open(f"/admin/registrations/{waiting.first.get_attribute('value')}")
            self._decide(window)
            self.problems += window.complaints
            window.complaints.clear()

    def _decide(self, window: Window) -> None:
        main = window.page.locator("main")
        words = main.inner_text()
        wish = next(wish for wish in WANTED if wish in words)
        if main.locator("select[name=level]").count() == 0:  # a colleague was quicker
            window.open("/admin/registrations/")
            return
        if wish == ASK and ANSWER not in words:
            main.locator("#ask summary").click()
            main.locator("#ask textarea[name=question]").fill("What for?")
            sent = self._send(window, main.get_by_role("button", name="Send the question"))
        elif wish in (REJECT, SPAM):
            main.locator("#reject summary").click()
            main.locator("#reject textarea[name=reason]").fill("Please ask your own office.")
            main.locator("#reject input[name=quiet]").set_checked(wish == SPAM)
            sent = self._send(window, main.get_by_role("button", name="Reject the registration"))
        else:
            main.locator("select[name=level]").select_option(label=WANTED[wish][1])
            sent = self._send(window, main.get_by_role("button", name="Approve", exact=True))
        if sent:
            self._think_better_of_it(window)

    def _send(self, window: Window, button: Locator) -> bool:
        """Press it; whether it was in time. A refusal has to name who was quicker."""
        with window.page.expect_navigation() as answer:
            button.click()
        if answer.value.status == 409:
            self.too_late.append(window.page.locator("main").inner_text())
            window.open("/admin/registrations/")
            return False
        assert answer.value.status == 200, window.page.locator("main").inner_text()
        self.decided += 1
        return True

    def _think_better_of_it(self, window: Window) -> None:
        """Undo a decision now and then, as long as that is offered; it comes up again."""
        undo = window.page.get_by_role("main").get_by_role("button", name=re.compile("^Undo"))
        if self.decided % UNDO_EVERY == 0 and undo.count():
            with window.page.expect_navigation():
                undo.first.click()
            self.undone += 1


@pytest.mark.timeout(900)
@pytest.mark.long
@pytest.mark.parametrize("size", [12, 100])
def test_two_reviewers_work_one_queue_and_no_decision_is_wrong_or_lost(
    size: int, app: Flask, address: str, people: People
) -> None:
    wishes = dict(zip(people.crowd(size), itertools.cycle(WANTED), strict=False))
    with transaction():
        for user in db.session.scalars(select(User).where(User.id.in_(wishes))):
            user.reason = wishes[user.id]
    stop, together = threading.Event(), threading.Barrier(2)
    reviewers = [
        Reviewer(str(people.staff("manager").username), address, app, stop, together)
        for _ in range(2)
    ]
    threads = [threading.Thread(target=reviewer.work) for reviewer in reviewers]
    for thread in threads:
        thread.start()

    try:
        until(
            lambda: (
                stop.is_set()
                or (_all_is_decided(list(wishes)) and all(one.rests for one in reviewers))
            ),
            within=600,
        )
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert [problem for reviewer in reviewers for problem in reviewer.problems] == []
    db.session.expire_all()
    for user_id, wish in wishes.items():
        verdict, level, letter = WANTED[wish]
        (standing,) = _standing(user_id)
        assert (standing.verdict, standing.level and standing.level.name) == (verdict, level), wish
        assert _letters(user_id) == [letter] * bool(letter), wish
    asked = sum(wish == ASK for wish in wishes.values())
    undone = sum(reviewer.undone for reviewer in reviewers)
    assert sum(reviewer.decided for reviewer in reviewers) == size + asked + undone
    assert _trail(Action.APPROVED, Action.REJECTED) == size + undone
    assert _trail(Action.DECISION_UNDONE) == undone
    assert all(reviewer.decided for reviewer in reviewers)
    for sentence in (each for reviewer in reviewers for each in reviewer.too_late):
        assert re.search("Manager [0-9]+|Person changed this.*: Answered the question", sentence), (
            sentence
        )


def _all_is_decided(ids: list[int]) -> bool:
    """Whether nobody waits any more; meanwhile everybody who was asked something answers."""
    db.session.rollback()
    db.session.expire_all()
    with transaction():
        for each in db.session.scalars(select(Question).where(Question.is_open())):
            question.answer(db.session.get_one(User, each.user_id), text=ANSWER)
    undecided = select(User.id).where(User.id.in_(ids), User.status == Status.PENDING)
    return db.session.scalars(undecided.limit(1)).first() is None


def _standing(user_id: int) -> Sequence[Decision]:
    query = select(Decision).where(Decision.user_id == user_id, Decision.undone_at.is_(None))
    return db.session.scalars(query.options(joinedload(Decision.level))).all()


def _letters(user_id: int) -> list[str]:
    """The mails about a decision that were not taken back."""
    query = select(Mail.kind).where(Mail.user_id == user_id, Mail.dropped_at.is_(None))
    return list(db.session.scalars(query.where(Mail.kind.in_(("welcome", "rejected")))))


def _trail(*actions: Action) -> int:
    query = select(func.count()).select_from(AuditEntry).where(AuditEntry.action.in_(actions))
    return db.session.scalar(query) or 0
