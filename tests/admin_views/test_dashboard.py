"""The dashboard: what there is to do, and that every number leads to its list."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import time_machine

from portal import clock, heartbeat
from portal.accounts.user import User
from portal.database import db, locked, transaction
from portal.desk import note, question, unanswered
from portal.mail import pauses
from portal.mail.trouble import ServerDown, Trouble
from tests.admin_views.panel import a_busy_portal, words

NAMES = ("Olga", "Anna", "Sina")


def tiles(page: str) -> dict[str, tuple[str, str]]:
    """The number of each tile, and where it leads, by its label."""
    found = re.findall(
        r'<a class="figure-tile[^"]*" href="([^"]*)">\s*<span class="figure-label">'
        r'(?:<svg.*?</svg>)?([^<]*)</span>\s*<span class="figure-number">([^<]*)<',
        page,
        re.DOTALL,
    )
    return {label: (number, url.replace("&amp;", "&")) for url, label, number in found}


def test_every_number_leads_to_a_list_of_as_many(a_user, manager, signed_in):
    for _ in range(2):
        a_user(confirmed=True)
    a_busy_portal(a_user)
    browser = signed_in(manager)

    found = tiles(browser.get("/admin/").text)

    assert found["Ready to review"][0] == "3"
    assert found["Unconfirmed"][0] == "1"
    for label, (number, url) in found.items():
        rows = re.findall(r'<th scope="row">', browser.get(url).text)
        assert len(rows) == int(number), label


def test_the_dashboard_says_since_when_the_first_one_waits(a_user, reviewer, signed_in):
    browser = signed_in(reviewer)
    assert "Nobody waits." in words(browser.get("/admin/"))
    with time_machine.travel(datetime.now(UTC) - timedelta(days=4)):
        a_user(confirmed=True)
    a_user(confirmed=True)

    assert "(4 days ago)" in words(browser.get("/admin/"))


def test_new_registrations_are_notified_until_they_are_decided(a_user, reviewer, signed_in):
    ada, _una = a_user(full_name="Ada", confirmed=True), a_user(full_name="Una")
    browser = signed_in(reviewer)
    page = browser.get("/admin/")
    assert f'href="/admin/registrations/{ada.id}"' in page.text
    assert "Una" not in words(page)

    browser.submit("/account", to="/admin/registrations/rejection", ids=str(ada.id), reason="No")

    assert "Ada" not in words(browser.get("/admin/"))


def test_what_waits_is_shown_by_its_kind(a_user, people, signed_in):
    by, grace = people.staff("reviewer"), people.staff("reviewer")
    start = datetime.now(UTC) - timedelta(days=20)
    with clock.at(start):
        old, answered, silent = (a_user(full_name=name, confirmed=True) for name in NAMES)
        for user in (answered, silent):
            with transaction():
                question.ask(locked(User, user.id), by=by, question="Which team?")
    with transaction():
        question.answer(locked(User, answered.id), text="Research")
        note.write(locked(User, old.id), by=by, text=f"@{grace.username}")
    for days in (3, 14):
        with clock.at(start + timedelta(days=days)), transaction():
            assert unanswered.attend(silent.id)

    page = signed_in(grace).get("/admin/")

    panels = dict(re.findall(r"<h2>([^<]*)</h2>(.*?)</section>", page.text, re.DOTALL))
    assert {
        heading: set(re.findall("Olga|Anna|Sina", body)) for heading, body in panels.items()
    } == {
        "Registrations": set(),
        "Colleagues mention you": {"Olga"},
        "Answered a question": {"Anna"},
        "Did not answer in time": {"Sina"},
        "New registrations": {"Olga"},
    }
    assert "2 registrations have waited for more than 2 days." in words(page)


def test_registrations_a_day_are_drawn_and_listed(a_user, reviewer, signed_in):
    with time_machine.travel(datetime.now(UTC) - timedelta(days=2)):
        for _ in range(3):
            a_user()
    a_user()

    page = signed_in(reviewer).get("/admin/").text

    assert page.count('<rect class="chart-bar"') == 30
    table = re.search(r"<table.*?</table>", page, re.DOTALL)
    assert table
    days = re.findall(r'<td class="numeric">(\d+)</td>', table.group(0))
    assert (len(days), days[-3]) == (30, "3")
    assert int(days[-1]) >= 1


def test_a_day_has_one_name_wherever_the_reader_is(reviewer, signed_in):
    with transaction():
        db.session.merge(reviewer).time_zone = "America/Los_Angeles"
    with time_machine.travel(datetime(2026, 3, 10, 12, tzinfo=UTC), tick=False):
        browser = signed_in(reviewer)

        page = words(browser.get("/admin/"))

    assert page.count("March 10, 2026") >= 2


def test_failed_mails_are_shown_to_those_who_may_read_mail(a_user, people, signed_in):
    a_busy_portal(a_user)

    assert tiles(signed_in(people.staff("manager")).get("/admin/").text)["Mails that failed"] == (
        "1",
        "/admin/mail/?tab=failed",
    )
    assert "Mails that failed" not in tiles(signed_in(people.staff("reviewer")).get("/admin/").text)


def test_the_dashboard_says_when_mail_does_not_leave(manager, signed_in):
    browser = signed_in(manager)
    assert "The worker is not running" in words(browser.get("/admin/"))

    heartbeat.beat()
    pauses.begin(ServerDown(Trouble.UNREACHABLE))

    page = words(browser.get("/admin/"))
    assert "The worker is not running" not in page
    assert "No mail leaves at present. The mail server cannot be reached." in page
