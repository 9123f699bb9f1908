"""The access matrix (ASVS 8.1, 8.2): docs/access-matrix.md is true of every endpoint and field."""

from __future__ import annotations

import csv
import io
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from portal import clock
from portal.accounts.roles import Role
from portal.accounts.user import Status, User
from portal.database import db
from portal.security import gate, passkey_proof, recent
from portal.security.limits import limiter
from tests.conftest import Browser
from tests.i18n.crawler import Page
from tests.people import PASSWORD, People, level
from tests.security import matrix
from tests.security.matrix import OPENS, OWN_STATUS, REFUSED, SIGN_IN
from tests.security.recording import note_reads
from tests.security.walk import EVERYBODY, Site, arrive, everything_kept

pytestmark = pytest.mark.timeout(600)  # long walks, on whatever machine

HOW = {"look": "GET", "act": "POST"}

# The one exception to "a GET changes nothing": that the link of a mail was looked at, and what
# speaks for a robot. It belongs to the mail, nobody's account, and has an end (B3).
WRITTEN_BY_LOOKING = {"mail_openings"}

# They find what those find who are pending, or between reviewers and administrators.
LIKE_OTHERS = {"rejected", "manager"}

# A bell that the worker rings: there is none in these tests.
NOT_WELL = {"health.ready"}


@pytest.fixture
def site(app: Flask, people: People) -> Iterator[Site]:
    """The site at one moment: however slow the walk is, nothing is written because time passes."""
    with time_machine.travel(clock.now(), tick=False):
        yield Site.furnished(app, people)


@pytest.fixture(params=["some", pytest.param("all", marks=[pytest.mark.long])])
def arrived(
    request: pytest.FixtureRequest, site: Site, new_browser: Callable[[], Browser]
) -> dict[str, Browser]:
    """A browser of everybody who may come; every day without who is let in as others are."""
    arrivals = site.arrivals(new_browser)
    left_out = LIKE_OTHERS if request.param == "some" else set()
    return {who: browser for who, browser in arrivals.items() if who not in left_out}


def test_every_endpoint_stands_in_the_matrix_as_it_is(app: Flask) -> None:
    there = {}
    for rule in app.url_map.iter_rules():
        how = [how for how, method in HOW.items() if method in (rule.methods or ())]
        there[rule.endpoint] = (re.sub(r"<[^>]*?(\w+)>", r"<\1>", rule.rule), set(how))
    said = {name: (line.address, set(line.methods)) for name, line in matrix.lines().items()}

    missing, gone = there.keys() - said.keys(), said.keys() - there.keys()
    assert not missing, (
        f"Say in {matrix.PAGE.name} who may see {sorted(missing)}: a line with the endpoint, its"
        " address, look or act, who, what is needed besides, and each field that its form takes."
    )
    assert not gone, f"Take {sorted(gone)} out of {matrix.PAGE.name}: there is no such endpoint."
    assert {name: (said[name], found) for name, found in there.items() if said[name] != found} == {}


def test_the_matrix_and_the_gate_agree(app: Flask) -> None:
    missing = {name for name in app.view_functions if gate.rule_for(name) is None}
    assert missing == set(), "not in portal/security/gate.py: they answer 404 to everyone"
    assert set(gate.RULES) <= set(app.view_functions)
    assert set(gate.PANEL) <= {name.partition(".")[0] for name in app.view_functions}
    assert matrix.visitors() == list(EVERYBODY)

    permissions = {role.name: set(role.permissions) for role in db.session.scalars(select(Role))}
    for name in matrix.lines():
        rule = gate.rule_for(name)
        assert rule is not None
        opens = {
            who
            for who in matrix.visitors()
            if (rule.visitors if who == "visitor" else _status(who) in rule.statuses)
            and (rule.permission is None or rule.permission in permissions.get(who, set()))
        }
        said = {who for who in matrix.visitors() if matrix.opens(who, name)}
        assert said == opens, f"{name}: {matrix.PAGE.name} and portal/security/gate.py disagree"


