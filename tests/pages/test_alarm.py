"""What a person meets: the notices about their account, and the page behind "this was not me"."""

import re

from sqlalchemy import select

from portal.accounts.user import User
from portal.database import db, transaction
from portal.mail.mail import Mail
from portal.mail.sealing import unseal
from tests.people import PASSWORD, person

NEW_PASSWORD = "Brighter-harbour 77"


def letters(kind):
    db.session.expire_all()
    return db.session.scalars(select(Mail).filter_by(kind=kind).order_by(Mail.id)).all()


def link_in(mail, pattern):
    found = re.search(pattern, unseal(mail.body).text)
    assert found, unseal(mail.body).text
    return found[0].partition("8000")[2]


NOT_ME = r"http://\S+/not-me"
RESET = r"http://\S+/reset/[^/\s]+$"


def test_a_device_not_seen_before_is_told_of_but_not_the_first_one(a_user, new_browser):
    ada = a_user(approved=True, email="ada@example.org")
    known = new_browser()
    known.sign_in(person(ada))
    assert letters("new_device") == []

    known.post("/logout", data={"csrf_token": known.token("/account")})
    known.sign_in(person(ada))
    assert letters("new_device") == []

    new_browser().sign_in(person(ada))
    (mail,) = letters("new_device")
    assert mail.recipient == "ada@example.org"


def test_looking_changes_nothing_and_pressing_leads_the_owner_back_in(a_user, new_browser):
    ada = a_user(approved=True)
    new_browser().sign_in(person(ada))
    thief, owner = new_browser(), new_browser()
    thief.sign_in(person(ada))
    path = link_in(letters("new_device")[0], NOT_ME)

    assert owner.get(path).status_code == 200
    assert owner.head(path).status_code == 200
    assert thief.get("/account").status_code == 200
    assert owner.post(path).status_code == 400, "without its token"
    answer = owner.submit(path)

    assert answer.status_code == 303
    assert "Your account is shut" in owner.get(path).text
    assert thief.get("/account").status_code == 302
    again = thief.submit("/login", identity=ada.username, password=PASSWORD)
    assert "do not match" in again.text
    back = link_in(letters("way_back")[0], re.compile(RESET, re.MULTILINE))
    owner.submit(back, password=NEW_PASSWORD, password_again=NEW_PASSWORD)
    entered = owner.submit("/login", identity=ada.username, password=NEW_PASSWORD)
    assert entered.status_code == 302


def test_a_link_that_is_none_says_so(browser):
    answer = browser.get("/reset/nonsense/not-me")

    assert answer.status_code == 400
    assert "This link does not work" in answer.text


def test_staff_see_it_until_somebody_has_looked(a_user, manager, new_browser, browser):
    ada = a_user(approved=True)
    for _ in range(2):
        new_browser().sign_in(person(ada))
    new_browser().submit(link_in(letters("new_device")[0], NOT_ME))
    browser.sign_in(person(manager))
    page = f"/admin/accounts/{ada.id}"

    assert "not theirs" in browser.get("/admin/").text
    assert "not theirs" in browser.get(page).text
    browser.submit(page, to=f"{page}/alarm")
    assert f"{page}/alarm" not in browser.get(page).text
    with transaction():
        assert db.session.get_one(User, ada.id).password is None
