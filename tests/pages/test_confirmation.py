"""Confirming an address (M2): looking changes nothing, the button confirms, nobody squats (H)."""

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from portal import clock, links
from portal.accounts.approval import reject
from portal.accounts.user import Status, User
from portal.audit import Action, AuditEntry
from portal.database import db, transaction
from portal.mail import outbox
from portal.notifications import Notification
from tests.crowd import together
from tests.pages import filled_in
from tests.pages.letters import kinds_to, link_in_last_mail, texts_to
from tests.people import PASSWORD, Person, person

OTHER_PASSWORD = "Quiet-harbour 77"


def register(browser, **changed):
    return browser.submit("/register", **filled_in.registration(**changed))


def the_link(kind="confirmation", to="ada@example.org"):
    return link_in_last_mail(to, kind)


def ada() -> User:
    db.session.expire_all()
    return db.session.scalars(select(User).filter_by(email_canonical="ada@example.org")).one()


@pytest.mark.both_databases(everyday="sqlite")
def test_looking_at_the_link_confirms_nothing_however_often(browser, new_browser):
    """A mail scanner opens every link, with GET and with HEAD, before the person does."""
    register(browser)
    link, scanner = the_link(), new_browser()

    for _ in range(3):
        assert scanner.get(link).status_code == 200
        assert scanner.head(link).status_code == 200
        assert browser.get(link, headers={"Sec-Purpose": "prefetch"}).status_code == 200

    assert ada().status is Status.UNCONFIRMED
    assert browser.submit(link).status_code == 303
    assert ada().status is Status.PENDING


@pytest.mark.both_databases(everyday="sqlite")
def test_the_button_confirms_puts_it_before_the_staff_and_says_what_comes_next(browser):
    register(browser)

    answer = browser.submit(the_link())

    assert answer.headers["Location"] == "/confirm/done"
    assert browser.get("/confirm/done").status_code == 200
    assert kinds_to("ada@example.org") == ["confirmation", "waiting"]
    assert db.session.scalars(select(Notification.about_id)).all() == [ada().id]
    actions = db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions == [Action.REGISTERED, Action.CONFIRMED]


def test_confirming_signs_nobody_in(browser):
    register(browser)

    browser.submit(the_link())

    assert browser.get("/status").status_code == 302


def test_without_the_forms_token_nothing_is_confirmed(browser):
    register(browser)

    assert browser.post(the_link()).status_code == 400
    assert ada().status is Status.UNCONFIRMED


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same browser", "other browser"])
def test_a_used_link_says_so_and_leads_to_sign_in(browser, new_browser, elsewhere):
    register(browser)
    link = the_link()
    whoever = new_browser() if elsewhere else browser
    whoever.submit(link, **filled_in.confirmation(OTHER_PASSWORD))

    again = whoever.get(link)

    assert again.status_code == 200
    assert "confirmed already" in again.get_data(as_text=True)
    assert 'href="/login"' in again.get_data(as_text=True)


def test_an_expired_link_says_so_and_offers_a_fresh_one(browser):
    register(browser)
    link = the_link()

    with time_machine.travel(clock.now() + timedelta(hours=24, minutes=1)):
        page = browser.get(link)
        pressed = browser.post(link, data={"csrf_token": browser.token("/confirm")})

    assert (page.status_code, pressed.status_code) == (400, 400)
    assert "too old" in page.get_data(as_text=True)
    assert 'href="/confirm"' in page.get_data(as_text=True)
    assert ada().status is Status.UNCONFIRMED


def test_a_link_works_until_its_last_minute(browser):
    register(browser)
    link = the_link()

    with time_machine.travel(clock.now() + timedelta(hours=23, minutes=59)):
        answer = browser.submit(link, **filled_in.confirmation(OTHER_PASSWORD))

    assert answer.status_code == 303


def test_setting_the_clock_back_does_not_revive_a_used_link(browser):
    register(browser)
    link = the_link()
    browser.submit(link)

    with time_machine.travel(clock.now() - timedelta(minutes=10)):
        assert "confirmed already" in browser.get(link).get_data(as_text=True)


@pytest.mark.parametrize(
    "alter",
    [
        lambda token: token[:-2] + ("AA" if token[-2:] != "AA" else "BB"),
        lambda token: token[:-5],
        lambda token: "x" + token,
        lambda token: token.replace(".", "", 1),
        lambda token: token + "/../" + token,
        lambda _: "%00",
        lambda _: "%20",
        lambda _: "None",
        lambda _: "%ED%A0%80",
        lambda _: "W10.aaaa.bbbb",
        lambda _: "a" * 5000,
    ],
    ids=[
        "other end",
        "cut",
        "longer",
        "a dot less",
        "twice",
        "NUL",
        "blank",
        "a word",
        "half a sign",
        "forged",
        "very long",
    ],
)
def test_an_altered_link_confirms_nothing_and_says_so(browser, alter):
    register(browser)
    token = the_link().rpartition("/")[2]

    page = browser.get(f"/confirm/{alter(token)}")
    pressed = browser.post(
        f"/confirm/{alter(token)}", data={"csrf_token": browser.token("/confirm")}
    )

    assert page.status_code in (400, 404)
    assert pressed.status_code in (400, 404)
    assert ada().status is Status.UNCONFIRMED


