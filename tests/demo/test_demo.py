"""The demo: everybody is there, made by the portal's own steps, and the printed password works."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal import clock, demo
from portal.accounts import directory
from portal.accounts.user import Status, User
from portal.agents.catalogue import Agent
from portal.audit import Action, AuditEntry
from portal.database import db
from portal.demo import DemoResult, NotEmpty, cast
from portal.demo.story import Story
from portal.desk import bulk, marks, queue
from portal.desk.decision import Decision
from portal.desk.marks import Mark
from portal.desk.queue import Filters, Tab
from portal.mail import outbox
from portal.mail.mail import Mail, MailState
from portal.mail.sealing import unseal
from portal.security.limits import limiter
from tests.conftest import Browser, a_site, make_settings, migrate
from tests.people import Person


@dataclass(frozen=True)
class Made:
    """A site with the demo in it, what was said of it, and how far it said it was."""

    site: Flask
    result: DemoResult
    heard: list[tuple[int, int]]


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The demo takes seconds to make, and these tests only look at it."""
    wanted = make_settings(tmp_path_factory.mktemp("demo"))
    migrate(wanted)
    site = a_site(wanted)
    heard: list[tuple[int, int]] = []
    result = demo.seed(site, lambda done, of: heard.append((done, of)))
    return Made(site, result, heard)


@pytest.fixture
def made(made_once: Made) -> Iterator[Made]:
    """The demo, with an app context open."""
    with made_once.site.app_context():
        limiter.reset()
        yield made_once
        db.session.remove()
        db.engine.dispose()


def test_the_demo_has_people_in_every_status_and_every_shipped_language(made: Made) -> None:
    counts = directory.counts_by_status()

    assert set(counts) == set(Status)
    assert all(counts.values()), counts
    assert sum(counts.values()) == made.result.people == 62
    assert set(db.session.scalars(select(User.language))) == {"en", "de", "es", "ar"}


def test_the_demo_spreads_registrations_over_the_month_and_has_some_today(
    made: Made,
) -> None:
    per_day = [count for _, count in directory.registrations_per_day(31)]

    assert sum(per_day) >= 55
    assert sum(1 for count in per_day if count) >= 12
    assert max(per_day) <= 12


def test_everything_in_the_demo_happened_in_the_past_and_in_order(made: Made) -> None:
    now = clock.now()

    for user in db.session.scalars(select(User)).unique():
        facts = [user.registered_at, user.confirmed_at, user.approved_at, user.current_login_at]
        moments = [moment for moment in facts if moment is not None]
        assert moments == sorted(moments), user
        assert all(moment < now for moment in moments), user
    newest = db.session.scalar(select(func.max(AuditEntry.at)))
    assert newest is not None
    assert newest < now


def test_the_demo_left_a_trail_of_nearly_everything_that_can_be_done(made: Made) -> None:
    seen = set(db.session.scalars(select(AuditEntry.action).distinct()))

    assert {
        Action.REGISTERED_AGAIN,
        Action.CONFIRMATION_RESENT,
        Action.REOPENED,
        Action.DECISION_UNDONE,
        Action.ASKED,
        Action.ANSWERED,
        Action.NOTED,
        Action.ACCESS_CHANGED,
        Action.ROLES_CHANGED,
        Action.SUSPENDED,
        Action.REINSTATED,
        Action.ERASED,
        Action.STAFF_JOINED,
        Action.AGENT_EDITED,
    } <= seen


def test_the_demo_has_on_its_desk_what_reviewers_meet(made: Made) -> None:
    waiting = queue.page(Tab.READY, Filters(), per_page=50).rows
    found = marks.marks_of([user.id for user in waiting])

    assert len(waiting) >= 10
    assert {user.review.wished_level.name for user in waiting if user.review.wished_level} == {
        "standard",
        "extended",
    }
    assert {Mark.NETWORK, Mark.NAME, Mark.HASTY, Mark.REJECTED_BEFORE} <= {
        mark for each in found.values() for mark in each
    }
    assert queue.count(Tab.ASKED, Filters()) == 1


