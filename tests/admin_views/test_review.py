"""The page of a registration: what there is to know, the forms, and the mail before it is sent."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from portal import clock
from portal.accounts.approval import reject
from portal.accounts.user import Status, User
from portal.audit import Action
from portal.database import db, transaction
from portal.desk import claim, question, review, standard_text
from portal.desk.standard_text import Purpose
from portal.mail import outbox
from tests.admin_views.panel import a_busy_portal, entries, everything, words
from tests.conftest import Browser
from tests.people import level

LIST = "/admin/registrations/"
REASON = "I work in the archive and read old letters there"


@pytest.fixture
def ada(a_user) -> User:
    return a_user(
        full_name="Ada Lovelace", email="ada@archive.example.org", confirmed=True, reason=REASON
    )


@pytest.fixture
def samira(a_user) -> User:
    return a_user(full_name="Samira Nasser", language="ar", confirmed=True)


def page_of(user: User) -> str:
    return f"/admin/registrations/{user.id}"


def letter_of(user: User, kind: str) -> str:
    return f"{page_of(user)}/letter?kind={kind}"


def sent_by_the_page(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that goes to this address."""
    form = page[page.index(f'action="/admin/registrations/{action}"') :].partition("</form>")[0]
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form))


def test_it_tells_who_asks_and_all_that_a_decision_takes(ada, a_user, reviewer, signed_in):
    like = a_user(full_name="Ada Lovelace", email="other@example.org", confirmed=True)
    with transaction():
        review.of(db.session.merge(ada)).wished_level = level("standard")

    answer = signed_in(reviewer).get(page_of(ada))

    page = words(answer)
    assert "Your role may not give" not in page
    for fact in ("ada@archive.example.org", "archive.example.org", REASON, "English", "Same name"):
        assert fact in page
    assert "They wish for standard ." in page
    assert "Waiting since" in page
    assert "Mail: Confirm your address" in page
    assert f'href="/admin/accounts/{like.id}"' in answer.text
    assert f'<option selected value="{level("standard").id}">standard' in answer.text


def test_a_wish_above_what_may_be_given_chooses_nothing_and_says_why(ada, reviewer, signed_in):
    with transaction():
        review.of(db.session.merge(ada)).wished_level = level("extended")

    page = signed_in(reviewer).get(page_of(ada))

    refused = "Your role may not give the access level extended ."
    assert f"They wish for extended . {refused}" in words(page)
    assert '<option selected value="">Choose' in page.text


def test_the_reason_of_a_rejection_is_not_called_optional(ada, reviewer, signed_in):
    browser = signed_in(reviewer)

    for address in (page_of(ada), f"/admin/registrations/rejection?ids={ada.id}"):
        assert "(optional)" not in words(browser.get(address))


def test_it_tells_the_time_where_they_are(ada, reviewer, signed_in):
    with transaction():
        db.session.merge(ada).time_zone = "Asia/Riyadh"
    browser = signed_in(reviewer)

    with time_machine.travel("2026-05-04T12:00:00+00:00", tick=False):
        browser = signed_in(reviewer)
        assert re.search(
            r"3:00\sPM \(Asia/Riyadh\)|15:00 \(Asia/Riyadh\)", words(browser.get(page_of(ada)))
        )


@pytest.mark.parametrize(
    ("status", "offered"),
    [
        ("unconfirmed", {"rejection", "confirmation"}),
        ("pending", {"approval", "rejection", "question"}),
        ("approved", {"undo"}),
        ("rejected", {"reopening", "undo"}),
        ("suspended", set()),
    ],
)
def test_it_offers_the_steps_that_are_open_and_no_others(
    a_user, reviewer, signed_in, status, offered
):
    panel = a_busy_portal(a_user)

    page = signed_in(reviewer).get(page_of(panel[status])).text

    main = page[page.index("<main") :]
    forms = re.findall(r'action="/admin/registrations/([a-z-]+)"', main)
    links = re.findall(r'href="/admin/(?:registrations|accounts/\d+)/([a-z-]+)\?', main)
    assert {*forms, *links} == offered


