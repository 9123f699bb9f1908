"""The language page: reading the portal, and getting its mails, in another language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from portal import i18n
from portal.accounts.user import User
from portal.audit import Action, AuditEntry
from portal.database import db
from portal.mail import messages
from tests.conftest import Browser
from tests.i18n.crawler import Page
from tests.people import person


def test_every_language_is_offered_under_its_own_name(new_browser: Callable[[], Browser]) -> None:
    page = new_browser().get("/language").text

    for code, name in (("en", "English"), ("de", "Deutsch"), ("es", "Español"), ("ar", "العربية")):
        assert name in page
        assert f'lang="{code}"' in page


def test_looking_at_the_page_chooses_nothing(new_browser: Callable[[], Browser]) -> None:
    browser = new_browser()

    assert browser.head("/language").status_code == 200
    assert browser.get("/language?language=de").status_code == 200
    assert browser.get_cookie(i18n.COOKIE) is None


def test_a_visitor_reads_on_in_the_language_they_chose(new_browser: Callable[[], Browser]) -> None:
    browser = new_browser()

    answer = browser.submit("/language", language="de", next="/terms")

    assert answer.location == "/terms"
    assert Page(browser.get("/terms").text).language == "de"


def test_the_answer_is_in_the_language_just_chosen(new_browser: Callable[[], Browser]) -> None:
    browser = new_browser()

    browser.submit("/language", language="ar", next="/terms")
    page = browser.get("/terms").text

    assert "اللغة الآن هي العربية." in page
    assert (Page(page).language, Page(page).direction) == ("ar", "rtl")


def test_the_choice_of_whoever_is_signed_in_reaches_their_mails(
    new_browser: Callable[[], Browser], a_user: Callable[..., User]
) -> None:
    user = a_user(approved=True)
    browser = new_browser()
    browser.sign_in(person(user))

    browser.submit("/language", language="es")

    db.session.refresh(user)
    assert user.language == "es"
    assert messages.password_changed(user).subject == "Su contraseña se ha cambiado"
    entry = db.session.scalars(
        db.select(AuditEntry).filter_by(action=Action.PREFERENCES_CHANGED)
    ).one()
    assert (entry.about_id, entry.by_id) == (user.id, user.id)


def test_someone_who_waits_may_choose_a_language_too(
    new_browser: Callable[[], Browser], a_user: Callable[..., User]
) -> None:
    user = a_user(confirmed=True)
    browser = new_browser()
    browser.sign_in(person(user))

    answer = browser.submit("/language", language="de", next="/status")

    assert answer.location == "/status"
    assert Page(browser.get("/status").text).language == "de"


def test_the_choice_wins_over_a_language_in_the_address(
    new_browser: Callable[[], Browser],
) -> None:
    answer = new_browser().submit("/language", language="de", next="/register?lang=ar&draft=x")

    assert answer.location == "/register?draft=x"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:1", ""]
)
def test_the_way_back_never_leads_elsewhere(
    new_browser: Callable[[], Browser], elsewhere: str
) -> None:
    answer = new_browser().submit("/language", language="de", next=elsewhere)

    assert answer.location == "/"


@pytest.mark.parametrize("language", ["fr", "", "../de", "de\0"])
def test_a_language_that_is_not_offered_is_refused(
    new_browser: Callable[[], Browser], language: str
) -> None:
    browser = new_browser()

    answer = browser.submit("/language", language=language)

    assert answer.status_code == 400
    assert browser.get_cookie(i18n.COOKIE) is None


def test_nobody_else_can_choose_for_a_visitor(new_browser: Callable[[], Browser]) -> None:
    browser = new_browser()

    answer = browser.post("/language", data={"language": "ar"})

    assert answer.status_code == 400
    assert browser.get_cookie(i18n.COOKIE) is None


@pytest.mark.parametrize("language", ["en", "de", "es", "ar"])
def test_a_mail_caused_by_staff_speaks_the_language_of_who_gets_it(
    language: str, app: Any, a_user: Callable[..., User]
) -> None:
    user = a_user(approved=True, language=language)

    with app.test_request_context("/?lang=en"):
        letter = messages.suspended(user, "")

    page = Page(letter.html)
    assert letter.language == language
    assert (page.language, page.direction) == (language, i18n.direction(language))
    assert (
        letter.subject
        == {
            "en": "Your account is suspended",
            "de": "Ihr Konto ist gesperrt",
            "es": "Su cuenta está suspendida",
            "ar": "تم إيقاف حسابك",
        }[language]
    )