def test_the_matrix_says_what_is_needed_besides(app: Flask) -> None:
    def those(need: str) -> set[str]:
        return {name for name, line in matrix.lines().items() if need in line.besides}

    rules = {name: gate.rule_for(name) for name in app.view_functions}
    links = {rule.endpoint for rule in app.url_map.iter_rules() if "token" in rule.arguments}

    assert those("proof") == recent.ENDPOINTS
    assert those("link") == links
    assert those("before the factor") == {n for n, rule in rules.items() if rule.before_factor}
    assert those("development") == {name for name in rules if name.startswith("mailbox.")}
    known = {"proof", "link", "before the factor", "development", "no token"}
    assert set().union(*(line.besides for line in matrix.lines().values())) == known


@pytest.mark.both_databases(everyday="sqlite")
def test_each_page_opens_for_those_it_is_meant_for_and_looking_changes_nothing(
    site: Site, arrived: dict[str, Browser]
) -> None:
    """Mail scanners, prefetching browsers and HEAD confirm nothing (ASVS 3.5.3, 8.2.1)."""
    before = everything_kept()

    for who, browser in arrived.items():
        for rule in site.app.url_map.iter_rules():
            panel = rule.rule.startswith("/admin/")
            if "GET" not in (rule.methods or ()):
                if who == "administrator" and panel:
                    assert browser.get(site.address(rule)).status_code == 405, rule
                continue
            about = f"?ids={site.waiting}&deed=approval" if panel else ""
            answer = browser.get(site.address(rule, who) + about)
            found, location = answer.status_code, answer.headers.get("Location", "")
            finds = matrix.finds(who, rule.endpoint)
            if finds == OPENS:
                assert found < 500 or rule.endpoint in NOT_WELL, (who, rule)
                assert found == 200 or (found != 403 and not panel), (who, rule, found)
                assert location != "/status", (who, rule)
                assert not location.startswith("/login?"), (who, rule)
            else:
                assert (found, location.partition("?")[0]) == {
                    SIGN_IN: (302, "/login"),
                    OWN_STATUS: (302, "/status"),
                    REFUSED: (403, ""),
                }[finds], (who, rule)
            if who == "visitor":
                head = browser.head(site.address(rule, who) + about)
                assert head.status_code == found, (who, rule)

    after = everything_kept()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == WRITTEN_BY_LOOKING, "and this only by the links of mails"


def test_nobody_acts_where_they_may_not(site: Site, arrived: dict[str, Browser]) -> None:
    """Steps on many included (ASVS 8.2.1, 8.3.1)."""
    for who, browser in arrived.items():
        token = browser.token("/terms")
        before = everything_kept()
        limiter.reset()
        for rule in site.rules("POST"):
            finds = matrix.finds(who, rule.endpoint)
            if finds == OPENS:
                continue
            fields = {"csrf_token": token, "ids": str(site.waiting), "deed": "approval"}
            answer = browser.post(site.address(rule, who), data={**_filled_in(site), **fields})
            if finds == SIGN_IN:
                assert answer.headers.get("Location") == "/login", (who, rule)
            else:
                assert answer.status_code == 403, (who, rule)
        assert everything_kept() == before, who


@pytest.mark.settings(PORTAL_SECOND_FACTOR_REQUIRED_OF="staff")
def test_without_the_factor_that_is_required_nothing_of_the_portal_opens(
    site: Site, browser: Browser
) -> None:
    """ASVS 6.3.3: default-deny here as well."""
    arrive(browser, site.people, "administrator")
    token = browser.token("/terms")
    before = everything_kept()

    for rule in site.app.url_map.iter_rules():
        line = matrix.lines()[rule.endpoint]
        if line.who == "everyone" or "before the factor" in line.besides:
            continue
        if "look" in line.methods:
            assert browser.get(site.address(rule)).location == "/second-factor", rule
        if "act" in line.methods:
            answer = browser.post(site.address(rule), data={"csrf_token": token})
            assert answer.status_code == 403, rule

    assert everything_kept() == before


