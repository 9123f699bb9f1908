"""Reports of browsers about the policy: believed in nothing, kept nowhere, a line a kind."""

import json

import pytest

from portal.security.reports import MOST_KINDS
from tests.people import person
from tests.security.walk import everything_kept

ADDRESS = "/browser-reports"
HERE = "http://127.0.0.1:8000"


def older(browser, *, rule="script-src-elem", blocked="https://evil.example/x.js", page="/login"):
    """The form of `report-uri`."""
    report = {
        "document-uri": HERE + page,
        "effective-directive": rule,
        "violated-directive": f"{rule} 'self'",
        "blocked-uri": blocked,
        "script-sample": "secret()",
    }
    return browser.post(
        ADDRESS, data=json.dumps({"csp-report": report}), content_type="application/csp-report"
    )


def newer(browser, *reports):
    """The form of `report-to`: several at once, of several types."""
    return browser.post(
        ADDRESS, data=json.dumps(list(reports)), content_type="application/reports+json"
    )


def violation(**body):
    return {
        "type": "csp-violation",
        "age": 1,
        "url": f"{HERE}/login",
        "user_agent": "x",
        "body": {
            "documentURL": f"{HERE}/login",
            "effectiveDirective": "img-src",
            "blockedURL": "data",
            **body,
        },
    }


def lines(caplog):
    """What was written of reports, in a row."""
    told = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [
        f"{each['directive']} from {each['blocked']} on {each['page']}"
        for each in told
        if each["event"] == "browser.policy_broken"
    ]


def test_each_kind_is_one_line_with_a_rule_a_host_and_a_page_and_nothing_else(browser, caplog):
    for _ in range(3):
        assert older(browser, page="/reset/the-token?x=1").status_code == 204
    answer = newer(
        browser,
        violation(),
        violation(),
        {"type": "deprecation", "body": {"id": "x"}},
        violation(effectiveDirective="style-src-attr", blockedURL="inline", sample="hush"),
    )

    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert lines(caplog) == [
        "script-src-elem from evil.example on pages.reset",
        "img-src from data on security.login",
        "style-src-attr from inline on security.login",
    ]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"rule": "script-src\n2026 forged"}, "other from evil.example on security.login"),
        ({"rule": ["img-src"]}, "other from evil.example on security.login"),
        ({"blocked": "https://a\r\nb/"}, "script-src-elem from ab on security.login"),
        ({"blocked": "https://[bad"}, "script-src-elem from other on security.login"),
        ({"blocked": "\u202einline"}, "script-src-elem from other on security.login"),
        ({"blocked": {"x": 1}}, "script-src-elem from other on security.login"),
        ({"blocked": "https://ada:secret@a.example/hush"}, "script-src-elem from a.example on"),
        ({"blocked": "chrome-extension://abc/x"}, "script-src-elem from chrome-extension on"),
        ({"blocked": f"{HERE}/status/token"}, "script-src-elem from self on security.login"),
        ({"page": "/nothing\x1b[2J"}, "script-src-elem from evil.example on other"),
    ],
)
def test_what_strangers_write_into_one_reaches_no_line(browser, caplog, said, told):
    assert older(browser, **said).status_code == 204

    (line,) = lines(caplog)
    assert f"{told}" in line
    assert line.isprintable()


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"{}", "application/csp-report", 400),
        (b'{"csp-report": 1}', "application/csp-report", 400),
        (b'{"csp-report": {}', "application/csp-report", 400),
        (b"\xff\xfe", "application/csp-report", 400),
        (b"[" * 10_000, "application/reports+json", 400),
        (b"{}", "application/reports+json", 400),
        (b'[1, null, {"type": "csp-violation"}]', "application/reports+json", 204),
        (b"{}", "application/json", 415),
        (b"csp-report=x", "application/x-www-form-urlencoded", 415),
        (b" " * 20_000, "application/csp-report", 413),
    ],
)
def test_what_is_no_report_is_refused_shortly(browser, caplog, body, content_type, code):
    answer = browser.post(ADDRESS, data=body, content_type=content_type)

    assert answer.status_code == code
    assert lines(caplog) == []


def test_more_kinds_than_there_can_be_are_told_of_no_more(browser, caplog, app):
    for start in range(0, MOST_KINDS + 20, 20):
        newer(
            browser,
            *(violation(blockedURL=f"https://h{n}.example") for n in range(start, start + 20)),
        )

    assert len(lines(caplog)) == MOST_KINDS


@pytest.mark.settings(PORTAL_LIMITS_REPORT_ADDRESS="3 per minute")
def test_they_are_limited_by_address(browser):
    assert [older(browser).status_code for _ in range(4)] == [204, 204, 204, 429]


@pytest.mark.settings(PORTAL_LIMITS_REPORT_ADDRESS="1 per minute")
def test_a_report_is_nobodys_it_needs_no_token_changes_nothing_and_renews_no_session(
    browser, a_user
):
    browser.sign_in(person(a_user(approved=True)))
    before = everything_kept()

    answers = [older(browser), older(browser), browser.post(ADDRESS, data="x")]

    assert [answer.status_code for answer in answers] == [204, 429, 429]
    assert not any("Set-Cookie" in answer.headers for answer in answers)
    assert everything_kept() == before
    assert browser.get("/account").status_code == 200
    assert browser.get(ADDRESS).status_code == 405
