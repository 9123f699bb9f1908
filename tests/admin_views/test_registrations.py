"""Registrations in the panel: who is listed where, and what is decided about one and about many."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
import time_machine
from markupsafe import escape

from admin_views import decisions
from portal.accounts import directory
from portal.accounts.approval import approve, edit_reason
from portal.accounts.user import Status, User
from portal.audit import Action
from portal.database import db, transaction
from portal.mail import outbox
from tests.admin_views.panel import entries, everything, words
from tests.people import level

APPROVAL = "/admin/registrations/approval"
REJECTION = "/admin/registrations/rejection"
QUESTION = "/admin/registrations/question"
UNDO = "/admin/registrations/undo"


def ids_of(*users: User) -> list[str]:
    return [str(user.id) for user in users]


def asked(path: str, *users: User, back: str = "") -> str:
    """The address of the page before a decision, as the list's form makes it."""
    query = [f"ids={user.id}" for user in users]
    return f"{path}?{'&'.join(query)}" + (f"&back={quote(back, safe='')}" if back else "")


def kinds() -> list[str]:
    return [mail.kind for mail in outbox.waiting()]


def status_of(user: User) -> Status:
    db.session.expire_all()
    return db.session.get_one(User, user.id).status


def names_listed(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a [^>]*><bdi>([^<]*)</bdi>', page)


def test_those_who_wait_are_listed_longest_waiting_first(a_user, reviewer, signed_in):
    start = datetime.now(UTC) - timedelta(days=3)
    for hours, name in ((5, "Second"), (1, "First"), (9, "Third")):
        with time_machine.travel(start + timedelta(hours=hours), tick=False):
            a_user(full_name=name, confirmed=True, reason=f"{name} reason")
    a_user(full_name="Unconfirmed")
    a_user(full_name="Rejected", rejected=True)

    page = signed_in(reviewer).get("/admin/registrations/")

    assert names_listed(page.text) == ["First", "Second", "Third"]
    assert "First reason" in words(page)
    assert "3 days ago" in words(page)
    assert "Ready to review 3 Waiting for an answer 0 Unconfirmed 1 Decided 1" in words(page)


@pytest.mark.parametrize(
    ("tab", "name", "button"),
    [("unconfirmed", "Una", "/confirmation-mail?"), ("decided", "Ray", "/reopening?")],
)
def test_the_other_two_have_lists_of_their_own(a_user, reviewer, signed_in, tab, name, button):
    a_user(full_name="Una")
    a_user(full_name="Ray", rejected="Not one of ours")
    a_user(full_name="Penny", confirmed=True)

    page = signed_in(reviewer).get(f"/admin/registrations/?tab={tab}")

    assert names_listed(page.text) == [name]
    assert f"/admin/registrations{button}" in page.text
    assert ("Not one of ours" in page.text) == (tab == "decided")


def test_the_address_of_the_rejected_leads_to_what_was_decided(a_user, reviewer, signed_in):
    a_user(full_name="Ray", rejected="No")
    a_user(full_name="Ada", approved=True)
    browser = signed_in(reviewer)

    page = browser.get("/admin/registrations/?tab=rejected&q=person", follow_redirects=True)
    sheet = browser.get("/admin/registrations/export.csv?tab=rejected", follow_redirects=True)

    assert page.request.full_path == "/admin/registrations/?tab=decided&q=person&verdict=rejected"
    assert names_listed(page.text) == ["Ray"]
    assert (sheet.status_code, "Ray" in sheet.text, "Ada" in sheet.text) == (200, True, False)


def test_a_search_stays_in_its_tab(a_user, reviewer, signed_in):
    a_user(full_name="Ada Lovelace", confirmed=True)
    a_user(full_name="Ada Unconfirmed")
    a_user(full_name="Grace Hopper", confirmed=True)

    page = signed_in(reviewer).get("/admin/registrations/?q=ADA")

    assert names_listed(page.text) == ["Ada Lovelace"]


def test_a_long_list_is_read_page_by_page(a_user, reviewer, signed_in):
    names = []
    for number in range(52):
        names.append(f"Person {number:02}")
        a_user(full_name=names[-1], confirmed=True)
    browser = signed_in(reviewer)

    first = browser.get("/admin/registrations/?q=person").text
    following = re.search(r'rel="next" href="([^"]*)"', first)
    assert following
    second = browser.get(following.group(1).replace("&amp;", "&")).text

    assert names_listed(first) == names[:50]
    assert names_listed(second) == names[50:]
    assert 'rel="prev"' in second
    assert 'rel="next"' not in second
    assert 'name="q" value="person"' in second


def test_nobody_is_approved_at_a_level_that_nobody_chose(a_user, reviewer, signed_in):
    ada = a_user(confirmed=True)

    answer = signed_in(reviewer).submit(
        asked(APPROVAL, ada), to=APPROVAL, ids=ids_of(ada), level=""
    )

    assert answer.status_code == 400
    assert "Choose an access level." in answer.get_data(as_text=True)
    assert ada.approved_at is None


def test_one_is_approved_at_the_level_chosen(a_user, reviewer, signed_in):
    ada = a_user(full_name="Ada", confirmed=True)
    browser = signed_in(reviewer)

    answer = browser.submit(
        asked(APPROVAL, ada), to=APPROVAL, ids=ids_of(ada), level=level("standard").id
    )

    assert (answer.status_code, answer.location) == (303, "/admin/registrations/")
    assert status_of(ada) is Status.APPROVED
    assert db.session.get_one(User, ada.id).access_level == level("standard")
    assert [(e.about_id, e.by_id, e.details) for e in entries(Action.APPROVED)] == [
        (ada.id, reviewer.id, {"level": "standard"})
    ]
    assert kinds().count("welcome") == 1
    assert words(browser.get("/admin/registrations/")).count("approved.") == 1


def test_the_same_decision_sent_twice_happens_once(a_user, reviewer, signed_in):
    ada = a_user(confirmed=True)
    browser = signed_in(reviewer)
    for _ in range(2):
        answer = browser.submit("/account", to=APPROVAL, ids=ids_of(ada), level=level("guest").id)
        assert answer.status_code == 303

    assert len(entries(Action.APPROVED)) == kinds().count("welcome") == 1


def test_one_comes_back_to_the_list_as_one_left_it(a_user, reviewer, signed_in):
    ada = a_user(confirmed=True)
    back = "/admin/registrations/?q=person&tab=ready"
    browser = signed_in(reviewer)
    assert f'name="back" value="{escape(back)}"' in browser.get(back).text

    answer = browser.submit(
        asked(APPROVAL, ada, back=back),
        to=APPROVAL,
        ids=ids_of(ada),
        level=level("guest").id,
        back=back,
    )

    assert answer.location == back


@pytest.mark.parametrize(
    "back", ["https://evil.example", "//evil.example", "/\\evil", "x", "a" * 9]
)
def test_the_way_back_leads_nowhere_else(a_user, reviewer, signed_in, back):
    ada = a_user(confirmed=True)

    answer = signed_in(reviewer).submit(
        "/account", to=APPROVAL, ids=ids_of(ada), level=level("guest").id, back=back
    )

    assert answer.location == "/admin/registrations/"


def test_whoever_decides_the_last_page_away_comes_back_to_the_first(a_user, reviewer, signed_in):
    ada, last = a_user(full_name="Ada", confirmed=True), a_user(confirmed=True)
    cursor = directory.page(
        status=Status.PENDING, order=directory.Order.OLDEST_CONFIRMATION, per_page=1
    ).after
    with transaction():
        approve(last, by=None, level=level("guest"))

    page = signed_in(reviewer).get(f"/admin/registrations/?cursor={cursor}")

    assert names_listed(page.text) == [ada.full_name]


def test_a_rejection_needs_a_reason_that_the_person_reads(a_user, reviewer, signed_in):
    ray = a_user(full_name="Ray", confirmed=True, language="de")
    browser = signed_in(reviewer)
    assert "Their language: Deutsch." in words(browser.get(asked(REJECTION, ray)))

    empty = browser.submit(asked(REJECTION, ray), to=REJECTION, ids=ids_of(ray))
    done = browser.submit(
        asked(REJECTION, ray), to=REJECTION, ids=ids_of(ray), reason="  Not one of ours.  "
    )

    assert (empty.status_code, done.status_code) == (400, 303)
    assert "Enter a reason, or send no mail." in words(empty)
    assert db.session.get_one(User, ray.id).rejection_reason == "Not one of ours."
    assert kinds().count("rejected") == 1


def test_spam_is_rejected_without_a_word(a_user, reviewer, signed_in):
    spam = a_user(confirmed=True)

    signed_in(reviewer).submit(asked(REJECTION, spam), to=REJECTION, ids=ids_of(spam), quiet="y")

    assert status_of(spam) is Status.REJECTED
    assert kinds().count("rejected") == 0
    assert [entry.details["told"] for entry in entries(Action.REJECTED)] == [False]


def test_nothing_typed_is_lost_when_something_is_refused(a_user, reviewer, manager, signed_in):
    ray = a_user(full_name="Ray", confirmed=True)
    browser = signed_in(reviewer)

    too_long = browser.submit(
        asked(REJECTION, ray), to=REJECTION, ids=ids_of(ray), reason="Long " * 300, quiet="y"
    )
    with transaction():
        approve(db.session.merge(ray), by=manager, level=level("guest"))
    too_late = browser.submit(
        "/account", to=REJECTION, ids=ids_of(ray), reason="A long explanation"
    )

    assert too_long.status_code == 400
    assert "Long Long" in too_long.text
    assert re.search(r'name="quiet"[^>]* checked', too_long.text)
    assert f'name="ids" value="{ray.id}"' in too_long.text
    assert "<title>Error: " in too_long.text
    assert too_late.status_code == 409
    assert "A long explanation" in too_late.text


def test_a_rejection_is_taken_back(a_user, reviewer, signed_in):
    ray = a_user(rejected="Not one of ours")

    signed_in(reviewer).submit(
        asked("/admin/registrations/reopening", ray),
        to="/admin/registrations/reopening",
        ids=ids_of(ray),
    )

    assert status_of(ray) is Status.PENDING


def test_a_confirmation_mail_is_sent_again_but_not_at_once(a_user, reviewer, signed_in):
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=2)):
        old = a_user(full_name="Old")
    fresh = a_user(full_name="Fresh")
    path = "/admin/registrations/confirmation-mail"
    browser = signed_in(reviewer)
    assert "Fresh : A mail left moments ago." in words(browser.get(asked(path, fresh)))

    answer = browser.submit(asked(path, old), to=path, ids=ids_of(old))

    assert answer.status_code == 303
    assert [entry.about_id for entry in entries(Action.CONFIRMATION_RESENT)] == [old.id]