# What no form of ours has, and whatever a row has: sent along with each form.
COVETED = {
    "active": "1",
    "admin": "1",
    "is_admin": "1",
    "role": "administrator",
    "roles": "3",
    "role_id": "3",
    "permissions": "administer",
    "level": "3",
    "access_level": "3",
    "access_level_id": "3",
    "status": "approved",
    "by": "1",
    "user": "1",
}
# Texts and days that stand nowhere else, to be looked for in every row afterwards.
MARK, DAY = "zqxmark9137", "2001-02-03"

# Forms that a walk cannot fill in rightly, and what they would take; their fields are taken
# by the tests of their own pages.
NOT_FILLED_IN = {
    "pages.confirm_code": "a code that was mailed",
    "pages.second_step": "half a sign-in",
    "pages.second_step_recovery": "half a sign-in",
    "pages.authenticator_app": "the code of an app",
    "pages.recovery_codes": "a factor",
    "pages.recovery_codes_kept": "codes to keep",
    "pages.app_removal": "a factor",
    "pages.second_step_passkey": "a passkey",
    "pages.passkey_sign_in": "a passkey",
    "pages.new_passkey": "a passkey",
    "pages.passkey_name": "a passkey",
    "pages.passkey_removal": "a passkey",
    "reports.collect": "a report, which is no form",
}


def test_a_form_takes_the_fields_of_the_matrix_and_no_others(
    app: Flask, people: People, new_browser: Callable[[], Browser]
) -> None:
    """Mass assignment (ASVS 8.2.3, 15.3.3): the weakest who may act sends all they covet."""
    noted = note_reads(app)
    site = Site.furnished(app, people)
    arrived = site.arrivals(new_browser)
    tokens = {who: browser.token("/terms") for who, browser in arrived.items()}
    columns = {column.name for table in db.metadata.sorted_tables for column in table.columns}
    coveted = dict.fromkeys(columns, MARK) | {n: DAY for n in columns if n.endswith("_at")}
    coveted |= COVETED
    answers, unknown = {}, {}

    with _again_and_again() as (begin_anew, rows):
        for rule in site.rules("POST"):
            line, who = matrix.lines()[rule.endpoint], matrix.weakest(rule.endpoint)
            browser, address = arrived[who], site.address(rule, who)
            cookies, held = dict(browser._cookies), _held()
            seen = _shown(browser, address, site) if "look" in line.methods else set()
            for way in WAYS.get(rule.endpoint, [{}]):
                limiter.reset()
                noted.clear()
                fields = {name: v for name, v in _filled_in(site).items() if name in line.fields}
                extra = {name: v for name, v in coveted.items() if name not in line.fields}
                sent = {**extra, **fields, **way, "csrf_token": tokens[who]}
                answer = browser.post(address, data={n: v for n, v in sent.items() if v})

                proofs = {recent.FIELD, passkey_proof.FIELD} - line.fields
                taken = noted - matrix.EVERYWHERE - proofs
                assert taken <= line.fields, f"{rule.endpoint} takes {taken - line.fields}, too"
                seen |= taken
                answers[rule.endpoint] = answer.status_code
                written, gained = rows(), _held() - held
                assert MARK not in written, rule
                assert DAY not in written, rule
                if not line.fields & {"roles", "level"} and rule.endpoint != "pages.setup":
                    assert gained == set(), rule
                begin_anew()
                browser._cookies = dict(cookies)
            unknown[rule.endpoint] = line.fields - seen

    unknown = {n: names for n, names in unknown.items() if names and n not in NOT_FILLED_IN}
    assert unknown == {}, f"stand in {matrix.PAGE.name}, and nothing takes them"
    done = {name for name, code in answers.items() if code in (302, 303)}
    assert done >= IN_EFFECT, {name: answers[name] for name in IN_EFFECT - done}


def test_a_file_holds_the_columns_of_the_matrix(
    app: Flask, people: People, browser: Browser
) -> None:
    """Nothing else of a row leaves the portal (ASVS 15.3.1)."""
    arrive(browser, people, "administrator")
    found = {}

    for rule in app.url_map.iter_rules():
        if rule.rule.endswith(".csv"):
            text = browser.get(rule.rule).text.removeprefix("\ufeff")
            found[rule.endpoint] = next(csv.reader(io.StringIO(text, newline="")))

    assert found == matrix.files()


