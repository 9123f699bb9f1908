"""The mail that tells reviewers who waits (M10): at most one each in ten minutes, with how many."""

from datetime import timedelta

import pytest
import time_machine

from portal import clock
from portal.accounts.approval import approve
from portal.accounts.review_notice import tell_reviewers
from portal.database import transaction
from portal.desk.question import ask
from portal.mail import outbox
from portal.mail.sealing import unseal
from tests.people import level


def tell(after: timedelta = timedelta(0)) -> int:
    with time_machine.travel(clock.now() + after), transaction():
        return tell_reviewers()


def notices() -> list[tuple[str | None, str]]:
    return [
        (mail.recipient, unseal(mail.body).text)
        for mail in outbox.waiting()
        if mail.kind == "registrations_waiting"
    ]


@pytest.mark.both_databases
def test_everybody_who_may_review_is_told_how_many_wait(a_user, people):
    staff = [people.staff(role) for role in ("reviewer", "manager", "administrator")]
    for _ in range(3):
        a_user(confirmed=True)
    a_user()
    a_user(approved=True)

    assert tell() == 3

    assert sorted(to for to, _ in notices()) == sorted(member.email for member in staff)
    assert all("3" in text for _, text in notices())
    assert all("/admin/registrations/" in text for _, text in notices())


def test_nobody_is_told_when_nobody_waits(a_user, reviewer):
    a_user()
    a_user(approved=True)

    assert tell() == 0


def test_nobody_is_told_twice_of_the_same_people(a_user, reviewer):
    a_user(confirmed=True)

    assert [tell(), tell(timedelta(minutes=11)), tell(timedelta(days=1))] == [1, 0, 0]


def test_who_came_within_ten_minutes_is_in_the_next_mail(a_user, reviewer):
    a_user(confirmed=True)
    assert tell() == 1
    with time_machine.travel(clock.now() + timedelta(minutes=2)):
        a_user(confirmed=True)

    assert tell(timedelta(minutes=3)) == 0
    assert tell(timedelta(minutes=11)) == 1
    assert "2" in notices()[-1][1]


def test_who_is_suspended_or_may_not_review_is_not_told(a_user, people, administrator):
    from portal.accounts.suspension import suspend

    gone = people.staff("reviewer")
    with transaction():
        suspend(gone, by=administrator)
    a_user(confirmed=True)

    tell()

    assert [to for to, _ in notices()] == [administrator.email]


def test_a_decision_before_the_mail_leaves_nobody_to_tell_of(a_user, reviewer):
    ada = a_user(confirmed=True)
    with transaction():
        approve(ada, by=reviewer, level=level("standard"))

    assert tell() == 0


def test_whose_answer_is_awaited_is_not_counted_among_those_who_wait(a_user, people):
    asked, _other = a_user(confirmed=True), a_user(confirmed=True)
    with transaction():
        ask(asked, by=people.staff("reviewer"), question="Which team?")

    tell()

    texts = [text for _, text in notices()]
    assert texts
    assert all("1 person at Portal has confirmed" in text for text in texts)


def test_nobody_is_told_while_it_is_the_applicants_turn(a_user, people):
    asked = a_user(confirmed=True)
    with transaction():
        ask(asked, by=people.staff("reviewer"), question="Which team?")

    assert tell() == 0