def test_one_decides_on_the_page_itself(ada, reviewer, signed_in):
    browser = signed_in(reviewer)
    sent = sent_by_the_page(browser.get(page_of(ada)).text, "approval")

    answer = browser.post(
        "/admin/registrations/approval", data={**sent, "level": str(level("guest").id)}
    )

    assert answer.status_code == 303
    assert db.session.get_one(User, ada.id).status is Status.APPROVED


def test_what_a_form_lacks_is_said_with_nothing_lost(ada, reviewer, signed_in):
    browser = signed_in(reviewer)
    sent = sent_by_the_page(browser.get(page_of(ada)).text, "rejection")

    answer = browser.post("/admin/registrations/rejection", data=sent)

    assert answer.status_code == 400
    assert "Enter a reason, or send no mail." in words(answer)
    assert f'href="{page_of(ada)}"' in answer.text


def test_of_two_who_look_at_the_page_the_second_is_refused_with_who_and_what(
    ada, reviewer, manager, signed_in
):
    first, second = signed_in(reviewer), signed_in(manager)
    early = sent_by_the_page(first.get(page_of(ada)).text, "approval")
    late = sent_by_the_page(second.get(page_of(ada)).text, "rejection")

    first.post("/admin/registrations/approval", data={**early, "level": str(level("guest").id)})
    answer = second.post("/admin/registrations/rejection", data={**late, "reason": "No room"})

    assert answer.status_code == 409
    assert reviewer.full_name in words(answer)
    assert "Approved" in words(answer)
    assert db.session.get_one(User, ada.id).status is Status.APPROVED
    assert entries(Action.REJECTED) == []


def test_a_text_of_the_staff_is_put_into_the_field_in_the_applicants_language(
    samira, reviewer, signed_in
):
    with transaction():
        text = standard_text.edit_text(
            None,
            purpose=Purpose.REJECTION,
            name="No room",
            position=0,
            bodies={"en": "We have no room.", "ar": "لا مكان لدينا."},
            by=reviewer,
        )
    browser = signed_in(reviewer)
    page = browser.get(page_of(samira)).text
    assert f'<option value="{text.id}" data-body="لا مكان لدينا.">No room</option>' in page
    before = everything()

    answer = browser.post(
        "/admin/registrations/rejection",
        data={**sent_by_the_page(page, "rejection"), "text": str(text.id), "use": "1"},
    )

    assert answer.status_code == 200
    assert "لا مكان لدينا.</textarea>" in answer.text
    assert everything() == before


@pytest.mark.parametrize("kind", ["rejection", "question"])
def test_the_mail_is_shown_before_it_is_sent_in_the_applicants_language(
    samira, reviewer, signed_in, kind
):
    browser = signed_in(reviewer)
    sent = sent_by_the_page(browser.get(page_of(samira)).text, kind)
    before = everything()

    answer = browser.post(
        letter_of(samira, kind), data={**sent, "reason": "لا مكان", "question": "لا مكان"}
    )

    assert answer.status_code == 200
    assert '<html lang="ar" dir="rtl"' in answer.text
    assert "لا مكان" in answer.text
    assert "Samira Nasser" in answer.text
    assert everything() == before


def test_the_mail_shown_is_the_mail_sent(ada, reviewer, signed_in):
    browser = signed_in(reviewer)
    sent = sent_by_the_page(browser.get(page_of(ada)).text, "rejection") | {"reason": "No room"}
    shown = words(browser.post(letter_of(ada, "rejection"), data=sent))

    with transaction():
        reject(db.session.merge(ada), by=reviewer, reason="No room")

    assert outbox.waiting()[-1].kind == "rejected"
    for line in ("Hello Ada Lovelace ,", "did not approve it.", "No room", "tell our staff."):
        assert line in shown


def test_no_link_in_it_leads_anywhere(ada, reviewer, signed_in):
    browser = signed_in(reviewer)

    for kind in ("rejection", "question"):
        answer = browser.get(letter_of(ada, kind))

        assert "href=" not in answer.text
        assert not re.search(r"http://[^\s<]+/[^…\s<]", answer.text)


