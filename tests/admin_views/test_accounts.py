"""Accounts in the panel: finding somebody, what happened to them, and the steps on their page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from portal.accounts.roles import Role
from portal.accounts.suspension import suspend
from portal.accounts.user import Status, User
from portal.audit import Action
from portal.database import db, transaction
from portal.mail import outbox
from tests.admin_views.panel import a_busy_portal, entries, everything, fail, words
from tests.conftest import Browser
from tests.people import level, person


def page_of(user: User, step: str = "") -> str:
    return f"/admin/accounts/{user.id}" + (f"/{step}" if step else "")


def take(browser: Browser, user: User, step: str, **fields: Any) -> Any:
    """Go through the page of a step, as a person does."""
    path = page_of(user, step)
    return browser.submit(path, to=path, ids=str(user.id), **fields)


def now(user: User) -> User:
    db.session.expire_all()
    return db.session.get_one(User, user.id)


def names_listed(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a [^>]*><bdi>([^<]*)</bdi>', page)


def test_everybody_but_the_erased_is_listed_newest_first(a_user, administrator, signed_in):
    start = datetime.now(UTC) - timedelta(days=9)
    for day, name in enumerate(("Ada", "Grace", "Mary")):
        with time_machine.travel(start + timedelta(days=day), tick=False):
            a_user(full_name=name, approved=bool(day))

    page = signed_in(administrator).get("/admin/accounts/")

    assert names_listed(page.text) == [administrator.full_name, "Mary", "Grace", "Ada"]
    oldest = signed_in(administrator).get("/admin/accounts/?sort=oldest")
    assert names_listed(oldest.text)[:2] == ["Ada", "Grace"]


@pytest.mark.parametrize("status", [each for each in Status if each is not Status.ERASED])
def test_the_list_is_filtered_by_where_people_stand(a_user, reviewer, signed_in, status):
    panel = a_busy_portal(a_user)

    page = signed_in(reviewer).get(f"/admin/accounts/?status={status.value}")

    staff = {reviewer.full_name} if status is Status.APPROVED else set()
    assert set(names_listed(page.text)) == {panel[status.value].full_name, *staff}


def test_those_who_signed_in_last_come_first(a_user, reviewer, signed_in, new_browser):
    ada, grace = a_user(full_name="Ada", approved=True), a_user(full_name="Grace", approved=True)
    browser = signed_in(reviewer)
    for minutes, user in ((1, ada), (2, grace)):
        with time_machine.travel(datetime.now(UTC) + timedelta(minutes=minutes)):
            new_browser().sign_in(person(user))

    page = browser.get("/admin/accounts/?sort=sign-in")

    assert names_listed(page.text) == ["Grace", "Ada", reviewer.full_name]


def test_the_page_of_an_account_tells_its_facts_and_its_story(a_user, reviewer, signed_in):
    ada = a_user(
        full_name="Ada Lovelace", username="ada", confirmed=True, reason="To compute numbers"
    )
    fail(next(mail for mail in outbox.waiting() if mail.kind == "waiting"))
    browser = signed_in(reviewer)
    browser.submit(
        "/account", to="/admin/registrations/approval", ids=str(ada.id), level=level("guest").id
    )

    page = words(browser.get(page_of(ada)))

    for fact in ("Ada Lovelace", "ada@example.org", "To compute numbers", "guest", "English"):
        assert fact in page
    story = [
        "Mail: Your account is approved",
        f"Approved by {reviewer.full_name}",
        "Mail: Your registration waits for staff",
        "Failed",
        "Address confirmed",
        "Mail: Confirm your address",
        "Registered",
    ]
    positions = [page.rindex(line) if line == "Registered" else page.index(line) for line in story]
    assert positions[0] < positions[2] < positions[3] < positions[5]
    assert "Access level: guest" in page


def test_no_page_shows_what_a_mail_says(a_user, administrator, signed_in):
    panel = a_busy_portal(a_user)
    browser = signed_in(administrator)
    for user in panel.values():
        page = browser.get(page_of(user)).text
        assert "/confirm/" not in page
        assert "Dear" not in page
        assert "Hello" not in page


BUTTONS: dict[str, dict[str, set[str]]] = {
    "unconfirmed": {
        "reviewer": {"rejection", "confirmation"},
        "manager": {"rejection", "confirmation", "erasure"},
    },
    "pending": {
        "reviewer": {"approval", "rejection", "question"},
        "manager": {"approval", "rejection", "question", "erasure"},
    },
    "approved": {"reviewer": set(), "manager": {"suspension", "access-level"}},
    "rejected": {"reviewer": {"reopening"}, "manager": {"reopening", "erasure"}},
    "suspended": {"reviewer": set(), "manager": {"reinstatement", "erasure"}},
}


@pytest.mark.parametrize("role", ["reviewer", "manager"])
def test_the_page_offers_the_steps_that_are_open_and_no_others(a_user, people, signed_in, role):
    panel, browser = a_busy_portal(a_user), signed_in(people.staff(role))
    for status, wanted in BUTTONS.items():
        page = browser.get(page_of(panel[status])).text

        offered = set(re.findall(r"/admin/(?:registrations|accounts/\d+)/([a-z-]+)\?", page))
        assert offered - {"sign-ins"} == wanted[role], status  # which is a list, and no step


def test_an_unconfirmed_person_is_offered_another_mail_after_a_while(a_user, reviewer, signed_in):
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=1)):
        una = a_user()

    assert "/confirmation-mail?" in signed_in(reviewer).get(page_of(una)).text


def test_staff_end_somebodys_sessions_with_a_reason_and_the_account_stays_open(
    a_user, manager, signed_in, new_browser
):
    """ASVS 7.4.5. Not their own, and nobody's above them: those guards are the same for all."""
    ada = a_user(approved=True)
    hers = new_browser()
    hers.sign_in(person(ada))
    browser = signed_in(manager)
    assert f"{page_of(ada)}/sessions?" in browser.get(page_of(ada)).text

    silent = take(browser, ada, "sessions")
    assert silent.status_code == 400
    assert hers.get("/account").status_code == 200
    answer = take(browser, ada, "sessions", reason="A lost laptop")

    assert answer.location == page_of(ada)
    assert hers.get("/account").status_code == 302
    hers.sign_in(person(ada))
    assert entries(Action.SESSIONS_ENDED)[0].details == {"number": 1, "reason": "A lost laptop"}
    assert take(browser, manager, "sessions", reason="x").status_code == 409


