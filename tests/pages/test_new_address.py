"""Moving to another address while one waits (B1): proven, confirmed there, and told here."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from portal.accounts import credentials
from portal.accounts.user import Status, User
from portal.audit import Action, AuditEntry
from portal.database import db, transaction
from portal.desk.traces import RequestTrace, Trace
from tests.pages.letters import kinds_to, link_in_last_mail
from tests.pages.test_status_link import link_of, now, refuses
from tests.pages.test_withdrawal import ADA, mailed_code
from tests.people import PASSWORD, person

NEW = "ada@example.com"


@pytest.fixture
def ada(a_user) -> User:
    return a_user(confirmed=True, email=ADA)


def domains_of(user: User) -> list[str]:
    found = select(RequestTrace.value).filter_by(user_id=user.id, kind=Trace.DOMAIN)
    return list(db.session.scalars(found))


@pytest.mark.both_databases(everyday="sqlite")
def test_an_applicant_moves_once_the_new_address_is_confirmed(browser, ada):
    link, version = link_of(ada), ada.review.version
    asked = browser.submit(f"{link}/address", email=NEW, current_password=PASSWORD)
    assert (asked.status_code, asked.location) == (303, link)
    assert now(ada).email == ADA, "nothing has moved yet"
    assert kinds_to(ADA)[-1] == "address_change_asked"

    browser.sign_in(person(ada))
    moved = browser.submit(link_in_last_mail(NEW, "address_change"))

    assert (moved.status_code, moved.location) == (303, "/status")
    assert browser.get("/status").status_code == 200
    assert now(ada).email == NEW
    assert ada.status is Status.PENDING
    assert ada.review.version > version, "a reviewer's older page cannot decide"
    assert domains_of(ada) == ["example.com"]
    assert kinds_to(ADA)[-1] == "address_changed"
    assert refuses(browser.get(link)), "the link in mails to the old address is dead"
    assert db.session.scalars(
        select(AuditEntry.action).filter_by(about_id=ada.id).order_by(AuditEntry.id)
    ).all()[-2:] == [Action.ADDRESS_CHANGE_ASKED, Action.ADDRESS_CHANGED]


def test_a_code_proves_as_well_as_the_password(browser, ada):
    page = link_of(ada) + "/address"
    browser.submit(page, to=link_of(ada) + "/code", next="new_address")

    answer = browser.submit(page, email=NEW, code=mailed_code())

    assert answer.status_code == 303
    assert kinds_to(NEW) == ["address_change"]


@pytest.mark.parametrize(
    "proof", [{}, {"current_password": "Not-the-lantern 1"}, {"code": "000000"}]
)
def test_the_link_alone_moves_nothing_and_mails_nobody(browser, ada, proof):
    page = link_of(ada) + "/address"

    answer = browser.submit(page, email=NEW, **proof)

    assert answer.status_code == 400
    assert f'value="{NEW}"' in answer.text
    assert kinds_to(NEW) == []
    assert "address_change_asked" not in kinds_to(ADA)


def test_the_new_mailbox_alone_moves_nothing(browser, new_browser, ada, a_user):
    """The address may be mistyped, and then a stranger reads its mail."""
    browser.submit(link_of(ada) + "/address", email=NEW, current_password=PASSWORD)
    link = link_in_last_mail(NEW, "address_change")
    stranger = new_browser()

    assert stranger.get(link).location.startswith("/login")
    stranger.sign_in(person(a_user(confirmed=True)))
    assert "belongs to another account" in stranger.get(link).text
    assert now(ada).email == ADA


def test_a_code_that_went_to_the_old_address_is_worth_nothing_after_the_move(browser, ada):
    link = link_of(ada)
    browser.submit(f"{link}/withdrawal", to=f"{link}/code", next="withdrawal")
    code = mailed_code()
    with transaction():
        credentials.change_address(now(ada), email=NEW)
    browser.sign_in(person(ada))

    answer = browser.submit("/status/withdrawal", code=code)

    assert answer.status_code == 400
    assert now(ada).status is Status.PENDING


def test_whose_address_it_is_nobody_learns(browser, ada, a_user):
    a_user(approved=True, email="eve@example.org")
    link = link_of(ada)

    answers = [
        browser.submit(f"{link}/address", email=email, current_password=PASSWORD)
        for email in (NEW, "eve@example.org")
    ]

    assert {(each.status_code, each.location) for each in answers} == {(303, link)}
    assert kinds_to("eve@example.org")[-1] == "already_registered"


def test_before_the_confirmation_nothing_can_move(browser, a_user):
    ada = a_user(email=ADA)
    page = link_of(ada) + "/address"

    shown = browser.get(page).text
    answer = browser.submit(
        link_of(ada) + "/withdrawal", to=page, email=NEW, current_password=PASSWORD
    )

    assert 'name="email"' not in shown
    assert answer.status_code == 400
    assert kinds_to(NEW) == []


def test_the_approved_find_the_page_they_know(browser, a_user):
    browser.sign_in(person(a_user(approved=True)))

    assert browser.get("/status/address").location == "/change-email"