def test_it_runs_nothing_and_stands_in_a_frame_of_the_portal_alone(ada, reviewer, signed_in):
    answer = signed_in(reviewer).get(letter_of(ada, "rejection"))

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'self'" in policy
    assert policy.endswith("sandbox")
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"quiet": "y"}, "They get no mail."),
        ({}, "Enter a reason, or send no mail."),
    ],
)
def test_where_there_is_no_mail_the_frame_says_so(ada, reviewer, signed_in, fields, sentence):
    browser = signed_in(reviewer)
    sent = sent_by_the_page(browser.get(page_of(ada)).text, "rejection")

    assert sentence in words(browser.post(letter_of(ada, "rejection"), data={**sent, **fields}))


def test_whoever_has_not_confirmed_gets_no_mail(a_user, reviewer, signed_in):
    una = a_user(full_name="Una")
    browser = signed_in(reviewer)

    assert "letter-frame" not in browser.get(page_of(una)).text
    assert "Nobody who has not confirmed" in words(browser.get(letter_of(una, "rejection")))


def test_earlier_decisions_are_told(ada, reviewer, manager, signed_in):
    start = clock.now()
    with transaction():
        reject(db.session.merge(ada), by=manager, reason="No room")
    browser = signed_in(reviewer)
    with time_machine.travel(start + timedelta(hours=1)):
        browser = signed_in(reviewer)
        token = browser.token("/account")
        browser.post(
            "/admin/registrations/reopening", data={"csrf_token": token, "ids": str(ada.id)}
        )
        page = words(browser.get(page_of(ada)))

    told = page[page.index("Decisions so far") :]
    assert told.startswith(f"Decisions so far Rejected {manager.full_name}")


def test_a_question_in_the_air_does_not_keep_anybody_from_deciding(ada, reviewer, signed_in):
    with transaction():
        question.ask(db.session.merge(ada), by=reviewer, question="Which team?")

    page = signed_in(reviewer).get(page_of(ada))

    assert "A question waits for their answer." in words(page)
    assert 'action="/admin/registrations/approval"' in page.text
    assert 'action="/admin/registrations/question"' not in page.text


def test_it_asks_the_database_a_bounded_number_of_questions(
    ada, a_user, reviewer, signed_in, counted
):
    for _ in range(4):
        a_user(full_name="Ada Lovelace", reason=REASON, confirmed=True)
    browser = signed_in(reviewer)
    browser.get(page_of(ada))

    with counted() as asked:
        browser.get(page_of(ada))

    assert len(asked) <= 28, "\n".join(asked)


@pytest.fixture
def three(a_user) -> list[User]:
    """Three who wait, the longest waiting first; the second is of another domain."""
    made = []
    start = clock.now() - timedelta(days=3)
    for number, address in enumerate(("a@one.org", "b@two.org", "c@one.org")):
        with clock.at(start + timedelta(hours=number)):
            made.append(a_user(full_name=f"Person {address}", email=address, confirmed=True))
    return made


def approve_on(page: str, browser: Browser) -> Any:
    """Approve on the page of a registration, as its form does. Where that leads."""
    sent = sent_by_the_page(browser.get(page).text, "approval")
    sent["back"] = sent["back"].replace("&amp;", "&")
    return browser.post(
        "/admin/registrations/approval", data={**sent, "level": str(level("guest").id)}
    )


def test_after_a_decision_the_next_one_comes_up_with_a_way_to_undo(three, reviewer, signed_in):
    browser = signed_in(reviewer)

    answer = approve_on(page_of(three[0]), browser)

    assert (answer.status_code, answer.location) == (303, page_of(three[1]))
    page = browser.get(answer.location).text
    undone = sent_by_the_page(page, "undo")
    assert undone["ids"] == str(three[0].id)
    answer = browser.post("/admin/registrations/undo", data=undone)
    assert answer.location == page_of(three[0])
    assert db.session.get_one(User, three[0].id).status is Status.PENDING


def test_the_next_one_is_within_the_filters_of_the_page(three, reviewer, signed_in):
    browser = signed_in(reviewer)

    answer = approve_on(page_of(three[0]) + "?domain=one.org&cols=marks", browser)

    assert answer.location == page_of(three[2]) + "?domain=one.org&cols=marks"


