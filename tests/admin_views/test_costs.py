"""What a page of the panel asks of the database: little, and no more for many rows than for few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests import plans
from tests.admin_views.panel import a_busy_portal
from tests.conftest import Browser
from tests.people import an_agent

# The person who is signed in takes two of them, the menu's count one.
MOST = {
    "/admin/": 14,
    "/admin/registrations/": 15,
    "/admin/registrations/?tab=asked": 15,
    "/admin/registrations/?tab=unconfirmed": 15,
    "/admin/registrations/?tab=decided": 15,
    "/admin/registrations/?q=erson": 17,
    "/admin/accounts/": 6,
    "/admin/accounts/?status=approved&sort=sign-in": 6,
    "/admin/accounts/?q=person": 8,
    "/admin/access-levels/": 5,
    "/admin/roles/": 5,
    "/admin/agents/": 5,
    "/admin/mail/": 8,
    "/admin/mail/?tab=failed": 8,
    "/admin/mail/?q=person": 11,
    "/admin/audit/": 5,
    "/admin/audit/?q=person": 8,
}


def test_a_list_asks_as_much_for_many_rows_as_for_few(a_user, administrator, signed_in, counted):
    a_busy_portal(a_user)
    browser = signed_in(administrator)
    few = {path: _asked(browser, path, counted) for path in MOST}

    for number in range(8):
        a_user(confirmed=bool(number % 2))
        a_user(rejected=True)
        a_user(approved=True)
        an_agent(f"Agent {number}")
    many = {path: _asked(browser, path, counted) for path in MOST}

    for path, most in MOST.items():
        assert len(many[path]) <= len(few[path]), "\n".join(many[path])
        assert len(many[path]) <= most, "\n".join(many[path])


def test_the_page_of_an_account_asks_a_bounded_number_of_questions(
    a_user, administrator, signed_in, counted
):
    panel = a_busy_portal(a_user)
    signed_in(panel["approved"])
    browser = signed_in(administrator)
    for user_id in {user.id for user in panel.values()}:
        with counted() as asked:
            assert browser.get(f"/admin/accounts/{user_id}").status_code == 200

        assert len(asked) <= 16, "\n".join(asked)


def test_the_page_before_a_decision_asks_as_much_for_many_as_for_one(
    a_user, reviewer, signed_in, counted
):
    waiting = [a_user(confirmed=True).id for _ in range(20)]
    browser = signed_in(reviewer)
    with counted() as for_one:
        browser.get(f"/admin/registrations/bulk?deed=approval&ids={waiting[0]}")

    with counted() as for_all:
        browser.get(
            "/admin/registrations/bulk?deed=approval&" + "&".join(f"ids={id}" for id in waiting)
        )

    assert len(for_all) <= len(for_one)


@pytest.mark.both_databases
def test_no_list_reads_a_large_table_whole(a_user, administrator, signed_in):
    a_busy_portal(a_user)
    browser = signed_in(administrator)
    for path in MOST:
        with plans.asked() as found:
            assert browser.get(path).status_code == 200

        read = plans.whole_reads(found, "users", "audit_entries", "mails", "notifications")
        assert read == [], path


def _asked(browser: Browser, path: str, counted: Callable[[], Any]) -> list[str]:
    browser.get(path)
    with counted() as asked:
        assert browser.get(path).status_code == 200
    return list(asked)
