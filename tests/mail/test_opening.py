"""Openings (B3): a look at a mailed link is noted with what speaks for a robot, and no more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import event, select

from portal import clock, links
from portal.accounts.user import User
from portal.database import db, transaction
from portal.mail import opening
from portal.mail.mail import Mail
from portal.mail.opening import MOST, Looker, MailOpening, Sign
from tests.crowd import together

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def mail(a_user: Any) -> Mail:
    """A mail with a link."""
    user = a_user()
    return db.session.scalars(select(Mail).filter_by(user_id=user.id)).one()


def look(
    mail: Mail,
    *,
    method: str = "GET",
    cookies: bool = True,
    agent: str = FIREFOX,
    prefetch: bool = False,
    after: float = 0,
) -> None:
    with time_machine.travel(clock.now() + timedelta(seconds=after)):
        opening.note(
            mail.ticket or "", method=method, cookies=cookies, agent=agent, prefetch=prefetch
        )


def noted() -> list[tuple[Looker, set[Sign]]]:
    db.session.rollback()
    kept = db.session.scalars(select(MailOpening).order_by(MailOpening.at))
    return [(each.looker, each.seen) for each in kept]


@pytest.mark.parametrize("agent", [FIREFOX, IPHONE])
def test_a_person_in_the_browser_that_registered_shows_no_sign(mail, agent):
    look(mail, agent=agent)

    assert noted() == [(Looker.PERSON, set())]


def test_who_brings_no_cookies_may_be_either(mail):
    """A person who opens the link on another device brings none."""
    look(mail, cookies=False)

    assert noted() == [(Looker.UNSURE, {Sign.NO_COOKIES})]


@pytest.mark.parametrize(
    ("looks", "sign"),
    [
        ({"method": "HEAD"}, Sign.HEAD),
        ({"prefetch": True}, Sign.PREFETCH),
        ({"agent": ""}, Sign.SCANNER),
        ({"agent": "Mozilla/5.0 (compatible; bingbot/2.0)"}, Sign.SCANNER),
        ({"agent": "curl/8.5.0"}, Sign.SCANNER),
        ({"agent": "Mozilla/5.0 ... HeadlessChrome/126.0"}, Sign.SCANNER),
        ({"agent": "Mimecast URL Protect"}, Sign.SCANNER),
        ({"agent": "Proofpoint-Scanner"}, Sign.SCANNER),
        ({"agent": "Mozilla/5.0 BingPreview/1.0b"}, Sign.SCANNER),
    ],
)
def test_a_robot_gives_itself_away(mail, looks, sign):
    look(mail, **looks)

    assert noted() == [(Looker.ROBOT, {sign})]


@pytest.mark.both_databases(everyday="sqlite")
def test_looks_within_a_second_are_a_robots_also_the_first_of_them(mail):
    with time_machine.travel(clock.now(), tick=False):
        look(mail)
        look(mail, after=0.4)
        look(mail, after=20)

    assert [looker for looker, _ in noted()] == [Looker.ROBOT, Looker.ROBOT, Looker.PERSON]


@pytest.mark.both_databases(everyday="postgresql")
def test_looks_at_the_very_same_moment_see_each_other_and_have_an_end(app, mail):
    ticket = mail.ticket

    def visit() -> None:
        with app.app_context():
            opening.note(ticket, method="GET", cookies=True, agent=FIREFOX)

    for _ in range(3):
        together([visit] * 12)

    looks = noted()
    assert 2 <= len(looks) <= MOST
    assert Sign.AT_ONCE in looks[0][1]


def test_after_the_twentieth_look_nothing_more_is_written(mail):
    for number in range(MOST):
        look(mail, after=60 * number)
    writes: list[str] = []
    event.listen(db.engine, "commit", lambda _connection: writes.append("commit"))

    look(mail, after=10_000)

    assert len(noted()) == MOST
    assert writes == []


@pytest.mark.parametrize("ticket", ["", "nothing", "\0", "x" * 500])
def test_what_is_no_ticket_notes_nothing(mail, ticket):
    opening.note(ticket, method="GET", cookies=True, agent=FIREFOX)

    assert noted() == []


def test_of_who_looked_nothing_is_kept_but_the_signs(mail):
    look(mail, agent="curl/8.5.0 from ada's desk", cookies=False)

    row = db.session.execute(select(*MailOpening.__table__.columns)).one()
    assert row[3:] == ("no_cookies scanner",)


def test_a_database_that_is_busy_costs_the_page_a_moment_and_the_note(app, mail, tmp_path):
    """The page is shown all the same, long before others would have given up waiting."""
    ticket = mail.ticket
    with db.engine.connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        before = clock.now()
        opening.note(ticket or "", method="GET", cookies=True, agent=FIREFOX)
        waited = clock.now() - before
        other.rollback()

    assert waited < timedelta(seconds=2)
    assert noted() == []
    look(mail)
    assert len(noted()) == 1, "and the next one is noted again"


@pytest.mark.both_databases(everyday="sqlite")
def test_the_looks_at_several_mails_are_asked_for_in_one_query(a_user, mail):
    user = a_user()
    other = db.session.scalars(select(Mail).filter_by(user_id=user.id)).one()
    look(mail, method="HEAD")
    look(mail, after=60)
    look(other, cookies=False)

    found = opening.looks([mail.id, other.id])

    assert set(found[mail.id].first) == {Looker.ROBOT, Looker.PERSON}
    assert found[mail.id].signs == {Sign.HEAD}
    assert len(found[mail.id].reasons) == 1
    assert set(found[other.id].first) == {Looker.UNSURE}
    assert opening.looks([]) == {}


@pytest.mark.both_databases(everyday="sqlite")
def test_a_mail_is_used_once(mail):
    ticket = mail.ticket or ""
    with transaction():
        opening.mark_used(ticket)
    first = db.session.get_one(Mail, mail.id).used_at

    with time_machine.travel(clock.now() + timedelta(hours=1)), transaction():
        opening.mark_used(ticket)

    assert first is not None
    assert db.session.get_one(Mail, mail.id).used_at == first


def test_every_mail_with_a_link_of_its_own_has_a_ticket_that_opens_nothing(browser, mail):
    assert mail.ticket
    for path in ("/confirm/", "/reset/", "/change-email/"):
        assert links.read_confirmation(mail.ticket).user is None
        assert browser.get(path + mail.ticket).status_code in (302, 400)


def test_no_two_mails_have_the_same_ticket(a_user):
    for _ in range(5):
        a_user()

    tickets = db.session.scalars(select(Mail.ticket)).all()
    assert len(set(tickets)) == len(tickets) == 5
    assert db.session.scalars(select(User.id)).all()
