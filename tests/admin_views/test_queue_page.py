"""The list of registrations: what its rows show, what narrows it, and what its address keeps."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine

from admin_views import filters
from portal.accounts.user import User
from portal.database import db, transaction
from portal.desk import claim, review
from portal.mail import lease, outbox
from tests.admin_views.panel import fail, words
from tests.people import level

LIST = "/admin/registrations/"


def names(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a [^>]*><bdi>([^<]*)</bdi>', page)


def chips(page: str) -> list[tuple[str, str]]:
    """What each chip says, and where it leads."""
    found = re.findall(r'<a class="chip" href="([^"]*)"><span>(.*?)</span>', page)
    return [(re.sub(r"<[^>]+>", "", said), unescape(url)) for url, said in found]


def headings(page: str) -> list[str]:
    return re.findall(r'<th scope="col">([^<]+)</th>', page)


@pytest.fixture
def browser(reviewer, signed_in):
    return signed_in(reviewer)


def test_a_row_shows_all_that_tells_one_request_from_another(a_user, browser):
    with time_machine.travel(datetime.now(UTC) - timedelta(days=3)):
        ada = a_user(
            full_name="Ada",
            email="ada@haworth.example",
            language="de",
            reason="For my work",
            confirmed=True,
        )
    with transaction():
        review.of(db.session.get_one(User, ada.id)).wished_level_id = level("extended").id

    page = browser.get(LIST)

    row = words(page).partition("What you can do")[2]
    for said in ("ada@haworth.example", "@haworth.example", "For my work", "3 days ago"):
        assert said in row
    for said in ("Deutsch", "extended", "Waiting"):
        assert said in row
    assert f'href="/admin/registrations/{ada.id}"' in page.text


def test_a_row_tells_whether_the_last_mail_arrived_and_why_it_did_not(a_user, browser):
    a_user(full_name="Ada", confirmed=True)
    for mail in outbox.waiting():
        fail(mail)
    a_user(full_name="Bob", confirmed=True)
    for mail in outbox.waiting():
        taken = lease.take(mail.id)
        assert taken is not None
        lease.mark_delivered(taken)

    page = words(browser.get(LIST))

    assert "Failed The mail server refuses this recipient or this mail. (550)" in page
    assert "Delivered" in page


def test_a_row_tells_who_looks_at_it_until_that_lapses(a_user, people, reviewer, browser):
    ann = people.staff("reviewer")
    ada, bob = a_user(full_name="Ada", confirmed=True), a_user(full_name="Bob", confirmed=True)
    with time_machine.travel(datetime.now(UTC) - timedelta(seconds=90)), transaction():
        claim.hold(ada.id, by_id=ann.id)
    with transaction():
        claim.hold(bob.id, by_id=reviewer.id)
    now = browser.get(LIST)
    only_hers = browser.get(f"{LIST}?claimed={ann.id}")
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=5)):
        later = browser.get(LIST)

    assert f"{ann.full_name} has been looking at it for" in words(now)
    assert "You look at it now." in words(now)
    assert f'<option value="{ann.id}">{ann.full_name}</option>' in now.text
    assert names(only_hers.text) == ["Ada"]
    assert chips(only_hers.text)[0][0] == f"Who looks at it: {ann.full_name}"
    assert "look" not in words(later).partition("What you can do")[2]


def test_each_filter_is_a_chip_that_takes_itself_away_alone(a_user, reviewer, signed_in):
    a_user(full_name="Ada", email="ada@haworth.example", confirmed=True)
    a_user(full_name="Bob", email="bob@haworth.example", language="de", confirmed=True)
    asked = f"{LIST}?domain=haworth.example&language=de&age=2&claimed=nobody&cols=reason"

    with time_machine.travel(datetime.now(UTC) + timedelta(hours=3)):
        page = signed_in(reviewer).get(asked).text

    assert names(page) == ["Bob"]
    said, links = zip(*chips(page), strict=True)
    assert said == (
        "Domain: haworth.example",
        "Language: Deutsch",
        "Waiting for at least: 2 hours",
        "Who looks at it: Nobody",
    )
    without_the_language = parse_qs(urlsplit(links[1]).query)
    assert "language" not in without_the_language
    assert {"domain", "age", "claimed", "cols"} <= without_the_language.keys()
    assert f'href="{LIST}?tab=ready&amp;cols=reason"' in page


def test_a_row_leads_to_all_of_its_domain(a_user, browser):
    a_user(full_name="Ada", email="ada@haworth.example", confirmed=True)
    a_user(full_name="Bob", confirmed=True)

    link = re.search(r'href="([^"]*domain=haworth[^"]*)"', browser.get(f"{LIST}?age=0").text)

    assert link
    assert names(browser.get(unescape(link.group(1))).text) == ["Ada"]


def test_filters_and_columns_survive_a_decision(a_user, browser):
    ada = a_user(full_name="Ada", confirmed=True)
    page = browser.get(f"{LIST}?language=en&cols=reason&cols=username").text
    found = re.search(r'name="back" value="([^"]*)"', page)
    assert found
    back = unescape(found.group(1))

    answer = browser.submit(
        "/account",
        to="/admin/registrations/rejection",
        ids=str(ada.id),
        reason="No",
        back=back,
    )

    assert answer.location == back == f"{LIST}?language=en&cols=reason&cols=username"


def test_an_empty_result_says_what_to_do_about_it(a_user, browser):
    a_user(full_name="Ada", confirmed=True)

    page = browser.get(f"{LIST}?language=de&cols=reason")

    assert "Nobody matches these filters" in words(page)
    assert f'href="{LIST}?tab=ready&amp;cols=reason">Remove all filters</a>' in page.text


def test_the_columns_are_chosen_in_the_address(a_user, browser):
    a_user(full_name="Ada", username="countess", reason="For my work", confirmed=True)

    usual = browser.get(LIST).text
    few = browser.get(f"{LIST}?cols=username&cols=language").text
    unknown = browser.get(f"{LIST}?cols=xyz").text

    assert headings(usual) == headings(unknown)
    assert headings(usual)[2:] == ["Why they ask", "Last mail", "Language", "Level wished"]
    assert headings(few)[2:] == ["Language", "Username"]
    assert "countess" in few
    assert "For my work" not in few


def test_columns_that_were_chosen_are_there_again_for_whoever_chose_them(
    a_user, people, reviewer, browser, signed_in
):
    a_user(full_name="Ada", username="countess", confirmed=True)
    a_user(full_name="Una")
    usual = headings(browser.get(LIST).text)

    answer = browser.submit(
        "/account", to=f"{LIST}columns?tab=ready&q=ada", cols=["username", "reason", "nonsense"]
    )

    assert answer.location == f"{LIST}?tab=ready&q=ada&cols=reason%2Cusername"
    assert headings(browser.get(LIST).text)[2:] == ["Why they ask", "Username"]
    assert headings(browser.get(f"{LIST}?cols=mail").text)[2:] == ["Last mail"]
    assert headings(browser.get(f"{LIST}?tab=unconfirmed").text)[2:] == usual[2:]
    colleague = signed_in(people.staff("reviewer"))
    colleague.take(f"columns-{reviewer.id}", str(browser.cookie(f"columns-{reviewer.id}")))
    assert headings(colleague.get(LIST).text) == usual
    assert browser.submit("/account", to=f"{LIST}columns").location == LIST
    assert headings(browser.get(LIST).text) == usual


def test_a_search_goes_along_to_the_other_lists_as_far_as_it_means_the_same_there(a_user, browser):
    a_user(full_name="Ada", confirmed=True)

    page = browser.get(f"{LIST}?q=ada&domain=x.org&age=24&claimed=nobody&cols=mail").text
    tabs = re.findall(r'<a href="([^"]*)"[^>]*>', page.partition('class="tabs"')[2])[:4]

    assert [parse_qs(urlsplit(unescape(url)).query) for url in tabs] == [
        {"q": ["ada"], "domain": ["x.org"], "age": ["24"], "claimed": ["nobody"], "cols": ["mail"]},
        {"tab": ["asked"], "q": ["ada"], "domain": ["x.org"], "claimed": ["nobody"]},
        {"tab": ["unconfirmed"], "q": ["ada"], "domain": ["x.org"], "claimed": ["nobody"]},
        {"tab": ["decided"], "q": ["ada"], "domain": ["x.org"]},
    ]


@pytest.mark.settings(PORTAL_DESK_OVERDUE_AFTER_HOURS="36")
def test_how_long_is_asked_in_days_and_what_counts_as_overdue_is_named(a_user, browser):
    page = browser.get(LIST).text
    choices = page.partition('id="filter-age"')[2].partition("</select>")[0]

    assert re.findall(r">([^<]+)</option>", choices) == [
        "All",
        "1 day",
        "36 hours (overdue)",
        *("2 days", "3 days", "5 days", "7 days", "14 days", "28 days"),
    ]


def test_what_was_decided_tells_who_decided_when_and_how(a_user, people, signed_in):
    ann = people.staff("manager")
    browser = signed_in(ann)
    ada, ray = a_user(full_name="Ada", confirmed=True), a_user(full_name="Ray", confirmed=True)
    browser.submit(
        "/account",
        to="/admin/registrations/approval",
        ids=str(ada.id),
        level=level("extended").id,
    )
    browser.submit(
        "/account", to="/admin/registrations/rejection", ids=str(ray.id), reason="Not one of ours"
    )

    page = browser.get(f"{LIST}?tab=decided")
    rejected = browser.get(f"{LIST}?tab=decided&verdict=rejected")

    said = words(page).partition("What you can do")[2]
    assert names(page.text) == ["Ray", "Ada"]
    assert said.count(str(ann.full_name)) == 2
    assert "Approved extended" in said
    assert "Rejected Not one of ours" in said
    assert page.text.count("/admin/registrations/reopening?") == 1
    assert names(rejected.text) == ["Ray"]


def test_the_number_of_those_who_match_is_said(a_user, browser):
    for number in range(51):
        a_user(full_name=f"Person {number}", language="de", confirmed=True)
    a_user(confirmed=True)

    assert "51 registrations in this list" in words(browser.get(f"{LIST}?language=de"))
    assert "52 registrations in this list" in words(browser.get(LIST))
    assert "1 registration in this list" in words(browser.get(f"{LIST}?language=en"))


def test_of_a_filter_said_twice_the_first_counts_here_and_wherever_it_is_kept(a_user, browser):
    a_user(full_name="Ada", language="de", confirmed=True)
    a_user(full_name="Bob", confirmed=True)

    page = browser.get(f"{LIST}?language=de&language=en").text
    link = re.search(r'href="([^"]*/filters/new[^"]*)"', page)

    assert names(page) == ["Ada"]
    assert link
    assert unescape(link.group(1)).endswith("?language=de")


def test_a_kept_query_is_read_to_its_end_however_long_it_is(app, browser):
    with app.test_request_context():
        asked = filters.asked_by("q=" + "%20x" * 700 + "&language=de&language=en")

    assert asked.filters.language == "de"


@pytest.mark.parametrize(
    "query", ["level=999999", "claimed=999999", "language=xx", "age=9999999999", "domain=%00%F0"]
)
def test_a_filter_that_fits_nobody_is_an_empty_list_with_its_chip(a_user, browser, query):
    a_user(full_name="Ada", confirmed=True)

    page = browser.get(f"{LIST}?{query}")

    assert page.status_code == 200
    assert "Nobody matches these filters" in words(page)
    assert len(chips(page.text)) == 1


@pytest.mark.parametrize("query", ["mark=x", "level=x", "claimed=x", "verdict=x", "tab=x"])
def test_a_filter_that_was_never_offered_is_no_page(browser, query):
    assert browser.get(f"{LIST}?{query}").status_code == 404
