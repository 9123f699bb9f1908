"""What cannot be taken back asks for the password, or for a code mailed at that moment (B1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from portal import clock
from portal.accounts import proof
from portal.accounts.code import MailedCode
from portal.accounts.user import Status, User
from portal.audit import Action, AuditEntry
from portal.database import db, transaction
from portal.desk.memory import Fingerprint
from portal.mail import silence
from portal.mail.mail import Mail
from portal.notifications import Notification
from tests.conftest import a_browser
from tests.crowd import together
from tests.pages.letters import kinds_to, texts_to
from tests.pages.test_status_link import link_of, now
from tests.people import PASSWORD, person

ADA = "ada@example.org"


def mailed_code() -> str:
    """The code in the newest mail to Ada."""
    return re.findall(r"^(\d{6})$", texts_to(ADA), re.MULTILINE)[-1]


def ask_for_code(browser, page: str) -> str:
    """Have a code mailed from a page, and read it."""
    answer = browser.submit(page, to=page.rpartition("/")[0] + "/code", next="withdrawal")
    assert (answer.status_code, answer.location) == (303, page)
    return mailed_code()


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def attempt(browser, page: str, code: str) -> Callable[[], int]:
    """Somebody who has the page open, and sends the form when told to."""
    data = {"csrf_token": browser.token(page), "code": code}
    return lambda: browser.post(page, data=data).status_code


def actions_about(user: User) -> list[str]:
    found = select(AuditEntry.action).where(AuditEntry.about_id == user.id)
    return list(db.session.scalars(found.order_by(AuditEntry.id)))


@pytest.fixture
def ada(a_user) -> User:
    return a_user(confirmed=True, email=ADA, full_name="Ada Lovelace")


@pytest.fixture
def page(ada) -> str:
    return link_of(ada) + "/withdrawal"


@pytest.mark.both_databases(everyday="sqlite")
def test_an_applicant_withdraws_with_the_password_and_is_gone(browser, ada, page):
    answer = browser.submit(page, current_password=PASSWORD)

    assert (answer.status_code, answer.location) == (303, "/goodbye")
    assert "withdrawn" in browser.get("/goodbye").text
    gone = now(ada)
    assert gone.status is Status.ERASED
    assert (gone.email, gone.username, gone.full_name) == (None, None, "")
    assert actions_about(ada)[-2:] == [Action.WITHDRAWN, Action.ERASED]
    assert kinds_to(ADA) == ["erased"]
    assert db.session.scalars(select(Notification).filter_by(settled_at=None)).all() == []
    assert db.session.scalars(select(Fingerprint)).all() == [], "who leaves is not remembered"


@pytest.mark.both_databases(everyday="sqlite")
def test_or_with_a_code_that_is_mailed_at_that_moment(browser, ada, page):
    code = ask_for_code(browser, page)

    answer = browser.submit(page, code=f" {code[:3]} {code[3:]} ")

    assert (answer.status_code, answer.location) == (303, "/goodbye")
    assert now(ada).status is Status.ERASED


def test_from_the_signed_in_page_it_asks_as_well_and_signs_out(browser, ada):
    browser.sign_in(person(ada))

    without = browser.submit("/status/withdrawal")
    with_it = browser.submit("/status/withdrawal", current_password=PASSWORD)

    assert without.status_code == 400
    assert "Enter your password, or a code from a mail." in without.text
    assert with_it.status_code == 303
    assert browser.get("/status").location.startswith("/login")


def test_whoever_was_forwarded_the_mail_cannot_withdraw(browser, ada, page):
    """They can have codes mailed, but to Ada; they can guess, but not often."""
    code = ask_for_code(browser, page)

    attempts = [
        browser.submit(page),
        browser.submit(page, current_password="Not-the-lantern 1"),
        browser.submit(page, code=wrong(code)),
        browser.submit(page, code="", current_password=""),
        browser.submit(page, code="not digits"),
    ]

    assert [answer.status_code for answer in attempts] == [400] * 5
    assert now(ada).status is Status.PENDING
    assert code not in "".join(answer.text for answer in attempts)


@pytest.mark.both_databases(everyday="sqlite")
def test_a_code_dies_after_five_wrong_ones_and_the_right_one_is_wrong_then(browser, ada, page):
    code = ask_for_code(browser, page)

    for _ in range(5):
        assert browser.submit(page, code=wrong(code)).status_code == 400

    assert browser.submit(page, code=code).status_code == 400
    assert now(ada).status is Status.PENDING


def test_guesses_are_limited_over_all_codes_and_addresses(browser, page):
    data = {"csrf_token": browser.token(page), "code": "000000"}
    moment, tries = clock.now(), []
    for number in range(21):
        # Slow enough for what may be asked of one account at all.
        with time_machine.travel(moment + timedelta(minutes=2 * number)):
            where = {"REMOTE_ADDR": f"203.0.113.{number}"}
            tries.append(browser.post(page, data=data, environ_base=where).status_code)

    assert tries == [400] * 20 + [429]


def test_a_code_is_too_old_after_a_while(browser, ada, page):
    code = ask_for_code(browser, page)

    with time_machine.travel(clock.now() + timedelta(minutes=16)):
        assert browser.submit(page, code=code).status_code == 400


def test_a_fresh_code_takes_a_moment_and_there_are_so_many_a_day(browser, ada, page):
    link = page.rpartition("/")[0]
    moment = clock.now()
    for number in range(proof.MOST_A_DAY):
        with time_machine.travel(moment + timedelta(minutes=11 * number), tick=False):
            ask_for_code(browser, page)
            assert "Wait 60 seconds" in flashed(browser, link)
    with time_machine.travel(moment + timedelta(hours=2), tick=False):
        assert "enough codes for today" in flashed(browser, link)
    with time_machine.travel(moment + timedelta(hours=25), tick=False):
        assert "A code is on its way" in flashed(browser, link)

    codes = db.session.scalars(select(Mail).where(Mail.kind == "status_code")).all()
    assert {mail.recipient for mail in codes} == {ADA}
    assert len(codes) == proof.MOST_A_DAY + 1


def test_whoever_has_a_forwarded_link_keeps_no_owner_from_withdrawing(
    browser, new_browser, ada, page
):
    """Not by asking for all the codes there are, nor by guessing at the owner's."""
    stranger, link, moment = new_browser(), page.rpartition("/")[0], clock.now()
    for number in range(proof.MOST_A_DAY):
        with time_machine.travel(moment + timedelta(minutes=11 * number), tick=False):
            ask_for_code(stranger, page)
    with time_machine.travel(moment + timedelta(hours=2), tick=False):
        assert "enough codes for today" in flashed(stranger, link)
        browser.sign_in(person(ada))
        code = ask_for_code(browser, "/status/withdrawal")
        assert {
            stranger.submit(page, code=each).status_code for each in [code] + [wrong(code)] * 6
        } <= {400, 429}

        answer = browser.submit("/status/withdrawal", code=code)

    assert (answer.status_code, answer.location) == (303, "/goodbye")
    assert now(ada).status is Status.ERASED


