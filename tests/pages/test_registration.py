"""Registering (M1): what is asked and kept, and what a stranger does not learn (H)."""

import re
import unicodedata
from datetime import UTC, datetime

import pytest
import time_machine
from sqlalchemy import func, select

from portal.accounts.user import Communication, Status, User
from portal.database import db
from portal.mail import outbox
from tests.crowd import together
from tests.pages import filled_in
from tests.pages.letters import kinds_to, link_in_last_mail
from tests.people import PASSWORD, person


def register(browser, **changed):
    return browser.submit("/register", **filled_in.registration(**changed))


def the_user() -> User:
    db.session.expire_all()
    return db.session.scalars(select(User)).one()


@pytest.mark.both_databases(everyday="sqlite")
def test_everything_that_was_filled_in_is_kept_with_the_terms_and_the_time(browser):
    moment = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)

    with time_machine.travel(moment, tick=False):
        answer = register(
            browser,
            full_name="  Ada Lovelace ",
            username="Ada.L",
            email="Ada@Example.ORG",
            communication="none",
            reason="I want to\ntry the engine.",
        )

    user = the_user()
    assert answer.headers["Location"].endswith("/register/sent")
    assert (user.full_name, user.username) == ("Ada Lovelace", "ada.l")
    assert (user.email, user.email_canonical) == ("Ada@example.org", "ada@example.org")
    assert user.communication == Communication.NONE.value
    assert user.reason.split() == ["I", "want", "to", "try", "the", "engine."]
    assert (user.terms_version, user.terms_accepted_at) == ("1", moment)
    assert user.registered_at == moment
    assert user.status is Status.UNCONFIRMED


@pytest.mark.parametrize("choice", list(Communication))
def test_every_communication_preference_can_be_chosen(browser, choice):
    register(browser, communication=choice.value)

    assert the_user().communication == choice.value


@pytest.mark.settings(PORTAL_SITE_TERMS_VERSION="2026-10")
def test_the_version_of_the_terms_is_the_one_that_was_shown(browser):
    assert "2026-10" in browser.get("/terms").get_data(as_text=True)

    register(browser)

    assert the_user().terms_version == "2026-10"


@pytest.mark.both_databases(everyday="sqlite")
@pytest.mark.parametrize(
    "name",
    [
        "Ng",
        "محمد بن سلمان",
        "李小龍",
        "Łukasz O’Brien-Żak",
        "नरेन्द्र मोदी",
        "Cher",
        "J. R. R. Tolkien 3rd",
    ],
    ids=["short", "arabic", "han", "latin", "devanagari", "single", "dots"],
)
def test_a_name_is_kept_as_typed_in_any_script(browser, name):
    register(browser, full_name=name)

    assert the_user().full_name == name


@pytest.mark.both_databases(everyday="sqlite")
def test_a_name_that_unfolds_when_searched_for_is_taken_too(browser):
    """One sign of Arabic that compatibility spelling makes eighteen of."""
    answer = register(browser, full_name="\ufdfa" * 120)

    assert answer.status_code == 303
    assert the_user().full_name == "\ufdfa" * 120


# A field, what is typed into it, and a part of the sentence that refuses it.
WRONG = [
    ("full_name", "", "Enter your full name"),
    ("full_name", " \t ", "Enter your full name"),
    ("full_name", "A" * 121, "120 characters"),
    ("full_name", "Ada\u202eevoL", "cannot be shown"),
    ("full_name", "Ada\u2028Lovelace", "cannot be shown"),
    ("full_name", "Ada\u2029Lovelace", "cannot be shown"),
    ("full_name", "Ada\nBcc: all@example.org", "cannot be shown"),
    ("full_name", "Ada\x1b[31m", "cannot be shown"),
    ("full_name", "\u200d\u200d\u2060", "Enter your full name"),
    ("full_name", "\u3164", "cannot be shown"),
    ("full_name", "\u115f\u1160", "cannot be shown"),
    ("full_name", "Ada\uffa0", "cannot be shown"),
    ("full_name", "Ada\u00ad", "cannot be shown"),
    ("username", "", "Choose a username"),
    ("username", "ab", "3 to 32 characters"),
    ("username", "a" * 33, "3 to 32 characters"),
    ("username", "аlice", "letters a to z"),
    ("username", "ali ce", "letters a to z"),
    ("username", "ada@example.org", "letters a to z"),
    ("username", ".ada", "letters a to z"),
    ("username", "Admin", "reserved"),
    ("username", "ＲＯＯＴ", "reserved"),
    ("email", "", "Enter your e-mail address"),
    ("email", "ada", "address like"),
    ("email", "ada@", "address like"),
    ("email", "ada@example", "address like"),
    ("email", "ada@exa mple.org", "address like"),
    ("email", "ada@example.org\nBcc: x@example.org", "address like"),
    ("email", "ada@example.org,eve@example.org", "address like"),
    ("email", "Ada <ada@example.org>", "address like"),
    ("email", "alıce@example.org", "address like"),
    ("email", "a" * 250 + "@example.org", "address like"),
    ("password_again", "Sturdy-lantern 43", "differ"),
    ("password_again", "", "second time"),
    ("password", "", "Choose a password"),
    ("communication", "everything", "Not a valid choice"),
    ("communication", "", "Not a valid choice"),
    ("reason", "a" * 1001, "1000 characters"),
    ("reason", "a\0b", "cannot be shown"),
    ("accept_terms", "", "Accept the terms"),
]