def test_a_link_of_one_purpose_is_no_link_of_another(browser, a_user):
    """One token for each purpose: a reset link confirms nothing, and so on (ASVS 9.2)."""
    register(browser)
    user = ada()
    tokens = {
        "/confirm/": links.confirmation(user).rpartition("/")[2],
        "/reset/": links.password_reset(user).rpartition("/")[2],
        "/change-email/": links.change_of_address(user, "eve@example.org").rpartition("/")[2],
    }

    for path in ("/confirm/", "/reset/"):
        for purpose, token in tokens.items():
            if purpose != path:
                assert browser.get(path + token).status_code == 400, (path, purpose)


def test_a_link_is_bound_to_the_address_it_was_mailed_to(browser, a_user):
    user = a_user(email="old@example.org")
    link = links.confirmation(user).partition("8000")[2]
    with transaction():
        user.email = "new@example.org"

    assert browser.get(link).status_code == 400


def test_somebody_elses_link_says_to_sign_out_first(browser, new_browser, a_user):
    register(new_browser())
    link = the_link()
    browser.sign_in(person(a_user(approved=True)))

    page = browser.get(link)
    pressed = browser.post(link, data={"csrf_token": browser.token("/account")})

    assert "belongs to another account" in page.get_data(as_text=True)
    assert "ada@example.org" not in page.get_data(as_text=True)
    assert pressed.status_code == 400
    assert ada().status is Status.UNCONFIRMED


def test_a_rejected_registration_is_confirmed_by_no_old_link(browser, reviewer):
    register(browser)
    link = the_link()
    with transaction():
        reject(ada(), by=reviewer)

    page = browser.get(link)

    assert "cannot be confirmed" in page.get_data(as_text=True)
    assert browser.post(link, data={"csrf_token": browser.token("/confirm")}).status_code == 400
    assert ada().confirmed_at is None


def test_the_browser_that_registered_needs_the_button_only(browser):
    register(browser)

    assert 'type="password"' not in browser.get(the_link()).get_data(as_text=True)


def test_any_other_browser_chooses_the_password_with_the_button(browser, new_browser):
    """Somebody may have registered an address that is not theirs (pre-hijacking)."""
    squatter, owner = browser, new_browser()
    register(squatter)
    link = the_link()

    assert owner.submit(link).status_code == 400
    assert owner.submit(link, **filled_in.confirmation("short")).status_code == 400
    assert ada().status is Status.UNCONFIRMED
    assert owner.submit(link, **filled_in.confirmation(OTHER_PASSWORD)).status_code == 303

    refused = squatter.submit("/login", identity="ada", password=PASSWORD)
    assert refused.status_code == 200
    owner.sign_in(Person("ada", OTHER_PASSWORD))


def test_a_password_chosen_with_the_button_obeys_the_rules(browser, new_browser):
    register(browser)

    answer = new_browser().submit(the_link(), **filled_in.confirmation("Ada-lovelace1"))

    assert answer.status_code == 400
    assert ada().status is Status.UNCONFIRMED


@pytest.mark.both_databases(everyday="sqlite")
@pytest.mark.settings(PORTAL_LIMITS_ENABLED="false")
def test_registering_an_unconfirmed_address_again_mails_a_fresh_link_and_forgets_the_password(
    browser, new_browser
):
    squatter, owner = browser, new_browser()
    register(squatter, username="squatter")
    register(owner)

    assert ada().password is None
    assert kinds_to("ada@example.org") == ["confirmation", "confirmation_again"]
    for password in (PASSWORD, "", "None", "!"):
        for identity in ("ada", "squatter", "ada@example.org"):
            answer = owner.submit("/login", identity=identity, password=password)
            assert answer.status_code == 200

    link = the_link("confirmation_again")
    for whoever in (squatter, owner, new_browser()):
        page = whoever.get(link).get_data(as_text=True)
        assert 'type="password"' in page, "whoever confirms chooses the password"


def test_the_first_link_too_asks_for_a_password_once_an_address_is_contested(browser, new_browser):
    register(browser)
    link = the_link()
    register(new_browser())

    assert browser.submit(link).status_code == 400
    assert ada().status is Status.UNCONFIRMED
    assert browser.submit(link, **filled_in.confirmation(OTHER_PASSWORD)).status_code == 303


def test_somebody_who_registers_again_and_again_cannot_confirm_from_the_session(
    browser, new_browser
):
    """The squatter's browser keeps no mark that lets it confirm by the button alone."""
    squatter = browser
    register(squatter)
    register(new_browser())
    register(squatter)

    assert 'type="password"' in squatter.get(the_link()).get_data(as_text=True)


def test_a_name_typed_by_a_second_registration_shows_in_no_mail_to_others(browser, new_browser):
    register(browser)

    register(new_browser(), full_name="Win a prize at evil.example")

    assert "evil.example" not in texts_to("ada@example.org")


