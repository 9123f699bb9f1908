"""Export: every list as CSV, whole, with its filters, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest

from admin_views import export
from portal.audit import Action
from tests.admin_views.panel import a_busy_portal, everything
from tests.people import an_agent

LISTS = (
    "/admin/accounts/",
    "/admin/access-levels/",
    "/admin/agents/",
    "/admin/audit/",
    "/admin/figures/",
    "/admin/mail/",
    "/admin/roles/",
    "/admin/texts/",
)


def rows(answer: Any) -> list[dict[str, str]]:
    """What a spreadsheet reads in an answer."""
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"), newline="")))


@pytest.mark.both_databases(everyday="postgresql")
def test_every_list_can_be_had_as_csv_and_changes_nothing(a_user, administrator, signed_in):
    a_busy_portal(a_user)
    browser = signed_in(administrator)
    before = everything()

    for path in LISTS:
        answer = browser.get(f"{path}export.csv")
        assert rows(answer), path
        assert "attachment" in answer.headers["Content-Disposition"]
        if path != "/admin/figures/":
            assert f'href="{path}export.csv"' in browser.get(path).text

    assert everything() == before


@pytest.mark.both_databases(everyday="postgresql")
def test_a_list_is_exported_to_its_end_however_many_pages_it_has(
    a_user, manager, signed_in, monkeypatch
):
    monkeypatch.setattr(export, "PER_PAGE", 2)
    names = {a_user(full_name=f"Person {number}").full_name for number in range(5)}

    found = rows(signed_in(manager).get("/admin/accounts/export.csv?status=unconfirmed"))

    assert [row["Full name"] for row in found] == sorted(names, reverse=True)


def test_the_filters_of_the_page_hold_for_its_export(a_user, manager, signed_in):
    a_busy_portal(a_user)
    browser = signed_in(manager)

    people = rows(browser.get("/admin/accounts/export.csv?q=penny"))
    trail = rows(browser.get(f"/admin/audit/export.csv?action={Action.REJECTED.value}"))
    mails = rows(browser.get("/admin/mail/export.csv?tab=failed"))

    assert [row["Full name"] for row in people] == ["Penny Ding"]
    assert [(row["Action"], row["About"]) for row in trail] == [("Rejected", "Ray Jected")]
    assert [row["Status"] for row in mails] == ["Failed"]


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "＝"])
def test_no_cell_is_taken_for_a_formula(a_user, manager, signed_in, sign):
    an_agent(f"{sign}cmd|'/c calc'!A1")

    found = rows(signed_in(manager).get("/admin/agents/export.csv"))

    assert [row["Name"] for row in found] == [f"'{sign}cmd|'/c calc'!A1"]


@pytest.mark.parametrize("before", [";", "; ", ';"', "\n", "\r\n", "\t", ";;", ";\t "])
def test_no_formula_begins_within_a_cell_where_semicolons_separate(manager, signed_in, before):
    an_agent(f"Max{before}=HYPERLINK(1)")

    answer = signed_in(manager).get("/admin/agents/export.csv").text

    cells = [cell.strip('" ') for cell in re.split("[;\t\r\n]", answer)]
    assert not [cell for cell in cells if cell.startswith("=")]
    assert "'=HYPERLINK(1)" in answer


def test_commas_quotes_and_lines_stay_in_their_cell(manager, signed_in):
    an_agent('A "quoted", long\nname')

    found = rows(signed_in(manager).get("/admin/agents/export.csv"))

    assert [row["Name"] for row in found] == ['A "quoted", long\nname']


def test_no_password_no_secret_and_no_letter_leaves(a_user, administrator, signed_in):
    a_busy_portal(a_user)
    browser = signed_in(administrator)

    for path in LISTS:
        text = browser.get(f"{path}export.csv").text
        assert "$argon2" not in text
        assert "/confirm/" not in text
