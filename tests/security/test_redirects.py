"""Redirects (H: open redirect): own paths only, from every form that says where to go next."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.security.redirects import local_target
from tests.people import person
from tests.security.test_sign_in import HOSTILE, leads_elsewhere


@pytest.mark.parametrize("target", HOSTILE, ids=repr)
def test_a_target_that_some_browser_would_follow_elsewhere_is_none(target):
    found = local_target(target)

    assert found is None or not leads_elsewhere(found)


@pytest.mark.parametrize("target", [None, "", "account", "?x=1", "#x", "mailto:a@b.c", "http:/x"])
def test_what_is_no_absolute_path_is_none(target):
    assert local_target(target) is None


@pytest.mark.parametrize("target", ["/", "/account", "/account?tab=1&x=%C3%A9#part", "/a//b", "/é"])
def test_own_paths_stay_as_they_are(target):
    assert local_target(target) == target


@pytest.mark.parametrize("target", ["//evil.example", "/\\evil.example", "https://evil.example"])
def test_choosing_a_language_or_a_look_leads_nowhere_else(browser, a_user, target):
    browser.sign_in(person(a_user(approved=True)))

    for path, field in (("/language", {"language": "de"}), ("/appearance", {"theme": "dark"})):
        answer = browser.submit("/account", to=path, next=target, **field)
        assert not leads_elsewhere(answer.headers["Location"]), path


def test_both_lead_back_to_where_one_was(browser):
    for path, field in (("/language", {"language": "de"}), ("/appearance", {"theme": "dark"})):
        answer = browser.submit("/login", to=path, next="/terms", **field)
        assert answer.headers["Location"] == "/terms", path


@given(
    st.lists(
        st.sampled_from(
            ["/", "\\", "//", "http:", "https:", "javascript:", "evil.example", "@", ":", "?", "#",
             "..", ".", "%2f", "%5c", "%0d%0a", "\t", "\n", "\r", "\0", " ", "\u2028", "\u202e",
             "\uff0f", "\u3002", "\ud800", "[", "]", "account", "next=", "&", ";"]
        )
        | st.text(st.characters(), max_size=5),
        max_size=8,
    ).map("".join)
)  # fmt: skip
def test_whatever_is_asked_for_a_target_stays_on_the_site(target):
    found = local_target(target)

    if found is not None:
        assert not leads_elsewhere(found)
        whole = urljoin("http://127.0.0.1:8000/login", found)
        assert urlsplit(whole).netloc == "127.0.0.1:8000"
        assert local_target(found) == found
