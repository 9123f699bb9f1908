"""Who may do what to whom in the staff panel; who may at all: tests/security/test_matrix.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from portal.accounts.user import User
from tests.admin_views.panel import a_busy_portal, everything
from tests.people import level, person
from tests.security import matrix


@pytest.fixture
def panel(a_user: Callable[..., User]) -> dict[str, User]:
    """Something on every page."""
    return a_busy_portal(a_user)


@pytest.mark.parametrize("role", ["reviewer", "manager"])
def test_the_menu_shows_only_what_opens(people, signed_in, role):
    page = signed_in(people.staff(role)).get("/admin/").get_data(as_text=True)

    for endpoint, line in matrix.lines().items():
        if endpoint.endswith(".index") and line.address.startswith("/admin/"):
            shown = f'<li><a href="{line.address}"' in page
            assert shown == matrix.opens(role, endpoint), endpoint


def test_staff_who_lose_their_role_lose_the_panel_at_once(people, administrator, signed_in):
    reviewer = people.staff("reviewer")
    browser, admins = signed_in(reviewer), signed_in(administrator)

    admins.submit(f"/admin/accounts/{reviewer.id}/roles", ids=str(reviewer.id))

    assert browser.get("/admin/").status_code == 302
    browser.sign_in(person(reviewer))
    assert browser.get("/admin/").status_code == 403


STEPS = ["suspension", "erasure", "reinstatement", "access-level", "roles"]


def test_nobody_changes_somebody_above_them_or_themselves(panel, manager, administrator, signed_in):
    """ASVS 8.2.2: the address names another account than the page offers steps on."""
    browsers = {by.id: signed_in(by) for by in (manager, administrator)}
    tokens = {number: browser.token("/account") for number, browser in browsers.items()}
    of, above = manager.id, administrator.id
    before = everything()

    for step in STEPS:
        # roles are opened by administrators only
        by = above if step == "roles" else of
        for target in {above, by}:
            answer = browsers[by].post(
                f"/admin/accounts/{target}/{step}",
                data={"csrf_token": tokens[by], "level": "1", "roles": ["1"], "reason": "x"},
            )

            # to reinstate whom nobody suspended is the same step again, and quiet
            expected = 303 if step == "reinstatement" else 409
            assert answer.status_code == expected, (step, target)
            shown = browsers[by].get(f"/admin/accounts/{target}").text
            assert f"/admin/accounts/{target}/{step}" not in shown

    assert everything() == before


def test_nobody_gives_a_level_above_what_their_role_gives(panel, reviewer, signed_in):
    browser = signed_in(reviewer)
    page = browser.get(f"/admin/registrations/approval?ids={panel['pending'].id}").text
    assert ">extended<" not in page
    before = everything()

    answer = browser.submit(
        f"/admin/registrations/approval?ids={panel['pending'].id}",
        to="/admin/registrations/approval",
        ids=str(panel["pending"].id),
        level=str(level("extended").id),
    )

    assert answer.status_code == 400
    assert everything() == before
