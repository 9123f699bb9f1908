"""Wild addresses and forms: no parameter of the panel makes an error, on either database (D19)."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.paging import Place
from tests.admin_views.panel import a_busy_portal, endpoints, everything

# Every day a list meets one wild cursor in so many, each list others; in the long run all.
EVERYDAY = 40

# Buttons that do what they say, whatever is sent with them.
NOTHING_TO_FILL_IN = ("registrations.claim",)

LISTS = {
    "/admin/": ["page"],
    "/admin/registrations/": ["tab", "q", "cursor", "domain", "level", "age", "cols"],
    "/admin/accounts/": ["status", "sort", "q", "cursor", "page"],
    "/admin/agents/": ["q", "cursor"],
    "/admin/mail/": ["tab", "q", "cursor"],
    "/admin/audit/": ["action", "q", "account", "since", "until", "cursor"],
    "/admin/registrations/approval": ["ids", "back"],
    "/admin/registrations/rejection": ["ids", "back"],
    "/admin/accounts/1": ["back"],
}


@pytest.mark.both_databases(everyday="postgresql")
@pytest.mark.parametrize("share", [EVERYDAY, pytest.param(1, marks=[pytest.mark.long])])
def test_no_cursor_makes_an_error(a_user, administrator, signed_in, share):
    a_busy_portal(a_user)
    browser = signed_in(administrator)
    keys: list[Any] = ["name", "", "a\0b", "\ud800", "2026-01-01", None, 7, [], True]
    cursors = [
        _cursor(direction, key, identity)
        for direction in ("after", "before", "sideways", None)
        for key in keys
        for identity in (1, 0, -1, 2**31, 2**70, True, 1.5, "1", None)
    ]
    lists = ("/admin/registrations/", "/admin/accounts/", "/admin/agents/", "/admin/audit/")
    for number, path in enumerate(lists):
        for cursor in cursors[number % share :: share]:
            assert browser.get(path, query_string={"cursor": cursor}).status_code == 200


@pytest.mark.long
@pytest.mark.both_databases(everyday="postgresql")
def test_no_form_with_wild_fields_makes_an_error_or_a_change(app, a_user, administrator, signed_in):
    panel = a_busy_portal(a_user)
    browser = signed_in(administrator)
    token = browser.token("/account")
    ids: dict[str, int] = defaultdict(lambda: 1, user_id=panel["pending"].id)
    before = everything()
    for rule in endpoints(app):
        if "POST" not in rule.methods or "removal" in rule.rule or "erasure" in rule.rule:
            continue
        if rule.endpoint in NOTHING_TO_FILL_IN:
            continue
        path = rule.map.bind("localhost").build(
            rule.endpoint, {name: ids[name] for name in rule.arguments}
        )
        for value in ("\0", "a\0b", "9" * 30, "-1", "abc", "\ud800", "x" * 3000, "1.5"):
            wild: dict[str, Any] = dict.fromkeys(
                (
                    "ids",
                    "level",
                    "roles",
                    "name",
                    "rank",
                    "description",
                    "reason",
                    "url",
                    "kind",
                    "access_level_id",
                    "permissions",
                    "grants_up_to",
                    "notice",
                    "digest_hour",
                ),
                value,
            )
            answer = browser.post(path, data=_bytes(wild | {"csrf_token": token, "quiet": ""}))

            fine = (200,) if rule.endpoint == "registrations.letter" else (303, 400, 404, 409)
            assert answer.status_code in fine, (path, value)

    assert everything() == before


@pytest.mark.timeout(600)
@given(
    st.sampled_from([(path, name) for path, names in LISTS.items() for name in names]),
    st.text(max_size=60),
)
def test_nothing_that_can_be_typed_makes_an_error(administrator, signed_in, place, value):
    browser = _once(signed_in, administrator)
    path, name = place

    answer = browser.get(path, query_string={name: value.encode("utf-8", "surrogatepass")})

    assert answer.status_code in (200, 302, 303, 400, 404)


_browsers: dict[int, Any] = {}


def _once(signed_in: Any, user: Any) -> Any:
    """The browser of this test, signed in once for all examples."""
    key = id(signed_in)
    if key not in _browsers:
        _browsers.clear()
        _browsers[key] = signed_in(user)
    return _browsers[key]


def _cursor(direction: Any, key: Any, identity: Any) -> str:
    return str(Place(direction, key, identity))


def _bytes(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        for name, value in fields.items()
    }
