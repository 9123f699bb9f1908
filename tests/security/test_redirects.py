"""Redirects (H: open redirect): own paths only, from every form that says where to go next."""

import pytest

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
