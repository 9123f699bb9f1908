"""The wished level: a choice where staff offer one, kept, editable, and no promise (B1)."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from admin_views import wording
from portal.accounts import access
from portal.accounts.approval import approve
from portal.accounts.user import User
from portal.audit import Action, AuditEntry
from portal.database import db, transaction
from tests.admin_views.panel import entries
from tests.pages import filled_in
from tests.pages.letters import link_in_last_mail
from tests.pages.test_status_link import link_of, now
from tests.people import level, person

ASKED = "Which access level would you like?"


def offer(*names: str) -> None:
    """Let applicants ask for these levels, and for no other."""
    with transaction():
        for each in access.levels():
            access.edit_level(
                each,
                name=each.name,
                rank=each.rank,
                description=f"What {each.name} is.",
                offered=each.name in names,
                by=an_administrator(),
            )


def an_administrator() -> User:
    return next(
        user for user in db.session.scalars(select(User)) if user.roles and user.username == "root"
    )


@pytest.fixture(autouse=True)
def _root(people):
    people.staff("administrator", username="root")


def registered() -> User:
    db.session.expire_all()
    return db.session.scalars(select(User).filter_by(username_canonical="ada")).one()


@pytest.mark.parametrize("names", [(), ("standard",)])
def test_nothing_is_asked_where_there_is_no_choice(browser, a_user, names):
    offer(*names)
    ada = a_user(confirmed=True)

    assert ASKED not in browser.get("/register").text
    assert ASKED not in browser.get(link_of(ada)).text
    browser.submit("/register", **filled_in.registration(wished_level=str(level("standard").id)))
    assert registered().review.wished_level is None


@pytest.mark.both_databases(everyday="sqlite")
def test_an_applicant_chooses_among_the_levels_on_offer(browser):
    offer("guest", "standard")
    page = browser.get("/register").text
    assert "What guest is." in page
    assert "What extended is." not in page, "what is not on offer, strangers do not read"

    browser.submit("/register", **filled_in.registration(wished_level=str(level("standard").id)))

    assert registered().review.wished_level == level("standard")


def test_to_choose_nothing_leaves_it_to_the_staff(browser):
    offer("guest", "standard")

    answer = browser.submit("/register", **filled_in.registration(wished_level=""))

    assert answer.status_code == 303
    assert registered().review.wished_level is None


def test_the_choice_stays_through_an_error(browser):
    offer("guest", "standard")
    wished = level("standard").id

    answer = browser.submit(
        "/register", **filled_in.registration(email="ada@", wished_level=str(wished))
    )

    assert answer.status_code == 400
    assert f'value="{wished}" checked' in answer.text


def test_the_choice_stays_when_the_username_was_taken(browser, new_browser, a_user):
    a_user(username="ada", email="countess@example.org")
    offer("guest", "standard")
    wished = level("standard").id
    browser.submit("/register", **filled_in.registration(wished_level=str(wished)))

    form = new_browser().get(link_in_last_mail("ada@example.org", "username_taken"))

    assert f'value="{wished}" checked' in form.text


@pytest.mark.parametrize("wished", ["999", "extended", "-1", "9" * 40, "٣"])
def test_what_is_not_on_offer_is_not_wished_for(browser, wished):
    offer("guest", "standard")
    if wished == "extended":
        wished = str(level("extended").id)

    browser.submit("/register", **filled_in.registration(wished_level=wished))

    found = db.session.scalars(select(User).filter_by(username_canonical="ada")).one_or_none()
    assert found is None or found.review.wished_level is None


@pytest.mark.both_databases(everyday="sqlite")
def test_while_one_waits_one_may_wish_otherwise(browser, a_user):
    offer("guest", "standard")
    ada = a_user(confirmed=True)
    link, version = link_of(ada), ada.review.version

    for wished in ("standard", "standard", "guest"):
        answer = browser.submit(link, reason="", wished_level=str(level(wished).id))
        assert answer.status_code == 303

    assert now(ada).review.wished_level == level("guest")
    assert ada.review.version == version + 2, "a reviewer's older page cannot decide"
    trail = [detail for entry in entries(Action.WISH_EDITED) for detail in wording.details(entry)]
    assert ("Access level", "standard", "none") in {
        (str(d.label), d.value, d.before) for d in trail
    }
    edits = db.session.scalars(
        select(AuditEntry.details).filter_by(action=Action.WISH_EDITED).order_by(AuditEntry.id)
    ).all()
    assert edits == [
        {"before": None, "after": "standard", "how": ["link"]},
        {"before": "standard", "after": "guest", "how": ["link"]},
    ]


def test_a_wish_outlives_that_its_level_is_no_longer_on_offer(browser, a_user):
    offer("guest", "standard")
    ada = a_user(confirmed=True)
    browser.submit(link_of(ada), reason="", wished_level=str(level("standard").id))
    offer("guest", "extended")

    page = browser.get(link_of(ada)).text
    browser.submit(link_of(ada), reason="I teach.", wished_level=str(level("standard").id))

    assert f'value="{level("standard").id}" checked' in page
    assert now(ada).review.wished_level == level("standard")
    assert ada.reason == "I teach."


def test_what_is_decided_is_wished_for_no_more(browser, a_user, reviewer):
    offer("guest", "standard")
    ada = a_user(confirmed=True)
    browser.sign_in(person(ada))
    token = browser.token("/status")
    with transaction():
        approve(ada, by=reviewer, level=level("guest"))

    answer = browser.post(
        "/status",
        data={"csrf_token": token, "reason": "", "wished_level": str(level("standard").id)},
    )

    assert answer.status_code == 400
    assert now(ada).review.wished_level is None


def test_staff_say_which_levels_are_on_offer(browser, administrator):
    browser.sign_in(person(administrator))
    for name in ("guest", "standard"):
        path = f"/admin/access-levels/{level(name).id}"
        browser.submit(path, name=name, rank=str(level(name).rank), offered="y")

    assert [each.name for each in access.levels_offered()] == ["guest", "standard"]
    assert "Applicants may ask for it" in browser.get("/admin/access-levels/").text

    browser.submit(path, name="standard", rank=str(level("standard").rank))

    assert access.levels_offered() == []
