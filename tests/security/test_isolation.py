"""Isolation (ASVS 3.5.3, 3.5.8): what another site makes a browser ask for is refused."""

import pytest

from tests.pages import filled_in


def fetched(site, mode="navigate", dest="document"):
    """What a browser says of a request of its own accord."""
    return {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}


def test_a_link_from_anywhere_opens_a_page(browser):
    for site in ("same-origin", "none", "same-site", "cross-site"):
        assert browser.get("/login", headers=fetched(site)).status_code == 200, site
    assert browser.get("/login").status_code == 200, "a browser that says nothing"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_frames_fetches_and_embeds_nothing(browser, site):
    for mode, dest in (
        ("navigate", "iframe"),
        ("navigate", "object"),
        ("no-cors", "image"),
        ("no-cors", "script"),
        ("cors", "empty"),
    ):
        answer = browser.get("/login", headers=fetched(site, mode, dest))
        assert answer.status_code == 403, (mode, dest)
        assert "Another site asked for this" in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    "headers",
    [
        fetched("cross-site"),
        fetched("same-site"),
        fetched("made-up"),
        {"Origin": "https://evil.example"},
        {"Origin": "http://[bad"},
    ],
)
def test_another_sites_form_is_refused_even_with_the_right_token(browser, headers):
    """So that a hole in the one wall does not open the other."""
    form = {"csrf_token": browser.token("/register"), **filled_in.registration()}

    assert browser.post("/register", data=form, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        fetched("same-origin"),
        fetched("none"),
        {},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8000"},
    ],
)
def test_our_own_form_is_taken(browser, headers):
    form = {"csrf_token": browser.token("/register"), **filled_in.registration()}

    assert browser.post("/register", data=form, headers=headers).status_code == 303