@pytest.mark.settings(PORTAL_LIMITS_ENABLED="false")
def test_a_field_that_is_wrong_is_refused_with_a_sentence(browser):
    token = browser.token("/register")

    for field, value, sentence in WRONG:
        fields = {"csrf_token": token, **filled_in.registration(**{field: value})}
        answer = browser.post("/register", data=fields)
        assert answer.status_code == 400, (field, value)
        assert sentence in answer.get_data(as_text=True), (field, value)

    assert db.session.scalar(select(func.count()).select_from(User)) == 0
    assert outbox.waiting() == []


def test_what_was_typed_stays_in_the_form_but_never_the_password(browser):
    answer = register(browser, password_again="something else", reason="Because")
    page = answer.get_data(as_text=True)

    for typed in ("Ada Lovelace", "ada@example.org", "Because"):
        assert typed in page
    assert PASSWORD not in page


@pytest.mark.parametrize("length", [73, 128])
def test_a_long_password_is_taken_whole(browser, new_browser, length):
    """The estimator refuses more than 72 characters, which was a 500 (D10)."""
    password = ("Xk7!pQz9-wR4 ë" * 10)[:length]

    assert register(browser, **filled_in.new_password(password)).status_code == 303

    assert len(the_user().password) > 90


def test_a_longer_password_is_refused_with_the_reason(browser):
    answer = register(browser, **filled_in.new_password("Xk7!" * 32 + "x"))

    assert answer.status_code == 400
    assert "8 to 128 characters" in answer.get_data(as_text=True)


def test_a_password_that_breaks_rules_is_told_all_of_them(browser):
    page = register(browser, **filled_in.new_password("adalovelace")).get_data(as_text=True)

    for rule in ("An upper-case letter", "A digit", "A special character", "Not your own name"):
        assert rule in page


def test_a_password_made_of_the_name_in_the_same_form_is_refused(browser):
    answer = register(browser, **filled_in.new_password("Lovelace-ada1"))

    assert answer.status_code == 400


def test_fields_that_the_form_does_not_have_change_nothing(browser):
    """Mass assignment: no name of a column is believed."""
    register(
        browser,
        id="77",
        confirmed_at="2020-01-01",
        approved_at="2020-01-01",
        status="approved",
        roles="3",
        access_level_id="3",
        fs_uniquifier="x",
        login_count="9",
        terms_version="0",
        active="y",
    )

    user = the_user()
    assert (user.status, user.roles, user.access_level) == (Status.UNCONFIRMED, [], None)
    assert (user.id, user.login_count, user.terms_version) == (1, 0, "1")
    assert user.fs_uniquifier != "x"


def test_somebody_who_is_signed_in_is_led_home(browser, a_user):
    browser.sign_in(person(a_user(approved=True)))

    assert browser.get("/register").headers["Location"] == "/"


def test_the_next_page_says_where_the_link_went_and_offers_another(browser):
    register(browser)

    page = browser.get("/register/sent").get_data(as_text=True)

    assert "ada@example.org" in page
    assert "/confirm" in page
    assert "/dev/mailbox" in page


def test_the_owner_of_a_confirmed_address_is_told_and_nobody_else(browser, a_user):
    ada = a_user(approved=True, email="ada@example.org", full_name="Countess")
    before = (ada.password, ada.full_name, ada.username)

    register(browser, username="somebody-else")

    db.session.refresh(ada)
    assert kinds_to("ada@example.org")[-1] == "already_registered"
    assert (ada.password, ada.full_name, ada.username) == before
    assert db.session.scalar(select(func.count()).select_from(User)) == 1