def _status(who: str) -> Status:
    return Status(who) if who in ("pending", "rejected") else Status.APPROVED


def _filled_in(site: Site) -> dict[str, str]:
    """What a form may be sent, by the name of the field."""
    return {
        "accept_terms": "y",
        "access_level_id": str(level("guest").id),
        "answer": "Yes",
        "body_en": "Good day",
        "code": "123456",
        "cols": "username",
        "communication": "all",
        "current_password": PASSWORD,
        "deed": "approval",
        "description": "What it is",
        "digest_hour": "8",
        "email": "eve@example.org",
        "full_name": "Eve Adams",
        "identity": str(db.session.get_one(User, site.values["user_id"]).username),
        "ids": str(site.waiting),
        "kept": "y",
        "kind": "app",
        "language": "de",
        "level": str(level("guest").id),
        "name": "New",
        "notice": "each",
        "password": "Quiet-harbour 77",
        "password_again": "Quiet-harbour 77",
        "people": str(site.waiting),
        "permissions": "review",
        "position": "7",
        "purpose": "rejection",
        "question": "Which team?",
        "quiet": "y",
        "quiet_from": "22",
        "quiet_until": "7",
        "rank": "2",
        "reason": "Because",
        "switch": "single_keys",
        "text": "Sits next door",
        "theme": "dark",
        "time_zone": "",
        "url": "https://agents.example.org/new",
        "username": "eve-adams",
    }


# What is filled in otherwise than by the name of the field, or in more ways than one.
WAYS: dict[str, list[dict[str, str]]] = {
    "security.login": [{"password": PASSWORD}],
    "security.verify": [{"password": PASSWORD}],
    "workplace.keys": [{}, {"single_keys": ""}],
    "registrations.bulk": [
        {"people": "", "all": ""},
        {"people": "", "all": "1"},
        {"deed": "rejection", "people": "", "all": "1", "text": "1"},
        {"deed": "rejection", "all": "", "text": ""},
        {"all": "", "text": ""},
    ],
    "registrations.question": [{"use": "", "text": ""}],
    "registrations.rejection": [{"use": "", "text": ""}],
}
# Steps that the walk takes to their end, so that what is sent along would take effect.
IN_EFFECT = {
    "access_levels.new",
    "accounts.access_level",
    "accounts.roles",
    "accounts.suspension",
    "agents.edit",
    "agents.new",
    "pages.account",
    "pages.change_password",
    "pages.change_username",
    "pages.register",
    "registrations.approval",
    "registrations.bulk",
    "registrations.rejection",
    "roles.edit",
    "texts.new",
}


def _shown(browser: Browser, address: str, site: Site) -> set[str]:
    """What the page with the form offers to fill in."""
    page = browser.get(f"{address}?ids={site.waiting}&deed=approval").text
    shown: set[str] = set()
    for form in Page(page).forms:
        if form.method != "get" and (form.action or address).partition("?")[0] == address:
            shown |= {*form.typed, *form.values}
    return shown


def _held() -> set[tuple[str, int, int]]:
    """Who has which role and which level."""
    db.session.rollback()
    users = db.session.scalars(select(User)).all()
    return {("role", user.id, role.id) for user in users for role in user.roles} | {
        ("level", user.id, user.access_level_id) for user in users if user.access_level_id
    }


@contextmanager
def _again_and_again() -> Iterator[tuple[Callable[[], None], Callable[[], str]]]:
    """Ways to bring the database back to how it is now, and to read all that stands in it."""
    db.session.rollback()
    live, kept = sqlite3.connect(str(db.engine.url.database)), sqlite3.connect(":memory:")
    live.backup(kept)

    def begin_anew() -> None:
        db.session.rollback()
        kept.backup(live)

    try:
        yield begin_anew, lambda: "\n".join(live.iterdump())
    finally:
        live.close()
        kept.close()