def test_nobody_ticked_is_said_and_nothing_happens(reviewer, signed_in):
    browser = signed_in(reviewer)

    answer = browser.get(APPROVAL, follow_redirects=True)

    assert "Tick at least one row first." in words(answer)


def test_more_rows_than_a_list_shows_are_not_taken_at_once(a_user, reviewer, signed_in):
    a_user(confirmed=True)
    browser = signed_in(reviewer)
    many = [str(number) for number in range(1, decisions.MOST + 2)]
    before = everything()

    shown = browser.get(f"{APPROVAL}?" + "&".join(f"ids={number}" for number in many))
    taken = browser.submit("/account", to=APPROVAL, ids=many, level=level("guest").id)

    assert (shown.status_code, taken.status_code) == (400, 400)
    assert everything() == before


def test_people_who_do_not_exist_are_no_page(reviewer, signed_in):
    assert signed_in(reviewer).get(f"{APPROVAL}?ids=4711").status_code == 404


def test_two_who_decide_at_once_decide_once(a_user, people, signed_in):
    ada = a_user(confirmed=True)
    first, second = (signed_in(people.staff("reviewer")) for _ in range(2))
    tokens = [browser.token("/account") for browser in (first, second)]

    answers = [
        browser.post(
            path,
            data={"csrf_token": token, "ids": str(ada.id), "level": "1", "reason": "No"},
        ).status_code
        for browser, token, path in zip((first, second), tokens, (REJECTION, APPROVAL), strict=True)
    ]

    assert answers == [303, 409]
    assert status_of(ada) is Status.REJECTED
    assert not entries(Action.APPROVED)