def test_an_account_is_suspended_with_a_reason_and_its_sessions_end(
    a_user, manager, signed_in, new_browser
):
    ada = a_user(approved=True)
    hers = new_browser()
    hers.sign_in(person(ada))

    answer = take(signed_in(manager), ada, "suspension", reason="Left the house")

    assert answer.location == page_of(ada)
    assert now(ada).status is Status.SUSPENDED
    assert entries(Action.SUSPENDED)[0].details == {"reason": "Left the house"}
    assert hers.get("/").status_code == 302


def test_a_suspended_account_is_opened_again(a_user, manager, signed_in):
    sue = a_user(suspended=True)

    take(signed_in(manager), sue, "reinstatement")

    assert now(sue).status is Status.APPROVED


def test_an_account_is_erased_after_a_page_that_warns(a_user, manager, signed_in):
    sue = a_user(full_name="Sue", suspended=True)
    browser = signed_in(manager)
    assert "Nobody can undo this." in words(browser.get(page_of(sue, "erasure")))

    take(browser, sue, "erasure")

    assert now(sue).status is Status.ERASED
    page = browser.get(page_of(sue))
    assert f"Erased account {sue.id}" in words(page)
    assert "Sue" not in page.text


def test_an_approved_account_is_not_erased(a_user, manager, signed_in):
    ada = a_user(approved=True)
    browser = signed_in(manager)
    assert "Suspend the account before you erase it." in words(browser.get(page_of(ada, "erasure")))
    before = everything()

    answer = browser.submit("/account", to=page_of(ada, "erasure"))

    assert answer.status_code == 409
    assert everything() == before


def test_the_access_level_is_changed_and_the_person_told(a_user, manager, signed_in):
    ada = a_user(approved="guest")

    take(signed_in(manager), ada, "access-level", level=level("extended").id)

    assert now(ada).access_level == level("extended")
    assert entries(Action.ACCESS_CHANGED)[0].details == {"before": "guest", "after": "extended"}
    assert "access_changed" in [mail.kind for mail in outbox.waiting()]


def test_an_administrator_gives_and_takes_roles(a_user, administrator, signed_in, new_browser):
    ada = a_user(approved=True)
    reviewer = db.session.scalars(select(Role).filter_by(name="reviewer")).one()
    browser = signed_in(administrator)

    take(browser, ada, "roles", roles=[str(reviewer.id)])
    hers = new_browser()
    hers.sign_in(person(ada))
    assert hers.get("/admin/").status_code == 200
    take(browser, ada, "roles")

    assert [entry.details["after"] for entry in entries(Action.ROLES_CHANGED)] == [["reviewer"], []]
    assert now(ada).roles == []
    assert hers.get("/admin/").status_code == 302


def test_the_last_administrator_cannot_be_taken_away(administrator, people, signed_in):
    other = people.staff("administrator")
    browser, others = signed_in(administrator), signed_in(other)
    token = others.token("/account")
    take(browser, other, "suspension")
    before = everything()

    answer = others.post(page_of(administrator, "suspension"), data={"csrf_token": token})

    assert answer.status_code == 302  # the session of the suspended one has ended
    assert everything() == before


def test_a_typed_reason_survives_a_refusal(a_user, manager, signed_in):
    ada = a_user(approved=True)
    browser = signed_in(manager)

    answer = take(browser, ada, "suspension", reason="\u202eevil")
    with transaction():
        suspend(db.session.merge(ada), by=None)
    quiet = take(browser, ada, "suspension", reason="Twice")

    assert answer.status_code == 400
    assert "evil" in answer.text
    assert quiet.status_code in (200, 303)


def test_somebody_who_does_not_exist_has_no_page(administrator, signed_in):
    browser = signed_in(administrator)
    for path in ("4711", "0", "-1", "abc", "9" * 30, "4711/suspension", "4711/roles"):
        assert browser.get(f"/admin/accounts/{path}").status_code == 404


def test_the_way_back_from_an_account_keeps_the_list(a_user, reviewer, signed_in):
    ada = a_user(full_name="Ada", confirmed=True)
    browser = signed_in(reviewer)
    listed = browser.get("/admin/accounts/?q=ada").text

    to_account = re.search(rf'href="(/admin/accounts/{ada.id}\?[^"]*)"', listed)
    assert to_account
    page = browser.get(to_account.group(1).replace("&amp;", "&"))

    assert 'class="back" href="/admin/accounts/?q=ada"' in page.text
