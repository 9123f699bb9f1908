"""Steps on many in the panel: who is in, who is left out and why, how far it is, and undoing it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine

from portal import heartbeat
from portal.accounts.approval import approve, reject
from portal.accounts.user import Status, User
from portal.audit import Action
from portal.database import db, transaction
from portal.desk import bulk as bulks
from portal.desk import bulk_round, standard_text
from portal.desk.bulk import Bulk
from portal.desk.standard_text import Purpose
from portal.mail import outbox
from tests.admin_views.panel import entries, everything, words
from tests.conftest import Browser
from tests.people import Person, level

BULK = "/admin/registrations/bulk"
QUEUE = "/admin/registrations/"


def before(deed: str, *ids: int, **more: Any) -> str:
    """The address of the page before a step on these people."""
    return f"{BULK}?{urlencode({'deed': deed, 'ids': ids, **more}, doseq=True)}"


def people_on(page: str) -> str:
    """Whom the form of such a page names."""
    found = re.search(r'name="people" value="([\d.]*)"', page)
    assert found, page
    return found.group(1)


def confirm(browser: Browser, address: str, **fields: Any) -> Any:
    """Send the form of such a page as it stands, with what is filled in."""
    page = browser.get(address).text
    deed = re.search(r'name="deed" value="(\w+)"', page)
    assert deed, page
    hidden = {"people": people_on(page), "deed": deed.group(1)}
    return browser.submit(address, to=BULK, **hidden, **fields)


def work() -> None:
    while bulk_round.work():
        pass
    db.session.expire_all()


def status_of(*ids: int) -> list[Status]:
    db.session.rollback()
    db.session.expire_all()
    return [db.session.get_one(User, user_id).status for user_id in ids]


def test_those_ticked_are_approved_by_the_worker_each_with_a_line_and_a_mail(
    people, reviewer, signed_in
):
    ids = people.crowd(4)
    browser = signed_in(reviewer)
    ticked = "&".join(f"ids={user_id}" for user_id in ids[:3])
    page = browser.get(f"/admin/registrations/approval?{ticked}", follow_redirects=True)
    assert "Approve 3 registrations" in words(page)

    answer = confirm(browser, before("approval", *ids[:3]), level=level("guest").id)
    running = words(browser.get(answer.location))
    work()
    finished = words(browser.get(answer.location))

    assert answer.status_code == 303
    assert answer.location.startswith(f"{BULK}/")
    assert "0 of 3" in running
    assert "Done 0" in running
    assert "3 of 3" in finished
    assert "Finished on" in finished
    assert status_of(*ids) == [Status.APPROVED] * 3 + [Status.PENDING]
    kinds = [mail.kind for mail in outbox.waiting()]
    assert len(entries(Action.APPROVED)) == kinds.count("welcome") == 3


def test_all_that_match_are_those_who_matched_when_it_was_asked(people, reviewer, signed_in):
    ids = people.crowd(2)
    other = people.user(confirmed=True, language="de")
    browser = signed_in(reviewer)
    address = f"{BULK}?{urlencode({'deed': 'approval', 'all': 1, 'queue': 'language=en'})}"
    page = browser.get(address)
    later = people.crowd(1)

    browser.submit(
        address, to=BULK, deed="approval", people=people_on(page.text), level=level("guest").id
    )
    work()

    assert "Approve 2 registrations" in words(page)
    assert status_of(*ids, other.id, *later) == [Status.APPROVED] * 2 + [Status.PENDING] * 2


def test_the_queue_offers_the_step_on_all_that_match_where_they_fill_more_than_a_page(
    people, reviewer, signed_in
):
    people.crowd(51)
    browser = signed_in(reviewer)

    page = browser.get(f"{QUEUE}?q=person")
    link = re.search(r'href="(/admin/registrations/bulk\?deed=approval[^"]*)"', page.text)

    assert "All 51 that match:" in words(page)
    assert link
    assert "Approve 51 registrations" in words(browser.get(unescape(link.group(1))))
    assert "that match:" not in words(browser.get(f"{QUEUE}?q=nobody"))


def test_more_than_one_step_may_hold_are_cut_to_the_first_and_it_is_said(
    people, reviewer, signed_in, monkeypatch
):
    ids = people.crowd(3)
    monkeypatch.setattr(bulks, "MOST", 2)

    page = signed_in(reviewer).get(f"{BULK}?deed=approval&all=1&queue=")

    assert "More than 2 match." in words(page)
    assert people_on(page.text) == ".".join(map(str, ids[:2]))


def test_the_page_says_beforehand_who_is_left_out_and_why(a_user, reviewer, manager, signed_in):
    ada, una = a_user(full_name="Ada", confirmed=True), a_user(full_name="Una")
    ray, pat = a_user(full_name="Ray", confirmed=True), a_user(full_name="Pat", suspended=True)
    with transaction():
        approve(ray, by=manager, level=level("guest"))

    answer = signed_in(reviewer).get(before("approval", ada.id, una.id, ray.id, pat.id))
    page = words(answer)

    assert "Approve 1 registration" in page
    assert "3 people are left out" in page
    assert "Una : Nobody has confirmed this address yet" in page
    assert f"Ray : {manager.full_name} approved this on" in page
    assert "Pat : This account is suspended." in page
    assert people_on(answer.text) == str(ada.id)


def test_where_everybody_is_left_out_there_is_nothing_to_confirm(a_user, reviewer, signed_in):
    una = a_user()

    page = signed_in(reviewer).get(before("approval", una.id))

    assert "There is nobody left on whom this can be done." in words(page)
    assert 'name="people"' not in page.text


def test_what_was_decided_meanwhile_is_listed_and_the_rest_is_done(
    a_user, reviewer, manager, signed_in
):
    ada, ray = a_user(full_name="Ada", confirmed=True), a_user(full_name="Ray", confirmed=True)
    browser = signed_in(reviewer)
    answer = confirm(browser, before("approval", ada.id, ray.id), level=level("guest").id)
    with transaction():
        user = db.session.get_one(User, ray.id)
        approve(user, by=db.session.get_one(User, manager.id), level=level("extended"))
    work()

    page = words(browser.get(answer.location))

    assert "Done 1 Not done 1 Still to do 0" in page
    assert f"{manager.full_name} approved this on" in page
    assert status_of(ada.id) == [Status.APPROVED]


def test_nobody_is_asked_about_without_a_level_or_a_reason(people, reviewer, signed_in):
    ids = people.crowd(2)
    browser = signed_in(reviewer)

    no_level = confirm(browser, before("approval", *ids), level="")
    no_reason = confirm(browser, before("rejection", *ids))

    assert (no_level.status_code, no_reason.status_code) == (400, 400)
    assert "Choose an access level." in words(no_level)
    assert "Enter a reason, or send no mail." in words(no_reason)
    assert people_on(no_level.text) == ".".join(map(str, ids))
    assert db.session.scalars(db.select(Bulk)).all() == []


def test_a_standard_text_is_read_by_each_in_their_language(a_user, reviewer, manager, signed_in):
    ada, dora = a_user(confirmed=True), a_user(confirmed=True, language="de")
    with transaction():
        text = standard_text.edit_text(
            None,
            purpose=Purpose.REJECTION,
            name="Full",
            position=9,
            bodies={"en": "No room.", "de": "Kein Platz."},
            by=db.session.get_one(User, manager.id),
        )
    browser, address = signed_in(reviewer), before("rejection", ada.id, dora.id)
    both = confirm(browser, address, text=text.id, reason="Another one")

    confirm(browser, address, text=text.id)
    work()

    assert "Choose a standard text or write a reason, not both." in words(both)
    assert status_of(ada.id, dora.id) == [Status.REJECTED] * 2
    assert [db.session.get_one(User, each.id).rejection_reason for each in (ada, dora)] == [
        "No room.",
        "Kein Platz.",
    ]


def test_confirmation_mails_are_sent_again_but_not_at_once(a_user, reviewer, signed_in):
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=2)):
        old = [a_user(full_name=f"Old {number}") for number in range(2)]
    fresh = a_user(full_name="Fresh")
    browser = signed_in(reviewer)
    address = before("confirmation_mail", *(user.id for user in old), fresh.id)
    assert "Fresh : A mail left moments ago." in words(browser.get(address))

    answer = confirm(browser, address)
    work()

    assert {entry.about_id for entry in entries(Action.CONFIRMATION_RESENT)} == {
        user.id for user in old
    }
    assert "Undo" not in words(browser.get(answer.location))


def test_all_of_it_is_taken_back_while_its_mails_wait(people, reviewer, signed_in):
    ids = people.crowd(2)
    browser = signed_in(reviewer)
    page = confirm(browser, before("rejection", *ids), quiet="y").location
    work()
    assert "Reject 2 registrations · Done Look at it" in words(browser.get(QUEUE))
    assert "Undo all of it" in words(browser.get(page))

    answer = browser.submit(page, to=f"{page.partition('?')[0]}/undo")
    work()

    assert answer.status_code == 303
    assert "Undo 2 decisions" in words(browser.get(answer.location))
    assert "2 of 2" in words(browser.get(answer.location))
    assert status_of(*ids) == [Status.PENDING] * 2
    assert "This was undone." in words(browser.get(page))
    assert "Undo all of it" not in words(browser.get(page))


def test_undo_that_comes_too_late_says_so(people, reviewer, signed_in):
    ids = people.crowd(1)
    browser = signed_in(reviewer)
    page = confirm(browser, before("rejection", *ids), quiet="y").location
    work()

    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=15)):
        browser.submit(QUEUE, to=f"{page.partition('?')[0]}/undo")
        shown = words(browser.get(page))

    assert "It is too late to undo this" in shown
    assert "Undo all of it" not in shown
    assert status_of(*ids) == [Status.REJECTED]


def test_a_colleague_may_look_and_a_stopped_worker_is_said(people, reviewer, signed_in):
    ids = people.crowd(1)
    page = confirm(signed_in(reviewer), before("rejection", *ids), quiet="y").location
    colleague = signed_in(people.staff("reviewer"))

    stopped = words(colleague.get(page))
    heartbeat.beat()
    alive = words(colleague.get(page))

    assert f"Asked for by {reviewer.full_name}" in stopped
    assert "The worker does not run at the moment." in stopped
    assert "The worker does not run at the moment." not in alive
    assert "Reject 1 registration · Running" in words(colleague.get(QUEUE))


def test_the_page_asks_again_for_its_figures_alone_until_nothing_changes_any_more(
    people, reviewer, signed_in
):
    ids = people.crowd(1)
    browser = signed_in(reviewer)
    page = confirm(browser, before("rejection", *ids), quiet="y").location

    running = browser.get(page, headers={"HX-Request": "true"}).text
    work()
    undoable = browser.get(page, headers={"HX-Request": "true"}).text
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=15)):
        over = browser.get(page, headers={"HX-Request": "true"}).text

    assert [part.startswith('<div class="panel') for part in (running, undoable, over)] == [
        True
    ] * 3
    assert ["hx-trigger" in part for part in (running, undoable, over)] == [True, True, False]


@pytest.mark.settings(PORTAL_SESSIONS_STAFF_IDLE_MINUTES="60")
def test_a_page_that_goes_on_asking_keeps_no_session_alive(people, reviewer, new_browser):
    browser, start = new_browser(), datetime.now(UTC)
    with time_machine.travel(start, tick=False) as now:
        browser.sign_in(Person(reviewer.username))
        page = confirm(browser, before("rejection", *people.crowd(1)), quiet="y").location
        answers = []
        for _ in range(4):
            now.shift(timedelta(minutes=19))
            answers.append(browser.get(page, headers={"HX-Request": "true"}).status_code)

    assert answers == [200, 200, 200, 401]


def test_the_page_of_a_long_step_asks_no_more_than_that_of_a_short_one(
    people, reviewer, signed_in, counted
):
    browser = signed_in(reviewer)
    asked = []
    for size in (2, 9):
        ids = people.crowd(size, confirmed=False)
        page = confirm(browser, before("rejection", *ids), quiet="y").location
        for user_id in ids:
            with transaction():
                user = db.session.get_one(User, user_id)
                reject(user, by=None, reason="Meanwhile")
        work()
        browser.get(page)
        with counted() as statements:
            assert browser.get(page).status_code == 200
        asked.append(len(statements))

    assert asked[0] == asked[1] <= 12


@pytest.mark.both_databases(everyday="sqlite")
@pytest.mark.parametrize(
    "fields",
    [
        {"deed": "undo", "ids": "1"},
        {"deed": "approval", "ids": "x"},
        {"deed": "approval", "ids": "999"},
        {"deed": "approval", "people": "1..2", "level": "1"},
        {"deed": "approval", "people": "1.x", "level": "1"},
        {"deed": "approval", "people": "99999999999", "level": "1"},
        {"deed": "approval", "people": ".".join(map(str, range(1, 5003))), "level": "1"},
        {"deed": "approval", "people": "999", "level": "1"},
        {"deed": "approval", "people": "1", "level": "999"},
        {"deed": "rejection", "people": "1", "text": "999"},
        {"deed": "approval", "all": "1", "queue": "tab=nowhere"},
        {"deed": "approval", "all": "1", "queue": "level=x\0"},
        {"deed": "", "ids": "1"},
    ],
)
def test_wild_forms_ask_for_nothing(a_user, reviewer, signed_in, fields):
    a_user(confirmed=True)
    browser = signed_in(reviewer)
    token = browser.token("/account")
    before_it = everything()

    answer = browser.post(BULK, data={"csrf_token": token, **fields})

    assert answer.status_code in (400, 404)
    assert everything() == before_it


def test_a_step_that_nobody_asked_for_is_no_page(reviewer, signed_in):
    browser = signed_in(reviewer)

    assert browser.get(f"{BULK}/999").status_code == 404
    assert browser.submit("/account", to=f"{BULK}/999/undo").status_code == 404
