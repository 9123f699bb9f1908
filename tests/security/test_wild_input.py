"""Wild input (ASVS 1.3, 15.3; D12, D19): nothing that is sent makes a 500, on either database."""

import io

import pytest

from portal.accounts.user import User
from portal.database import db
from portal.mail import outbox
from tests.pages import filled_in
from tests.people import person
from tests.security.walk import everything_kept
from tests.security.wild import JSON

pytestmark = pytest.mark.settings(PORTAL_LIMITS_ENABLED="false")

RAW = [
    b"full_name=%ED%A0%80&email=%ED%BF%BF&username=%FF%FE&password=%C0%80&identity=%ED%A0%80",
    b"%00=%00&%ED%A0%80=x&=&&&==",
    b"email%5B%5D=ada%40example.org&email%5B0%5D=eve%40example.org",
    b"email=%",
    b"\xff\xfe\x00",
]


def assert_calm(answer, about):
    assert answer.status_code < 500, about
    assert "Traceback" not in answer.get_data(as_text=True), about


@pytest.mark.both_databases(everyday="postgresql")
def test_bytes_that_are_no_text_are_no_error_of_ours(browser):
    token = browser.token("/login").encode()

    for body in RAW:
        for path in ("/register", "/login", "/confirm", "/reset", "/language", "/appearance"):
            answer = browser.post(
                path,
                data=b"csrf_token=" + token + b"&" + body,
                content_type="application/x-www-form-urlencoded",
            )
            assert_calm(answer, (path, body))
        wild = body.decode("latin-1").replace("\0", "%00")
        assert browser.get("/x", query_string=wild).status_code == 404


def test_a_body_of_json_is_refused(browser):
    """D: an array to /login was a 500; a dict went past the limits, which read the form."""
    token = browser.token("/login")

    for path in ("/login", "/register", "/reset"):
        for body in JSON:
            for kind in (
                "application/json",
                "application/vnd.api+json",
                "application/json; charset=x",
            ):
                answer = browser.post(
                    path, data=body, content_type=kind, headers={"X-CSRFToken": token}
                )
                assert answer.status_code in (400, 415), (path, body[:20], kind)


def test_a_body_of_another_kind_is_no_form(browser):
    token = browser.token("/login")

    for kind in ("text/plain", "multipart/form-data", "text/xml", "x", "", "\xff"):
        answer = browser.post(
            "/login", data=b"identity=ada", content_type=kind, headers={"X-CSRFToken": token}
        )
        assert answer.status_code in (200, 400, 415), kind


def test_a_field_that_comes_twice_or_as_a_list_reaches_nobody_else(browser, a_user):
    """GitLab CVE-2023-7028: `email[]=victim&email[]=attacker` mailed both."""
    a_user(approved=True, email="victim@example.org")
    before = len(outbox.waiting())
    token = browser.token("/reset")

    for data in (
        {"email": ["victim@example.org", "eve@example.org"]},
        {"email[]": ["victim@example.org", "eve@example.org"]},
        {"email[0]": "victim@example.org", "email[1]": "eve@example.org"},
        {"email": "victim@example.org,eve@example.org"},
        {"email": "victim@example.org eve@example.org"},
        {"email": "victim@example.org\neve@example.org"},
    ):
        answer = browser.post("/reset", data={"csrf_token": token, **data})
        assert answer.status_code == 400, data

    assert len(outbox.waiting()) == before


def test_what_is_too_large_is_refused_before_it_is_read(browser):
    """D12: bodies, fields and their number have an end."""
    token = browser.token("/register")
    before = everything_kept()
    fields = {"csrf_token": token, **filled_in.registration()}

    too_large = [
        browser.post("/register", data={**fields, "reason": "x" * 300_000}),
        browser.post("/register", data=b"x" * 2_000_000, content_type="application/octet-stream"),
        browser.post(
            "/register",
            data={**fields, "reason": "x" * 100_000},
            content_type="multipart/form-data",
        ),
        browser.post(
            "/register",
            data={**fields, **{f"f{number}": "x" for number in range(1000)}},
            content_type="multipart/form-data",
        ),
        browser.post("/register", data={**fields, "ids": ["1"] * 6000}),
    ]

    assert [answer.status_code for answer in too_large] == [413] * 5
    assert "too large" in too_large[0].get_data(as_text=True)
    assert everything_kept() == before


def test_a_file_where_a_text_is_expected_is_no_text(browser):
    token = browser.token("/register")
    data = {"csrf_token": token, **filled_in.registration()}
    data["full_name"] = (io.BytesIO(b"Ada"), "ada.txt")

    answer = browser.post("/register", data=data, content_type="multipart/form-data")

    assert answer.status_code == 400


@pytest.mark.both_databases(everyday="postgresql")
def test_a_name_that_is_a_template_a_tag_or_a_formula_is_only_a_name(browser, a_user):
    """Whatever was typed is shown as it was typed, and run by nobody."""
    name = "<img src=x onerror=alert(1)>{{7*7}}'\";--"
    ada = a_user(approved=True, full_name=name)
    browser.sign_in(person(ada))

    page = browser.get("/account").get_data(as_text=True)

    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
    assert db.session.get(User, ada.id).full_name == name


def test_cookies_that_nobody_set_are_ignored(browser):
    for name in ("portal_session", "portal_visit", "portal_known", "theme", "language", "session"):
        for value in ("", "\x00", "a" * 4000, "é", "{{7*7}}", '"', "../x", "null"):
            browser.take(name, value)
            assert_calm(browser.get("/login"), (name, value[:9]))
        browser.lose(name)


def test_wild_headers_are_no_error_of_ours(browser):
    for headers in (
        {"Accept-Language": "x" * 5000},
        {"Accept-Language": "de;q=abc,*;q=9,,;=;"},
        {"Accept": "x" * 5000},
        {"Accept": "*/*;q=abc"},
        {"User-Agent": "\x7f" * 2000},
        {"Cookie": "=;=;;;a"},
        {"Range": "bytes=9-1"},
        {"If-Modified-Since": "yesterday"},
        {"X-Forwarded-For": "a,b,c,%00"},
        {"Content-Length": "abc"},
        {"Origin": "null", "Referer": "javascript:alert(1)"},
    ):
        assert_calm(browser.get("/login", headers=headers), headers)
