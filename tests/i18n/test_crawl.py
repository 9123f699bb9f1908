"""Every page, form, error and mail is read in two languages that nobody speaks.

Whatever shows outside of their brackets was never marked for translation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import flask_admin.babel
import pytest
import time_machine
from babel import dates
from flask import Flask
from markupsafe import escape

from portal import clock, i18n, links
from portal.accounts import staff_invitation
from portal.accounts.access import AccessLevel
from portal.accounts.roles import Role
from portal.accounts.user import User
from portal.agents.catalogue import Agent
from portal.database import db, transaction
from portal.mail import messages
from portal.security.limits import limiter
from tests.conftest import Browser, make_settings
from tests.i18n import pseudo
from tests.i18n.crawler import Page, addresses, untranslated
from tests.people import PASSWORD, People, an_agent, level, person
from wsgi import create_site

# What answers with no page: files, and what machines ask.
NO_PAGES = {"static", "health.alive", "health.ready", "mailbox.part", "mailbox.source"}
# The product, its sender, and what stands in an address bar.
NAMES = {"Portal", "portal@localhost"}
SHELL = {"/logout", "/language", "/appearance"}
WRONG = "7"  # too short for anything, and nothing that a translation should reach

in_both = pytest.mark.parametrize("language", [pseudo.ACCENTED, pseudo.MIRRORED], indirect=True)


@dataclass
class World:
    """One of everything, so that no page is empty."""

    visitors: dict[str, User | None]
    samples: dict[str, list[object]]
    queries: dict[str, list[str]] = field(default_factory=dict)
    data: set[str] = field(default_factory=set)

    def addresses(self, app: Flask) -> list[str]:
        """Where a crawl goes."""
        return list(addresses(app, self.samples, queries=self.queries, besides=NO_PAGES))


@pytest.fixture(scope="module")
def pseudo_catalogues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pseudo.write_catalogues(tmp_path_factory.mktemp("pseudo"))


@pytest.fixture
def language(request: pytest.FixtureRequest) -> str:
    """The accented language, unless the test asks for both."""
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
    site = create_site(replace(settings, site=spoken))
    with site.app_context():
        limiter.reset()
        yield site
        db.session.remove()
        db.engine.dispose()
    flask_admin.babel.domain.cache.clear()


@pytest.fixture
def world(app: Flask, people: People, language: str) -> World:
    """People of every status and role, an agent, a mail, and links in every state."""
    zoe = "Zoë Quixote-Žižek"
    pending = people.user(confirmed=True, reason="Zkq zkq.", full_name=zoe)
    approved = people.user(approved="guest", full_name=zoe)
    unconfirmed = people.user(full_name=zoe)
    rejected = people.user(confirmed=True, rejected="Zkq rjk.", full_name=zoe)
    suspended = people.user(suspended=True, full_name=zoe)
    staff = {name: people.staff(name) for name in ("reviewer", "administrator")}
    near, far = an_agent("Zkqx", requires="guest"), an_agent("Qkzx", requires="extended")
    visitors = {"nobody": None, "pending": pending, "rejected": rejected, "approved": approved}

    with transaction():
        for user in db.session.scalars(db.select(User)):
            user.language = language
    everybody = [unconfirmed, pending, approved, rejected, suspended, staff["administrator"]]

    return World(
        visitors={**visitors, **staff},
        samples={
            "pages.open_agent.agent_id": [near.id, far.id, 0],
            "agent_id": [near.id, 999],
            "level_id": [level("guest").id, level("extended").id, 999],
            "role_id": [role.id for role in db.session.scalars(db.select(Role))],
            "accounts.account.user_id": [*(user.id for user in everybody), 999],
            "user_id": [approved.id, suspended.id],
            "pages.confirm.token": [
                *(_token(links.confirmation(user)) for user in (unconfirmed, approved, rejected)),
                _expired(lambda: links.confirmation(unconfirmed)),
                "nonsense",
            ],
            "pages.reset.token": [
                _token(links.password_reset(approved)),
                _expired(lambda: links.password_reset(approved)),
                "nonsense",
            ],
            "pages.confirm_email_change.token": [
                _token(links.change_of_address(approved, "zkq@example.org")),
                _token(links.change_of_address(approved, str(pending.email))),
                _expired(lambda: links.change_of_address(approved, "zkq@example.org")),
                "nonsense",
            ],
            "pages.setup.token": [_invitation(), "nonsense"],
            "letter_id": [0],
        },
        queries={
            "registrations.index": ["tab=unconfirmed", "tab=rejected", "q=qqq"],
            "registrations.approval": [f"id={pending.id}&id={rejected.id}"],
            "registrations.rejection": [f"id={pending.id}&id={approved.id}"],
            "registrations.confirmation_mail": [f"id={unconfirmed.id}&id={approved.id}"],
            "registrations.reopening": [f"id={rejected.id}&id={pending.id}"],
            "accounts.index": ["status=suspended", "q=qqq", "sort=oldest"],
            "agents.index": ["q=qqq"],
            "mail.index": ["tab=failed", "tab=waiting", "q=qqq"],
            "audit_trail.index": ["action=account.approved", "since=then", "q=qqq", "account=1"],
            "mailbox.index": ["address=qqq"],
        },
        data=_data(),
    )


@in_both
def test_every_page_is_translated(
    language: str, app: Flask, world: World, new_browser: Callable[[], Browser]
) -> None:
    found: dict[str, list[str]] = {}
    seen = 0

    for name, user in world.visitors.items():
        browser = _browser_of(user, new_browser)
        for address in world.addresses(app):
            answer = browser.get(address)
            assert answer.status_code < 500, (name, address)
            if answer.mimetype == "text/html" and answer.status_code not in (302, 303):
                seen += 1
                _check(answer.text, f"{name} {address}", language, world, found)

    assert found == {}
    assert seen > 50


def test_every_form_complains_in_the_readers_language(
    language: str, app: Flask, world: World, new_browser: Callable[[], Browser]
) -> None:
    found: dict[str, list[str]] = {}
    sent: set[tuple[str, ...]] = set()

    for name in ("nobody", "pending", "approved", "administrator"):
        browser = _browser_of(world.visitors[name], new_browser)
        for address in world.addresses(app):
            answer = browser.get(address)
            for form in Page(answer.text).forms if answer.mimetype == "text/html" else []:
                kind = (re.sub(r"\d+", "#", address.partition("?")[0]), *form.typed)
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
    written = {
        "confirmation": messages.confirmation(user),
        "confirmation_again": messages.confirmation_again(user),
        "already_registered": messages.already_registered(user),
        "waiting": messages.waiting(user),
        "welcome": messages.welcome(user),
        "reinstated": messages.reinstated(user),
        "password_reset": messages.password_reset(user),
        "password_changed": messages.password_changed(user),
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
        "registrations_waiting": messages.registrations_waiting(user, 3, now),
    }
    folders = Path(i18n.__file__).parent.parent / "templates" / "mail"
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
    for words in untranslated(html, NAMES | world.data | {i18n.own_name(language)}):
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


def _token(link: str) -> str:
    return link.rsplit("/", 1)[1]


def _expired(link: Callable[[], str]) -> str:
    with time_machine.travel(clock.now() - timedelta(days=9)):
        return _token(link())


def _invitation() -> str:
    with transaction():
        role = db.session.scalars(db.select(Role).filter_by(name="reviewer")).one()
        return staff_invitation.invite(role=role)


def _data() -> set[str]:
    """What people and rows are called: shown as it is, in every language."""
    words = {PASSWORD, "Zkq zkq.", "Zkq rjk.", "zkq@example.org", "zkq"}
    for user in db.session.scalars(db.select(User)):
        words |= {str(user.full_name), str(user.username), str(user.email)}
    for kind in (AccessLevel, Role, Agent):
        for row in db.session.scalars(db.select(kind)):
            words |= {str(row.name), str(row.description)}
    with i18n.mail_locale(None):
        words |= {place for _, place in i18n.time_zone_menu()}
    return words - {"None", ""}
