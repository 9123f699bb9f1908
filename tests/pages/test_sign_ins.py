"""Who signed in, and who tried to: what the owner reads, and what staff do (M6)."""

from sqlalchemy import select

from portal.accounts.sign_ins import Outcome, SignIn
from portal.database import db
from tests.people import PASSWORD, person
from tests.phone import set_up


def attempt(browser, identity, password, address="198.51.100.9"):
    data = {"csrf_token": browser.token("/login"), "identity": identity, "password": password}
    return browser.post(
        "/login",
        data=data,
        headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"},
        environ_base={"REMOTE_ADDR": address},
    )


def kept():
    db.session.expire_all()
    found = db.session.scalars(select(SignIn).where(SignIn.user_id.is_not(None)))
    return [(row.outcome, row.times, row.network) for row in found.all()]


def test_each_way_that_a_try_goes_is_kept_and_nothing_that_was_typed(new_browser, a_user):
    ada, eve, bob = a_user(approved=True), a_user(suspended=True), a_user()
    browser = new_browser()

    for _ in range(5):
        attempt(browser, ada.username, "Wrong-lantern 42")
    assert attempt(browser, ada.email, PASSWORD).status_code == 302
    attempt(new_browser(), eve.username, PASSWORD, "203.0.113.1")
    attempt(new_browser(), bob.username, PASSWORD, "203.0.113.1")
    attempt(new_browser(), "nobody", "Wrong-lantern 42")

    assert kept() == [
        (Outcome.WRONG_PASSWORD, 5, "198.51.100.0/24"),
        (Outcome.OK, 1, "198.51.100.0/24"),
        (Outcome.SUSPENDED, 1, "203.0.113.0/24"),
        (Outcome.UNCONFIRMED, 1, "203.0.113.0/24"),
    ]
    everything = db.session.execute(select(SignIn.__table__)).all()
    assert "lantern" not in repr(everything)
    assert "nobody" not in [row.agent for row in everything]


def test_who_must_wait_is_kept_as_such(new_browser, a_user):
    ada = a_user(approved=True)
    browser = new_browser()

    answers = [attempt(browser, ada.username, "wrong").status_code for _ in range(7)]

    assert answers[-1] == 429
    assert [outcome for outcome, *_ in kept()] == [Outcome.WRONG_PASSWORD, Outcome.DELAYED]


def test_the_owner_reads_once_how_many_failed_since_and_finds_them_listed(new_browser, a_user):
    ada = person(a_user(approved=True))
    browser = new_browser()
    browser.sign_in(ada)
    for _ in range(3):
        attempt(new_browser(), ada.username, "wrong")

    again = new_browser()
    again.sign_in(ada)
    told = again.get("/").text

    assert "3 failed attempts to sign in" in told
    assert "failed attempt" not in again.get("/").text
    assert "failed attempt" not in browser.get("/").text
    page = again.get("/account").text
    assert "Wrong password" in page
    assert "3 times" in page
    assert 'href="/account/sign-ins"' in page
    listed = again.get("/account/sign-ins").text
    assert listed.count("Signed in") == 2
    assert "<bdi>Firefox</bdi> on <bdi>Linux</bdi>" in listed


def test_staff_who_manage_accounts_see_them_too(a_user, manager, browser, new_browser):
    ada = a_user(approved=True)
    attempt(new_browser(), ada.username, "wrong")
    browser.sign_in(person(manager))

    page = browser.get(f"/admin/accounts/{ada.id}").text
    listed = browser.get(f"/admin/accounts/{ada.id}/sign-ins").text

    assert f"/admin/accounts/{ada.id}/sign-ins" in page
    assert "Wrong password" in listed
    assert "198.51.100.0/24" in listed
    assert browser.get(f"/admin/accounts/{ada.id}/sign-ins?cursor=x").status_code == 200


def test_a_wrong_code_counts_as_a_failure_and_the_factor_is_named(browser, a_user):
    ada = a_user(approved=True)
    phone, _ = set_up(ada)
    attempt(browser, ada.username, PASSWORD)
    browser.submit("/second-step", code=phone.does_not_show())
    browser.submit("/second-step", code=phone.shows(later=1))

    assert [outcome for outcome, *_ in kept()] == [Outcome.WRONG_CODE, Outcome.OK]
    page = browser.get("/account/sign-ins").text
    assert "Password + Authenticator app" in page
