"""Staff take the second factor of somebody away who lost it, from the page of the account."""

from __future__ import annotations

from portal.accounts.factors import standing
from portal.audit import Action
from portal.database import db
from portal.serving import rescue
from tests.admin_views.panel import entries, words
from tests.phone import set_up


def test_a_manager_resets_it_with_a_reason_and_a_reviewer_cannot(
    a_user, reviewer, manager, signed_in
):
    ada = a_user(approved=True)
    set_up(ada)
    page, step = f"/admin/accounts/{ada.id}", f"/admin/accounts/{ada.id}/second-factor-reset"
    assert "second-factor-reset" not in signed_in(reviewer).get(page).text
    browser = signed_in(manager)
    assert "second-factor-reset" in browser.get(page).text

    answer = browser.submit(step, ids=str(ada.id), reason=" ")
    assert answer.status_code == 400
    assert "Say why." in words(answer)
    answer = browser.submit(step, ids=str(ada.id), reason="Lost the phone")

    assert answer.location == page
    assert not standing.has_factor(ada)
    assert entries(Action.FACTORS_RESET)[0].details == {"reason": "Lost the phone"}
    assert "second-factor-reset" not in browser.get(page).text


def test_the_operator_helps_the_one_above_whom_nobody_is(app, administrator):
    set_up(administrator)

    rescue.reset_second_factor(app, str(administrator.username), reason="Lost everything")

    db.session.rollback()
    db.session.expire_all()
    assert not standing.has_factor(administrator)
    assert entries(Action.FACTORS_RESET)[0].by_id is None
