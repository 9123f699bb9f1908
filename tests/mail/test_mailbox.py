"""The development mailbox: open to this machine alone, and nothing in a letter gets out of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from portal.database import db
from portal.mail import delivery, mailbox
from portal.mail.mail import Mail
from portal.mail.mailbox import CapturedMail
from tests.conftest import Browser

HTML = (
    "<!doctype html><html><head><title>x</title></head>"
    '<body onload="evil()"><a href="http://127.0.0.1:8000/confirm/t">Confirm</a></body></html>'
)


@pytest.fixture
def arrived(post: Callable[..., Mail]) -> Callable[..., CapturedMail]:
    """A letter in the mailbox: arrived("ada@example.org")."""

    def made(to: str = "ada@example.org", **changes: Any) -> CapturedMail:
        mail = post(to, **changes)
        delivery.deliver(mail.id)
        return db.session.scalars(
            select(CapturedMail).where(CapturedMail.message_id == mail.message_id)
        ).one()

    return made


def test_letters_are_listed_newest_first_and_found_by_address(
    browser: Browser, arrived: Callable[..., CapturedMail]
) -> None:
    arrived("ada@example.org", subject="First")
    arrived("grace@example.org", subject="Second")

    everything = browser.get("/dev/mailbox").get_data(as_text=True)
    of_ada = browser.get("/dev/mailbox?address=ADA@").get_data(as_text=True)
    of_nobody = browser.get("/dev/mailbox?address=%25").get_data(as_text=True)

    assert everything.index("Second") < everything.index("First")
    assert "First" in of_ada
    assert "Second" not in of_ada
    assert "No mail to this address" in of_nobody


def test_long_lists_are_paged(browser: Browser, arrived: Callable[..., CapturedMail]) -> None:
    for number in range(26):
        arrived(f"person{number}@example.org", subject=f"Letter {number}.")

    first = browser.get("/dev/mailbox").get_data(as_text=True)
    second = browser.get("/dev/mailbox?page=2").get_data(as_text=True)

    assert "Letter 25." in first
    assert "Letter 0." not in first
    assert "/dev/mailbox?page=2" in first
    assert "Letter 0." in second


def test_a_letter_shows_its_text_its_links_and_its_headers(
    browser: Browser, arrived: Callable[..., CapturedMail]
) -> None:
    letter = arrived(
        text="Dear <Ada>,\nhttp://127.0.0.1:8000/confirm/token\n", subject="Grüße", html=HTML
    )

    answer = browser.get(f"/dev/mailbox/{letter.id}")
    page = answer.get_data(as_text=True)

    assert "Grüße" in page
    assert "Dear &lt;Ada&gt;," in page
    assert page.count('href="http://127.0.0.1:8000/confirm/token"') == 2
    assert "auto-generated" in page
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    assert "frame-src 'self'" in answer.headers["Content-Security-Policy"]


def test_the_html_of_a_letter_can_run_fetch_and_send_nothing(
    browser: Browser, arrived: Callable[..., CapturedMail]
) -> None:
    letter = arrived(html=HTML)

    answer = browser.get(f"/dev/mailbox/{letter.id}/html")

    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert "sandbox allow-popups" in policy
    assert "script" not in policy
    assert "form-action 'none'" in policy
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert '<head><base target="_blank">' in answer.get_data(as_text=True)


def test_the_source_is_the_letter_byte_for_byte(
    browser: Browser, arrived: Callable[..., CapturedMail]
) -> None:
    letter = arrived()

    answer = browser.get(f"/dev/mailbox/{letter.id}/source")

    assert answer.mimetype == "message/rfc822"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="letter-{letter.id}.eml"'
    assert answer.data == letter.content
    assert message_from_bytes(answer.data)["To"] == "ada@example.org"


PAGES = ["/dev/mailbox", "/dev/mailbox/1", "/dev/mailbox/1/html", "/dev/mailbox/1/source"]


# What proxies and delivery networks say of where a request came from.
FORWARDED = [
    "Forwarded",
    "X-Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Anything",
    "X-Original-Forwarded-For",
    "X-Original-Host",
    "Via",
    "CDN-Loop",
    "Client-IP",
    "X-Real-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "True-Client-IP",
    "Proxy-Client-IP",
    "WL-Proxy-Client-IP",
    "CF-Connecting-IP",
    "Fastly-Client-IP",
    "Fly-Client-IP",
    "X-Azure-ClientIP",
    "X-Envoy-External-Address",
]


def test_through_a_proxy_there_is_no_mailbox(
    browser: Browser, arrived: Callable[..., CapturedMail]
) -> None:
    arrived()

    for page in PAGES:
        assert browser.get(page).status_code == 200, page
        assert browser.get(page, headers={"Via": "1.1 proxy"}).status_code == 404, page
    for header in FORWARDED:
        assert browser.get(PAGES[0], headers={header: "127.0.0.1"}).status_code == 404, header


@pytest.mark.parametrize(
    "_why",
    [
        pytest.param(
            "bound to every address",
            marks=pytest.mark.settings(
                PORTAL_BIND="0.0.0.0:8000", PORTAL_PUBLIC_URL="http://127.0.0.1:8000"
            ),
        ),
        pytest.param(
            "with a mail server", marks=pytest.mark.settings(PORTAL_MAIL_SERVER="mail.example.org")
        ),
        pytest.param(
            "with a public address",
            marks=pytest.mark.settings(
                PORTAL_MAIL_SERVER="mail.example.org", PORTAL_PUBLIC_URL="https://p.example.org"
            ),
        ),
    ],
)
def test_a_portal_that_others_can_reach_or_that_sends_mail_has_no_mailbox(
    browser: Browser, _why: str
) -> None:
    answer = browser.get("/dev/mailbox")

    assert answer.status_code == 404
    assert 'href="/dev/mailbox' not in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    "wild",
    [
        "/dev/mailbox?page=-1",
        "/dev/mailbox?page=0",
        "/dev/mailbox?page=abc",
        "/dev/mailbox?page=99999999999999999999",
        "/dev/mailbox?page=%D9%A3",
        "/dev/mailbox/abc",
        "/dev/mailbox/0",
        "/dev/mailbox/99999999999999999999",
    ],
)
@pytest.mark.both_databases(everyday="sqlite")
def test_wild_parameters_are_not_found(browser: Browser, database_kind: str, wild: str) -> None:
    assert browser.get(wild).status_code == 404


@pytest.mark.both_databases(everyday="sqlite")
def test_a_nul_in_the_search_is_harmless(browser: Browser, database_kind: str) -> None:
    assert browser.get("/dev/mailbox?address=a%00b").status_code == 200


def test_letters_are_thrown_away_after_a_day(
    app: Flask, arrived: Callable[..., CapturedMail]
) -> None:
    with time_machine.travel(datetime(2026, 7, 14, 12, tzinfo=UTC), tick=False) as clock:
        arrived("old@example.org")
        clock.shift(timedelta(hours=23))
        arrived("new@example.org")
        assert mailbox.purge() == 0
        clock.shift(timedelta(hours=1, seconds=1))

        assert mailbox.purge() == 1

    kept = db.session.scalars(mailbox.letters_to()).one()
    assert kept.recipient == "new@example.org"