@pytest.mark.both_databases(everyday="postgresql")
@pytest.mark.settings(PORTAL_LIMITS_ENABLED="false")
def test_a_link_pressed_by_many_at_once_confirms_once(app, browser, new_browser):
    register(browser)
    link = the_link()
    browsers = [new_browser() for _ in range(16)]
    tokens = [each.token(link) for each in browsers]

    def press(each, token):
        data = {"csrf_token": token, **filled_in.confirmation(OTHER_PASSWORD)}
        return lambda: each.post(link, data=data).status_code

    answers = together(map(press, browsers, tokens))

    assert set(answers) <= {200, 303}
    assert kinds_to("ada@example.org") == ["confirmation", "waiting"]
    confirmed = select(AuditEntry).filter_by(action=Action.CONFIRMED)
    assert len(db.session.scalars(confirmed).all()) == 1


def test_of_many_who_choose_a_password_at_once_one_chooses(app, browser, new_browser):
    """Who reads "confirmed" must be able to sign in with what they typed."""
    register(browser)
    link = the_link()
    browsers = [new_browser() for _ in range(6)]
    tokens = [each.token(link) for each in browsers]

    def press(number):
        fields = filled_in.confirmation(f"Quiet-harbour {number}7")
        data = {"csrf_token": tokens[number], **fields}
        return lambda: browsers[number].post(link, data=data).status_code

    answers = together(press(number) for number in range(6))

    assert answers.count(303) == 1, answers
    winner = Person("ada", f"Quiet-harbour {answers.index(303)}7")
    new_browser().sign_in(winner)


def resend(browser, email="ada@example.org"):
    return browser.submit("/confirm", email=email)


def test_a_fresh_link_can_be_asked_for_after_a_pause(browser):
    register(browser)

    resend(browser)
    assert kinds_to("ada@example.org") == ["confirmation"], "too soon: no second mail"

    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        answer = resend(browser)
        assert answer.headers["Location"] == "/register/sent"
        assert kinds_to("ada@example.org") == ["confirmation", "confirmation"]
        resend(browser)
        assert kinds_to("ada@example.org") == ["confirmation", "confirmation"]


def test_a_fresh_link_works_and_so_does_the_first_until_one_is_used(browser, new_browser):
    register(browser)
    first = the_link()
    with time_machine.travel(clock.now() + timedelta(minutes=2)):
        resend(browser)
        second = the_link()

        assert first != second
        assert browser.get(first).status_code == browser.get(second).status_code == 200
        browser.submit(second)
        assert "confirmed already" in browser.get(first).get_data(as_text=True)


@pytest.mark.parametrize("kind", ["unknown", "pending", "approved", "suspended", "rejected"])
def test_asking_for_a_link_that_nobody_needs_mails_nobody(browser, a_user, kind):
    if kind != "unknown":
        facts = {"pending": "confirmed"}.get(kind, kind)
        a_user(email="ada@example.org", **{facts: True})
    before = kinds_to("ada@example.org")

    answer = resend(browser)

    assert answer.headers["Location"] == "/register/sent"
    assert kinds_to("ada@example.org") == before


def test_mail_goes_to_the_stored_address_whatever_spelling_was_typed(browser, a_user):
    a_user(email="ada@example.org")

    with time_machine.travel(clock.now() + timedelta(minutes=2)):
        resend(browser, "ADA@EXAMPLE.ORG")

    assert {mail.recipient for mail in outbox.waiting()} == {"ada@example.org"}


def test_whoever_confirms_elsewhere_sees_and_corrects_what_was_filled_in(browser, new_browser):
    """It may have been filled in by somebody else."""
    register(browser, full_name="A. Squatter", username="squatter", reason="Let me in")
    link, owner = the_link(), new_browser()
    page = owner.get(link).get_data(as_text=True)
    for known in ("A. Squatter", "squatter", "Let me in"):
        assert known in page

    owner.submit(
        link, **filled_in.confirmation(OTHER_PASSWORD, username="Countess", reason="I teach.")
    )

    user = ada()
    assert (user.full_name, user.username, user.reason) == ("Ada Lovelace", "countess", "I teach.")
    owner.sign_in(Person("countess", OTHER_PASSWORD))


def test_a_correction_obeys_the_rules_and_takes_nobodys_name(browser, new_browser, a_user):
    a_user(approved=True, username="grace")
    register(browser)
    link, owner = the_link(), new_browser()

    for wrong in ({"username": "GRACE"}, {"username": "admin"}, {"full_name": " "}):
        answer = owner.submit(link, **filled_in.confirmation(OTHER_PASSWORD, **wrong))
        assert answer.status_code == 400, wrong

    assert (ada().status, ada().username) == (Status.UNCONFIRMED, "ada")


def test_registering_again_changes_nothing_that_the_first_one_filled_in(browser, new_browser):
    register(browser, reason="I teach.")

    register(new_browser(), full_name="Somebody Else", username="other", reason="Spam")

    assert (ada().full_name, ada().username, ada().reason) == ("Ada Lovelace", "ada", "I teach.")
