"""CSRF (H, D16): no POST without this very browser's token, on any page of people and staff."""

import pytest

from tests.security import matrix
from tests.security.walk import Site, arrive, everything_kept

# What forms of all pages together may send, so that each POST would do something.
PLAUSIBLE = {
    "email": "eve@example.org",
    "username": "eve-adams",
    "full_name": "Eve Adams",
    "password": "Quiet-harbour 77",
    "password_again": "Quiet-harbour 77",
    "current_password": "Sturdy-lantern 42",
    "identity": "person1",
    "reason": "Because",
    "accept_terms": "y",
    "communication": "all",
    "language": "de",
    "theme": "dark",
    "ids": "1",
    "code": "123456",
    "level": "1",
    "name": "New",
    "rank": "99",
    "url": "https://example.org",
    "kind": "app",
}


@pytest.fixture
def site(app, people) -> Site:
    return Site.furnished(app, people)


def test_without_this_browsers_token_no_post_does_anything(site, new_browser):
    """Each one, by the weakest who may: without a token, or with another session's."""
    arrived, stranger = site.arrivals(new_browser), new_browser()
    arrive(stranger, site.people, "approved")
    foreign = stranger.token("/account")
    before = everything_kept()

    for rule in site.rules("POST"):
        if "no token" in matrix.lines()[rule.endpoint].besides:
            continue
        who = matrix.weakest(rule.endpoint)
        for token in ({}, {"csrf_token": foreign}):
            answer = arrived[who].post(site.address(rule, who), data=PLAUSIBLE | token)
            assert answer.status_code == 400, (rule, token)

    after = everything_kept()
    assert {name for name in after if after[name] != before[name]} == set()


@pytest.mark.parametrize("who", ["visitor", "approved", "administrator"])
def test_neither_an_empty_token_nor_a_made_up_one_nor_a_strangers_is_one(
    people, browser, new_browser, who
):
    strangers = new_browser().token("/login")
    arrive(browser, people, who)
    before = everything_kept()

    for token in ("", "x", strangers):
        answer = browser.post("/register", data=PLAUSIBLE | {"csrf_token": token})
        assert answer.status_code == 400, token

    assert everything_kept() == before


def test_a_token_in_the_address_is_none(site, browser):
    arrive(browser, site.people, "approved")
    token = browser.token("/account")

    answer = browser.post("/account", query_string={"csrf_token": token}, data=PLAUSIBLE)

    assert answer.status_code == 400


def test_another_site_can_neither_sign_somebody_in_nor_out(site, browser, new_browser):
    """Login CSRF (Indico 3.0.3): signing in asks for the token like any other POST."""
    fields = {"identity": "person2", "password": "Sturdy-lantern 42"}

    assert browser.post("/login", data=fields).status_code == 400
    arrive(browser, site.people, "approved")
    assert browser.post("/logout").status_code == 400
    assert browser.get("/account").status_code == 200


def test_a_refused_form_says_what_to_do(browser):
    page = browser.post("/register", data={}).get_data(as_text=True)

    assert "too old" in page
    assert "reload the page" in page