def seen_on(page: str) -> str:
    """Which version of the registration the page before a decision shows."""
    found = re.search(r'name="seen" value="(\d+)"', page)
    assert found
    return found.group(1)


@pytest.mark.both_databases(everyday="postgresql")
def test_the_second_who_decides_is_told_who_did_and_when_even_if_they_agree(
    a_user, people, signed_in
):
    ada = a_user(confirmed=True)
    ann, bob = people.staff("reviewer"), people.staff("reviewer")
    browsers = [signed_in(ann), signed_in(bob)]
    shown = [seen_on(browser.get(asked(APPROVAL, ada)).text) for browser in browsers]

    first, second = (
        browser.submit("/account", to=APPROVAL, ids=ids_of(ada), seen=seen, level=level("guest").id)
        for browser, seen in zip(browsers, shown, strict=True)
    )

    assert (first.status_code, second.status_code) == (303, 409)
    assert f"{ann.full_name} changed this while you looked at it: Approved," in words(second)
    assert [entry.by_id for entry in entries(Action.APPROVED)] == [ann.id]


def test_ones_own_form_sent_twice_is_no_news(a_user, reviewer, signed_in):
    ada = a_user(confirmed=True)
    browser = signed_in(reviewer)
    seen = seen_on(browser.get(asked(APPROVAL, ada)).text)

    answers = [
        browser.submit("/account", to=APPROVAL, ids=ids_of(ada), seen=seen, level=level("guest").id)
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert len(entries(Action.APPROVED)) == 1


def test_what_the_applicant_changed_meanwhile_is_read_before_deciding(a_user, reviewer, signed_in):
    ada = a_user(full_name="Ada", confirmed=True, reason="I forgot")
    browser = signed_in(reviewer)
    account = browser.get(f"/admin/accounts/{ada.id}").text
    link = re.search(r'href="(/admin/registrations/rejection[^"]*)"', account)
    assert link
    with transaction():
        edit_reason(db.session.get_one(User, ada.id), reason="To do my work")
    page = browser.get(link.group(1).replace("&amp;", "&")).text

    refused = browser.submit(
        "/account", to=REJECTION, ids=ids_of(ada), seen=seen_on(page), reason="Says nothing"
    )
    again = browser.submit(
        "/account", to=REJECTION, ids=ids_of(ada), seen=seen_on(refused.text), reason="Says nothing"
    )

    assert refused.status_code == 409
    assert "Ada changed this while you looked at it: Reason for asking edited," in words(refused)
    assert "Says nothing" in refused.text
    assert again.status_code == 303


@pytest.mark.parametrize("seen", ["", "-1", "x", "9" * 30, "١"])
def test_a_version_that_cannot_be_is_out_of_date(a_user, reviewer, signed_in, seen):
    ada = a_user(confirmed=True)

    answer = signed_in(reviewer).submit(
        "/account", to=APPROVAL, ids=ids_of(ada), seen=seen, level=level("guest").id
    )

    assert (answer.status_code, status_of(ada)) == (409, Status.PENDING)


def test_a_question_is_asked_through_its_page_and_the_tab_shows_whom(a_user, reviewer, signed_in):
    ada = a_user(full_name="Ada", confirmed=True)
    browser = signed_in(reviewer)
    page = browser.get(asked(QUESTION, ada))
    assert "What do you want to use, and what for?" in page.text

    answer = browser.submit(asked(QUESTION, ada), ids=ids_of(ada), question="Which team?")

    assert answer.status_code == 303
    assert kinds()[-1:] == ["question"]
    assert names_listed(browser.get("/admin/registrations/?tab=asked").text) == ["Ada"]
    assert names_listed(browser.get("/admin/registrations/").text) == []


def test_what_one_decided_just_now_stands_above_the_queue_with_undo(
    a_user, people, signed_in, reviewer
):
    ada = a_user(full_name="Ada", confirmed=True)
    browser, colleague = signed_in(reviewer), signed_in(people.staff("reviewer"))
    browser.submit(asked(APPROVAL, ada), ids=ids_of(ada), level=level("guest").id)
    assert "Ada is approved. Undo" in words(browser.get("/admin/registrations/"))
    assert "Ada is approved." not in words(colleague.get("/admin/registrations/"))

    answer = browser.submit("/admin/registrations/", to=UNDO, ids=ids_of(ada))

    assert answer.status_code == 303
    assert status_of(ada) is Status.PENDING
    assert "welcome" not in kinds()


def test_undo_that_comes_too_late_says_what_to_do_instead(a_user, reviewer, signed_in):
    ada = a_user(confirmed=True)
    browser = signed_in(reviewer)
    browser.submit(asked(APPROVAL, ada), ids=ids_of(ada), level=level("guest").id)

    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=15)):
        answer = browser.submit("/account", to=UNDO, ids=ids_of(ada))

    assert answer.status_code == 409
    assert "It is too late to undo this" in words(answer)
    assert status_of(ada) is Status.APPROVED