def test_one_goes_on_where_one_is_and_in_the_end_begins_anew(three, reviewer, signed_in):
    browser = signed_in(reviewer)

    assert approve_on(page_of(three[1]), browser).location == page_of(three[2])
    assert approve_on(page_of(three[2]), browser).location == page_of(three[0])


def test_deciding_from_a_row_of_the_list_leads_to_the_next_one_too(three, reviewer, signed_in):
    browser = signed_in(reviewer)
    kept = "tab=ready&domain=one.org&cols=marks"
    sent = {"ids": str(three[0].id), "reason": "No", "back": f"{LIST}?{kept}&cursor=x"}

    answer = browser.submit("/account", to=f"{LIST}rejection", **sent)

    assert answer.location == page_of(three[2]) + f"?{kept}"
    page = browser.get(answer.location)
    assert words(page).count("rejected.") == 1
    assert f'href="{LIST}?{kept.replace("&", "&amp;")}"' in page.text


def test_deciding_from_a_row_of_another_list_leads_back_to_that(three, a_user, reviewer, signed_in):
    una = a_user(full_name="Una")
    back = f"{LIST}?tab=unconfirmed&cursor=x"

    answer = signed_in(reviewer).submit(
        "/account", to=f"{LIST}rejection", ids=str(una.id), quiet="y", back=back
    )

    assert answer.location == back


@pytest.mark.settings(PORTAL_DESK_UNDO_SECONDS="0")
def test_a_decision_that_cannot_be_undone_is_said_all_the_same(ada, reviewer, signed_in):
    browser = signed_in(reviewer)

    page = words(browser.get(approve_on(page_of(ada), browser).location))

    assert "1 registration is approved." in page
    assert "Undo (" not in page


def test_after_the_last_one_the_list_says_so(three, reviewer, signed_in):
    browser = signed_in(reviewer)

    answer = approve_on(page_of(three[1]) + "?domain=two.org", browser)

    assert answer.location == "/admin/registrations/?domain=two.org"
    page = words(browser.get(answer.location))
    assert "That was the last one here." in page
    assert "Nobody waits for you" not in page, "others wait outside of these filters"


def test_after_the_last_one_of_all_nobody_waits(ada, reviewer, signed_in):
    browser = signed_in(reviewer)

    answer = approve_on(page_of(ada), browser)

    assert "Nobody waits for you now." in words(browser.get(answer.location))


def test_whom_a_colleague_looks_at_comes_later(three, reviewer, manager, signed_in):
    browser = signed_in(reviewer)
    with transaction():
        claim.hold(db.session.merge(three[1]).id, by_id=manager.id)

    assert approve_on(page_of(three[0]), browser).location == page_of(three[2])
    assert approve_on(page_of(three[2]), browser).location == page_of(three[1])


def test_links_lead_to_those_before_and_after(three, reviewer, signed_in):
    browser = signed_in(reviewer)

    page = browser.get(page_of(three[1]) + "?q=person").text

    assert f'rel="prev" href="{page_of(three[0])}?q=person"' in page
    assert f'rel="next" href="{page_of(three[2])}?q=person"' in page
    assert 'rel="prev"' not in browser.get(page_of(three[0])).text


def test_what_a_list_of_others_leads_to_goes_back_to_it(a_user, reviewer, signed_in):
    una = a_user(full_name="Una")
    browser = signed_in(reviewer)
    page = browser.get(page_of(una) + "?tab=unconfirmed").text
    sent = sent_by_the_page(page, "rejection") | {"quiet": "y"}

    answer = browser.post("/admin/registrations/rejection", data=sent)

    assert answer.location == "/admin/registrations/?tab=unconfirmed"


def test_nothing_is_decided_from_filters_that_mean_nothing(ada, reviewer, signed_in):
    browser = signed_in(reviewer)
    sent = sent_by_the_page(browser.get(page_of(ada)).text, "approval")
    sent |= {"back": page_of(ada) + "?mark=nonsense", "level": str(level("guest").id)}

    assert browser.post("/admin/registrations/approval", data=sent).status_code == 404
    assert db.session.get_one(User, ada.id).status is Status.PENDING