def test_the_trail_tells_by_which_way_a_change_came(browser, new_browser, ada, page):
    link, signed_in = page.rpartition("/")[0], new_browser()
    signed_in.sign_in(person(ada))

    browser.submit(link, reason="By link")
    signed_in.submit("/status", reason="Signed in")
    browser.submit(page, code=ask_for_code(browser, page))

    found = select(AuditEntry).where(AuditEntry.about_id == ada.id).order_by(AuditEntry.id)
    told = [(entry.action, entry.details.get("how")) for entry in db.session.scalars(found)]
    assert told[-5:] == [
        (Action.REASON_EDITED, ["link"]),
        (Action.REASON_EDITED, ["signed_in"]),
        (Action.CODE_MAILED, ["link"]),
        (Action.WITHDRAWN, ["link", "code"]),
        (Action.ERASED, ["link", "code"]),
    ]


def flashed(browser, link: str) -> str:
    browser.submit(f"{link}/withdrawal", to=f"{link}/code")
    return browser.get(link).text


def test_a_code_for_the_confirmation_withdraws_nothing(browser, a_user):
    ada = a_user(email=ADA)

    answer = browser.submit(link_of(ada) + "/withdrawal", code=mailed_code())

    assert answer.status_code == 400
    assert now(ada).status is Status.UNCONFIRMED


def test_an_address_that_wants_no_mail_gets_no_code_either(browser, a_user):
    ada = a_user(email=ADA)
    page = link_of(ada) + "/withdrawal"
    with transaction():
        silence.silence(ADA, "confirmation")

    answer = browser.submit(page, to=link_of(ada) + "/code", next="withdrawal")

    assert answer.status_code == 303
    assert "status_code" not in kinds_to(ADA)


@pytest.mark.both_databases(everyday="postgresql")
def test_of_many_who_use_a_code_at_once_one_withdraws(app, browser, ada, page):
    code = ask_for_code(browser, page)

    answers = together([attempt(a_browser(app), page, code) for _ in range(4)])

    assert sorted(answers) == [303, 400, 400, 400]
    assert actions_about(ada).count(Action.WITHDRAWN) == 1


@pytest.mark.both_databases(everyday="postgresql")
def test_of_many_wrong_guesses_at_once_each_costs_a_try(app, browser, ada, page):
    code = ask_for_code(browser, page)

    together([attempt(a_browser(app), page, wrong(code)) for _ in range(5)])

    assert db.session.scalars(select(MailedCode.tries_left)).one() == 0
    assert browser.submit(page, code=code).status_code == 400


def test_the_unconfirmed_withdraw_and_no_mail_follows(browser, a_user):
    ada = a_user(email=ADA)

    answer = browser.submit(link_of(ada) + "/withdrawal", current_password=PASSWORD)

    assert answer.status_code == 303
    assert now(ada).status is Status.ERASED
    assert kinds_to(ADA) == []


def test_the_rejected_erase_what_is_known_of_them_and_the_rejection_is_remembered(browser, a_user):
    ada = a_user(email=ADA, rejected="No room", for_an_hour=True)
    page = link_of(ada) + "/withdrawal"
    assert "Erase your data" in browser.get(page).text

    assert browser.submit(page, current_password=PASSWORD).status_code == 303

    assert now(ada).status is Status.ERASED
    assert Action.WITHDRAWN not in actions_about(ada)
    assert {print_.user_id for print_ in db.session.scalars(select(Fingerprint))} == {None}


def test_the_approved_have_nothing_to_withdraw(browser, a_user):
    ada = a_user(approved=True)
    browser.sign_in(person(ada))

    page = browser.get("/status/withdrawal")
    answer = browser.submit("/status", to="/status/withdrawal", current_password=PASSWORD)

    assert "nothing to withdraw" in page.text
    assert answer.status_code == 400
    assert now(ada).status is Status.APPROVED


def test_whoever_is_signed_in_as_somebody_else_stays_so(browser, new_browser, a_user, ada, page):
    """Ada withdraws in a library's browser where a colleague signed in meanwhile."""
    token = browser.token(page)
    browser.sign_in(person(a_user(approved=True)))

    answer = browser.post(page, data={"csrf_token": token, "current_password": PASSWORD})

    assert answer.status_code == 400
    assert now(ada).status is Status.PENDING
    assert browser.get("/").status_code == 200
