"""Claims in the panel: colleagues see who looks, on the page and in the list, until it lapses."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
import time_machine

from portal.accounts.approval import approve
from portal.accounts.user import User
from portal.database import db, transaction
from portal.desk import claim
from tests.admin_views.panel import everything, words
from tests.conftest import Browser
from tests.people import level, person

NOON = datetime.fromisoformat("2026-05-04T12:00:00+00:00")
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def noon():
    """A clock that stands still until a test moves it."""
    with time_machine.travel(NOON, tick=False) as hands:
        yield hands


@pytest.fixture
def ada(a_user) -> User:
    return a_user(full_name="Ada", confirmed=True)


def page_of(user: User) -> str:
    return f"/admin/registrations/{user.id}"


def look(browser: Browser, user: User, **fields: str):
    """What an open page sends, with the fields of its own form."""
    page = browser.get(page_of(user)).text
    return again(browser, user, page, **fields)


def again(browser: Browser, user: User, page: str, **fields: str):
    sent = {**own_fields(page), **fields}
    return browser.post(f"{page_of(user)}/claim", data=sent, headers=HTMX)


def own_fields(page: str) -> dict[str, str]:
    form = page[page.index('id="claim"') :].partition("</form>")[0]
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form))


def holder(user: User) -> int | None:
    db.session.rollback()
    found = claim.held([user.id]).get(user.id)
    return found.by_id if found else None


def test_looking_at_the_page_alone_claims_nothing(ada, reviewer, signed_in):
    page = signed_in(reviewer).get(page_of(ada))

    assert "Nobody looks at this." in words(page)
    assert f'hx-post="{page_of(ada)}/claim" hx-trigger="load, every 20s' in page.text
    assert holder(ada) is None


def test_colleagues_see_who_has_been_looking_and_for_how_long(
    ada, reviewer, manager, signed_in, noon
):
    mine, theirs = signed_in(reviewer), signed_in(manager)
    assert "You look at it now." in words(look(mine, ada))
    assert f"{reviewer.full_name} looks at it now." in words(look(theirs, ada))
    noon.shift(100)
    look(mine, ada)
    noon.shift(20)

    answer = look(theirs, ada)

    assert f"{reviewer.full_name} has been looking at it for 2 minutes." in words(answer)
    assert "Take over" in words(answer)
    assert "<html" not in answer.text
    assert 'hx-trigger="every 20s' in answer.text
    assert holder(ada) == reviewer.id


def test_whoever_stops_looking_is_seen_no_longer(ada, reviewer, manager, signed_in, noon):
    look(signed_in(reviewer), ada)
    noon.shift(120)

    look(signed_in(manager), ada)

    assert holder(ada) == manager.id


def test_a_colleague_takes_over_on_purpose(ada, reviewer, manager, signed_in):
    mine = signed_in(reviewer)
    look(mine, ada)

    look(signed_in(manager), ada, deed="take")

    assert holder(ada) == manager.id
    assert f"{manager.full_name} looks at it now." in words(look(mine, ada))


def test_leaving_the_page_lets_go(ada, reviewer, signed_in):
    browser = signed_in(reviewer)
    look(browser, ada)

    answer = look(browser, ada, deed="leave")

    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert holder(ada) is None


def test_deciding_lets_go(ada, reviewer, signed_in):
    browser = signed_in(reviewer)
    look(browser, ada)
    token = browser.token("/account")

    browser.post(
        "/admin/registrations/question",
        data={"csrf_token": token, "ids": str(ada.id), "question": "Which team?"},
    )

    assert holder(ada) is None


def test_without_a_script_a_button_claims_and_comes_back_to_the_page(ada, reviewer, signed_in):
    browser = signed_in(reviewer)
    token = browser.token(page_of(ada))

    answer = browser.post(
        f"{page_of(ada)}/claim", data={"csrf_token": token, "back": f"{page_of(ada)}?q=a"}
    )

    assert (answer.status_code, answer.location) == (303, f"{page_of(ada)}?q=a")
    assert holder(ada) == reviewer.id


def test_an_open_page_is_told_who_decided_what_and_when(ada, reviewer, manager, signed_in):
    browser = signed_in(reviewer)
    page = browser.get(page_of(ada)).text
    with transaction():
        approve(db.session.merge(ada), by=manager, level=level("guest"))

    answer = again(browser, ada, page)

    said = f"{manager.full_name} changed this while you looked at it: Approved, "
    assert said + "May 4, 2026, 12:00 PM UTC. Look again" in words(answer).replace("\u202f", " ")
    assert "hx-trigger" not in answer.text
    assert f'href="{page_of(ada)}"' in answer.text


def test_whom_there_is_not_nobody_claims(reviewer, signed_in):
    browser = signed_in(reviewer)
    token = browser.token("/account")

    answer = browser.post(
        "/admin/registrations/999/claim", data={"csrf_token": token}, headers=HTMX
    )

    assert answer.status_code == 404


def test_the_list_is_told_who_looks_at_its_rows(a_user, reviewer, manager, signed_in):
    rows = [a_user(full_name=f"Person {number}", confirmed=True) for number in range(3)]
    look(signed_in(manager), rows[1])
    query = "&".join(f"ids={user.id}" for user in rows)

    answer = signed_in(reviewer).get(f"/admin/registrations/claims?{query}", headers=HTMX)

    assert words(answer) == f"{manager.full_name} looks at it now."
    for user in rows:
        assert re.search(f'id="claim-{user.id}"[^>]* hx-swap-oob="true"', answer.text)


def test_looking_again_costs_little(ada, reviewer, signed_in, counted):
    browser = signed_in(reviewer)
    page = look(browser, ada).text
    path, sent = f"{page_of(ada)}/claim", own_fields(page)
    with counted() as who_asks:
        browser.get("/terms")

    with counted() as asked:
        answer = browser.post(path, data=sent, headers=HTMX)

    assert answer.status_code == 200
    asked.remove("BEGIN IMMEDIATE")
    assert len(asked) - len(who_asks) <= 2, "\n".join(asked)


def test_the_list_asks_once_for_all_its_rows(a_user, reviewer, signed_in, counted):
    query = "&".join(f"ids={a_user(confirmed=True).id}" for _ in range(6))
    browser = signed_in(reviewer)
    with counted() as who_asks:
        browser.get("/terms")

    with counted() as asked:
        browser.get(f"/admin/registrations/claims?{query}")

    assert len(asked) - len(who_asks) <= 1, "\n".join(asked)


@pytest.mark.settings(PORTAL_SESSIONS_STAFF_IDLE_MINUTES="60")
def test_an_open_page_keeps_no_session_alive_and_says_when_it_has_ended(
    ada, reviewer, new_browser, noon
):
    browser = new_browser()
    browser.sign_in(person(reviewer))
    page = browser.get(page_of(ada) + "?q=ada").text
    for _ in range(3):
        noon.shift(19 * 60)
        assert again(browser, ada, page).status_code == 200
    noon.shift(19 * 60)
    before = everything()

    form = page[page.index('id="claim"') :]
    token = form.partition('name="csrf_token" value="')[2].partition('"')[0]
    answer = browser.post(
        f"{page_of(ada)}/claim",
        data={"csrf_token": token},
        headers={**HTMX, "HX-Current-URL": f"http://127.0.0.1:8000{page_of(ada)}?q=ada"},
    )

    assert answer.status_code == 401
    assert words(answer) == "Your session has ended. Sign in again"
    assert f"/login?next={page_of(ada)}?q%3Dada" in answer.text.replace("%2F", "/").replace(
        "%3F", "?"
    )
    assert everything() == before


@pytest.mark.parametrize("shown", ["http://[", "//evil.example.org", "javascript:alert(1)", "\\x"])
def test_what_a_script_says_of_its_page_leads_nowhere_else_and_breaks_nothing(browser, ada, shown):
    answer = browser.get(page_of(ada), headers={**HTMX, "HX-Current-URL": shown})

    assert answer.status_code == 401
    assert 'href="/login"' in answer.text


def test_a_claim_costs_colleagues_no_access(ada, reviewer, manager, signed_in):
    look(signed_in(manager), ada)
    browser = signed_in(reviewer)
    token = browser.token("/account")

    browser.post(
        "/admin/registrations/approval",
        data={"csrf_token": token, "ids": str(ada.id), "level": str(level("guest").id)},
    )

    assert db.session.get_one(User, ada.id).approved_at == NOON
    assert holder(ada) == manager.id
    assert timedelta(0) == claim.held([ada.id])[ada.id].lasts