def test_the_demo_has_a_bulk_in_its_history_with_one_that_failed_and_why(made: Made) -> None:
    done = db.session.get_one(bulk.Bulk, 1)

    came = bulk.progress(done)
    (failed,) = bulk.refused(done).rows
    approver = db.session.scalars(
        select(User.full_name)
        .join(Decision, Decision.by_id == User.id)
        .where(Decision.user_id == failed.user_id)
    ).one()

    assert (came.total, came.done, came.refused) == (13, 12, 1)
    assert approver in failed.sentence
    assert failed.user.status is Status.APPROVED
    assert done.finished_at is not None
    assert done.finished_at < clock.now() - timedelta(days=10)


def test_old_mails_have_arrived_and_only_the_newest_wait_for_the_mailbox(made: Made) -> None:
    # What tells somebody of the browser of another test here is none of the demo's.
    waiting = [mail for mail in outbox.waiting() if mail.kind != "new_device"]

    assert 3 <= len(waiting) <= 6
    assert all(clock.now() - mail.posted_at < timedelta(hours=2) for mail in waiting)
    delivered = select(func.count()).where(Mail.stands(MailState.DELIVERED))
    assert (db.session.scalar(delivered) or 0) > 100


def test_a_few_mails_failed_each_for_a_reason_that_staff_can_read(made: Made) -> None:
    failed = outbox.failed()

    assert len(failed) == 4
    assert {mail.kind for mail in failed} == {"confirmation", "waiting", "welcome", "suspended"}
    assert all(mail.last_error for mail in failed)


def test_agents_and_apps_require_every_level_and_one_is_switched_off(made: Made) -> None:
    agents = db.session.scalars(select(Agent)).all()

    assert len(agents) == made.result.agents
    assert {agent.access_level.name for agent in agents} == {"guest", "standard", "extended"}
    assert [agent.name for agent in agents if not agent.enabled] == ["Old help desk"]


def test_everybody_whose_password_is_printed_can_sign_in_with_it(
    made: Made,
) -> None:
    parts = [who.part for who in made.result.sign_ins]

    assert set(parts) == {
        "administrator",
        "manager",
        "reviewer",
        "approved",
        "waiting",
        "rejected",
    }
    for who in made.result.sign_ins:
        _browser(made).sign_in(Person(who.username, who.password))


def test_the_printed_password_is_another_one_each_time(made: Made) -> None:
    password = made.result.sign_ins[0].password

    assert password != demo._fresh_password(cast.read())
    assert all(who.password == password for who in made.result.sign_ins)


def test_the_link_of_the_newest_registration_leads_to_its_confirmation(
    made: Made,
) -> None:
    newest = db.session.scalars(select(User).order_by(User.registered_at.desc()).limit(1)).one()
    letter = _letter_to(newest)

    path = letter[letter.index("/confirm/") :].split()[0]
    page = _browser(made).get(path)

    assert newest.status is Status.UNCONFIRMED
    assert page.status_code == 200


def test_the_demo_refuses_a_database_that_knows_somebody(made: Made) -> None:
    with pytest.raises(NotEmpty):
        demo.seed(made.site)


def test_the_demo_says_how_far_it_is(made: Made) -> None:
    total = len(made.heard)

    assert made.heard == [(done, total) for done in range(1, total + 1)]


def test_the_same_start_makes_the_same_moments(made: Made) -> None:
    now = clock.now()

    first = Story(cast.read(), now, _no_hash)
    second = Story(cast.read(), now, _no_hash)

    assert [event.at for event in first.events()] == [event.at for event in second.events()]


@pytest.mark.parametrize("day", range(7))
def test_whatever_the_day_the_whole_story_is_over_when_the_demo_starts(
    made: Made, day: int
) -> None:
    now = datetime(2026, 3, 2, 0, 10, tzinfo=UTC) + timedelta(days=day)

    events = Story(cast.read(), now, _no_hash).events()

    assert events[0].at < events[-1].at < now


def _browser(made: Made) -> Browser:
    made.site.test_client_class = Browser
    browser = made.site.test_client()
    assert isinstance(browser, Browser)
    return browser


def _letter_to(user: User) -> str:
    mail = next(mail for mail in outbox.waiting() if mail.user_id == user.id)
    assert mail.body is not None
    return unseal(mail.body).text


def _no_hash(_person: cast.Person) -> str:
    return ""