@pytest.mark.parametrize("spelling", ["ADA@EXAMPLE.ORG", "Ada@example.Org", " ada@example.org "])
def test_another_spelling_of_an_address_is_the_same_address(browser, a_user, spelling):
    """Mail goes to the stored address, never to what was typed (CVE-2019-19844)."""
    a_user(approved=True, email="ada@example.org")

    register(browser, email=spelling, username="other")

    assert kinds_to("ada@example.org")[-1] == "already_registered"
    assert {mail.recipient for mail in outbox.waiting()} == {"ada@example.org"}


def test_an_address_of_an_international_domain_has_one_spelling(browser, new_browser):
    register(browser, email="ada@bücher.example")
    register(new_browser(), email="ada@xn--bcher-kva.example", username="other")

    assert the_user().email_canonical == "ada@xn--bcher-kva.example"


def test_a_taken_username_is_told_by_mail_with_a_way_back_to_the_form(browser, new_browser, a_user):
    a_user(approved=True, username="ada")

    register(browser, username="ADA", email="other@example.org", reason="Numbers")

    assert kinds_to("other@example.org") == ["username_taken"]
    elsewhere = new_browser()
    page = elsewhere.get(link_in_last_mail("other@example.org", "username_taken"))
    text = page.get_data(as_text=True)
    assert page.status_code == 200
    for known in ("other@example.org", "Ada Lovelace", "Numbers", "is taken"):
        assert known in text
    assert PASSWORD not in text


def test_the_way_back_works_for_a_day_and_only_unaltered(browser, new_browser, a_user):
    a_user(approved=True, username="ada")
    register(browser, email="other@example.org")
    link = link_in_last_mail("other@example.org", "username_taken")

    altered = new_browser().get(link[:-6] + "AAAAAA").get_data(as_text=True)

    assert "other@example.org" not in altered


@pytest.mark.both_databases(everyday="postgresql")
@pytest.mark.settings(PORTAL_LIMITS_ENABLED="false", PORTAL_MAIL_MOST_ASKED_A_DAY="100")
@pytest.mark.parametrize("taken", ["address", pytest.param("username", marks=[pytest.mark.long])])
def test_thirty_two_people_who_register_the_same_at_once_make_one_account(app, new_browser, taken):
    """H: check-then-insert. Case and compatibility spellings are the same name (security 5)."""
    names = ["ada", "ADA", "Ada", "ａｄａ", "aDa", "ADa", "ＡＤＡ", "adA"]
    addresses = ["ada@example.org", "ADA@example.org", "Ada@EXAMPLE.org", "aDa@eXample.org"]

    def fields(number):
        if taken == "username":
            return filled_in.registration(
                username=names[number % 8], email=f"p{number}@example.org"
            )
        return filled_in.registration(username=f"person{number}", email=addresses[number % 4])

    browsers = [new_browser() for _ in range(32)]
    tokens = [browser.token("/register") for browser in browsers]

    def deed(number):
        data = {"csrf_token": tokens[number], **fields(number)}
        return lambda: browsers[number].post("/register", data=data)

    answers = together(deed(number) for number in range(32))

    assert {answer.status_code for answer in answers} == {303}
    assert {answer.headers["Location"] for answer in answers} == {"/register/sent"}
    assert the_user().username_canonical == "ada" or taken == "address"
    kinds = [mail.kind for mail in outbox.waiting()]
    assert len(kinds) == 32
    assert kinds.count("confirmation") == 1
    assert set(kinds) == {
        "confirmation",
        "confirmation_again" if taken == "address" else "username_taken",
    }


def test_two_unicode_spellings_of_a_password_are_the_same_when_typed_twice(browser):
    composed = "Zürich-Brücke 7 nach Norden"

    answer = register(
        browser, password=composed, password_again=unicodedata.normalize("NFD", composed)
    )

    assert answer.status_code == 303


@pytest.mark.settings(PORTAL_PASSWORDS_RULES="length")
def test_the_rules_on_the_page_are_those_in_force_in_every_language(browser):
    """ASVS 6.2.5: by one setting length is all that is asked for, and the browser follows."""
    told = {"en": "15 to 128 characters", "de": "15 bis 128 Zeichen", "es": "15", "ar": "15"}
    for language, sentence in told.items():
        page = browser.get("/register", headers={"Accept-Language": language}).text
        assert f'lang="{language}"' in page
        assert 'data-minimum-length="15"' in page
        assert sentence in page
        rules = re.findall(r'data-rule="(\w+)"', page)
        assert rules == ["length", "personal", "guessable"]

    words = filled_in.new_password("quiet otters read maps")
    assert browser.submit("/register", **filled_in.registration(**words)).status_code == 303
