"""Every page, form, error and mail is read in two languages that nobody speaks.

Whatever shows outside of their brackets was never marked for translation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import flask_admin.babel
import pytest
from babel import dates
from flask import Flask
from markupsafe import escape

from portal import clock, i18n, links
from portal.accounts.device import Device
from portal.accounts.intake import Closure
from portal.accounts.user import User
from portal.database import db
from portal.desk.waits import UsualWait
from portal.mail import messages, staff_messages
from portal.security.limits import limiter
from portal.settings import ROOT
from tests.conftest import Browser, a_site, make_settings
from tests.i18n import pseudo
from tests.i18n.crawler import Page, untranslated
from tests.people import People, person
from tests.world import REASON, World, kind_of, world_of

# The product, its sender, and what stands in an address bar.
NAMES = {"Portal", "portal@localhost"}
# Pages that everybody reads otherwise; of the others two are read every day.
NOT_ALIKE = {"/", "/status", "/account", "/second-factor", "/admin/", "/admin/roles/"}
SHELL = {"/logout", "/language", "/appearance"}
WRONG = "7"  # too short for anything, and nothing that a translation should reach

in_both = pytest.mark.parametrize(
    "language",
    [pseudo.ACCENTED, pytest.param(pseudo.MIRRORED, marks=[pytest.mark.long])],
    indirect=True,
)


@pytest.fixture(scope="module")
def pseudo_catalogues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pseudo.write_catalogues(tmp_path_factory.mktemp("pseudo"))


@pytest.fixture
def language(request: pytest.FixtureRequest) -> str:
    """The accented language; the mirrored one too where the test asks for both, in the long run."""
    return str(getattr(request, "param", pseudo.ACCENTED))


@pytest.fixture
def app(
    language: str,
    pseudo_catalogues: Path,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Flask]:
    """The whole site, offered in one language that nobody speaks."""
    monkeypatch.setattr(i18n, "TRANSLATIONS", str(pseudo_catalogues))
    monkeypatch.setattr(i18n, "ADMIN_TRANSLATIONS", str(pseudo_catalogues))
    monkeypatch.setattr(i18n, "SECURITY_I18N_DIRNAME", ["builtin", *[str(pseudo_catalogues)] * 2])
    for name in ("format_date", "format_datetime", "format_time", "format_timedelta"):
        monkeypatch.setattr(dates, name, _bracketed(getattr(dates, name)))
    flask_admin.babel.domain.cache.clear()  # it belongs to the process, not to the site
    settings = make_settings(tmp_path / "instance", database_url, PORTAL_LIMITS_ENABLED="false")
    spoken = replace(settings.site, languages=(language,), default_language=language)
    site = a_site(replace(settings, site=spoken))
    with site.app_context():
        limiter.reset()
        yield site
        db.session.remove()
        db.engine.dispose()
    flask_admin.babel.domain.cache.clear()


@pytest.fixture
def world(app: Flask, people: People, language: str) -> World:
    return world_of(people, language)


@in_both
def test_every_page_is_translated(
    language: str, app: Flask, world: World, new_browser: Callable[[], Browser]
) -> None:
    found: dict[str, list[str]] = {}
    read: Counter[str] = Counter()

    for name, user in sorted(world.visitors.items(), key=lambda each: each[0] != "administrator"):
        browser = _browser_of(user, new_browser)
        for address in world.addresses(app):
            if address.startswith("/admin/") and name not in ("reviewer", "administrator"):
                continue  # the same page for all of them, which says that there is none
            page = kind_of(address)
            if read[page] >= 2 and language == pseudo.ACCENTED and page not in NOT_ALIKE:
                continue  # what else there is to read is read in the long run
            answer = browser.get(address)
            assert answer.status_code < 500, (name, address)
            assert name != "administrator" or "?" not in address or answer.status_code == 200
            if answer.mimetype == "text/html" and answer.status_code not in (302, 303):
                if answer.status_code == 200:
                    read[page] += 1
                _check(answer.text, f"{name} {address}", language, world, found)

    assert found == {}
    assert len(read) > 50


@pytest.mark.long
def test_every_form_complains_in_the_readers_language(
    language: str, app: Flask, world: World, new_browser: Callable[[], Browser]
) -> None:
    found: dict[str, list[str]] = {}
    sent: set[tuple[str, ...]] = set()

    for name in ("nobody", "pending", "approved", "administrator"):
        browser = _browser_of(world.visitors[name], new_browser)
        for address in world.addresses(app):
            if address.startswith("/admin/") != (name == "administrator"):
                continue
            answer = browser.get(address)
            for form in Page(answer.text).forms if answer.mimetype == "text/html" else []:
                kind = (kind_of(address), *form.typed)
                if form.method != "post" or not form.typed or kind in sent:
                    continue
                sent.add(kind)
                for typed in ("", WRONG):
                    values = form.values | dict.fromkeys(form.typed, typed)
                    answer = browser.post(
                        form.action or address, data=values, follow_redirects=True
                    )
                    assert answer.status_code < 500, (name, address, typed)
                    _check(answer.text, f"{name} {address} {typed!r}", language, world, found)

    assert found == {}
    assert len(sent) > 10


@pytest.mark.long
def test_every_step_says_what_it_did(
    language: str, app: Flask, world: World, new_browser: Callable[[], Browser]
) -> None:
    found: dict[str, list[str]] = {}
    taken = 0
    browser = _browser_of(world.visitors["administrator"], new_browser)

    for address in world.addresses(app):
        answer = browser.get(address)
        for form in Page(answer.text).forms if answer.mimetype == "text/html" else []:
            if form.method == "post" and form.action not in SHELL:
                taken += 1
                values = form.values | dict.fromkeys(form.typed, "zkq")
                answer = browser.post(form.action or address, data=values, follow_redirects=True)
                assert answer.status_code < 500, address
                _check(answer.text, f"{address} -> {form.action}", language, world, found)

    assert found == {}
    assert taken > 10


def test_every_failure_is_explained_in_the_readers_language(
    language: str, app: Flask, world: World, new_browser: Callable[[], Browser]
) -> None:
    found: dict[str, list[str]] = {}
    browser = new_browser()
    answers = [
        browser.get("/nowhere"),
        browser.post("/login", data={"identity": "zkq", "password": "zkq"}),  # no token
        browser.delete("/terms"),
        browser.submit("/login", identity="zkq", password="zkq"),
    ]

    for answer in answers:
        _check(answer.text, answer.request.path, language, world, found)

    assert [answer.status_code for answer in answers[:3]] == [404, 400, 405]
    assert found == {}


@in_both
def test_every_mail_is_translated(language: str, app: Flask, world: World) -> None:
    found: dict[str, list[str]] = {}

    for letter in _letters(world):
        place = letter.kind
        _check(letter.html, place, language, world, found)
        text = f"<html lang='{i18n.tag(language)}'><p>{escape(letter.subject)}</p>"
        for line in letter.text.splitlines():
            text += "" if line.startswith("http") else f"<p>{escape(line)}</p>"
        _check(text, f"{place} as text", language, world, found, whole=False)

    assert found == {}


def _letters(world: World) -> list[Any]:
    """Each mail there is; one that is not written here fails the test."""
    user = world.visitors["approved"]
    assert user is not None
    now = clock.now()
    usual = UsualWait(timedelta(hours=3), timedelta(days=2), decisions=200)
    closure = Closure(why="hurry", closed_at=now)
    written = {
        "confirmation": messages.confirmation(user, "123456"),
        "confirmation_again": messages.confirmation_again(user, "123456"),
        "confirmed_by_hand": messages.confirmed_by_hand(user, usual),
        "already_registered": messages.already_registered(user),
        "waiting": messages.waiting(user, usual),
        "welcome": messages.welcome(user),
        "question": messages.question(user, REASON),
        "question_reminder": messages.question_reminder(user, REASON, closes_at=now),
        "status_code": messages.status_code(user, "123456"),
        "reinstated": messages.reinstated(user),
        "password_reset": messages.password_reset(user),
        "password_changed": messages.password_changed(
            user, removed=["app", "passkey", "recovery codes"]
        ),
        "username_taken": messages.username_taken(
            to=str(user.email),
            full_name=str(user.full_name),
            language="en",
            username="zkq",
            link=links.registration_draft(full_name="zkq"),
        ),
        "rejected": messages.rejected(user, "Zkq rjk."),
        "access_changed": messages.access_changed(user, "guest", "extended"),
        "suspended": messages.suspended(user, "Zkq rjk."),
        "erased": messages.erased(to=str(user.email), full_name=str(user.full_name), language="en"),
        "address_change": messages.address_change(user, "zkq@example.org"),
        "address_change_asked": messages.address_change_asked(user, "zkq@example.org"),
        "address_changed": messages.address_changed(user, "zkq@example.org"),
        "username_changed": messages.username_changed(user, "zkq"),
        "factor_added": messages.factor_added(user, "app", at=now),
        "factor_removed": messages.factor_removed(user, "app", is_last=True),
        "factors_reset": messages.factors_reset(user, "Zkq rjk."),
        "factor_guessed": messages.factor_guessed(user),
        "passkey_copied": messages.passkey_copied(user, "zkq"),
        "recovery_code_used": messages.recovery_code_used(user, 2, few=3),
        "recovery_codes_replaced": messages.recovery_codes_replaced(user, at=now),
        "new_device": messages.new_device(user, Device("", ""), ""),
        "alarm_elsewhere": messages.alarm_elsewhere(user, until=now),
        "way_back": messages.way_back(user, "zkq@example.org", until=now),
        "registrations_waiting": staff_messages.registrations_waiting(user, 3, now, mentions=1),
        "registrations_overdue": staff_messages.registrations_overdue(
            user, 2, after=timedelta(hours=48), ready=3, since=now
        ),
        "digest": staff_messages.digest(
            user, ready=3, overdue=2, answered=1, mentions=1, since=now, closure=closure
        ),
        "registration_closed": staff_messages.registration_closed(user, closure),
    }
    folders = ROOT / "templates" / "mail"
    assert set(written) == {path.name for path in folders.iterdir() if path.is_dir()}
    return list(written.values())


def _check(
    html: str,
    place: str,
    language: str,
    world: World,
    found: dict[str, list[str]],
    *,
    whole: bool = True,
) -> None:
    """Note what a page says outside of brackets, under the first place that says it."""
    page = Page(html)
    wanted = (i18n.tag(language), i18n.direction(language))
    if whole and (page.language, page.direction) != wanted:
        found.setdefault(f"{page.language} {page.direction}", []).append(place)
    for words in untranslated(page, NAMES | world.data | {i18n.own_name(language)}):
        places = found.setdefault(words, [])
        if not places:
            places.append(place)


def _browser_of(user: User | None, new_browser: Callable[[], Browser]) -> Browser:
    browser = new_browser()
    if user is not None:
        browser.sign_in(person(user))
    return browser


def _bracketed(speak: Callable[..., str]) -> Callable[..., str]:
    """What Babel says of dates and times counts as translated; other dates do not."""
    return lambda *values, **options: f"{pseudo.OPEN}{speak(*values, **options)}{pseudo.CLOSE}"
