"""Strangers learn nothing about who has an account: the same answer for the same work (H, D7, D8).

Work is counted where it leaves our code: hashes at argon2, statements, commits and rows at the
database.
"""

import re
import smtplib
import socket
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import argon2.low_level
import pytest
import time_machine
from sqlalchemy import event, func, select, text

from portal.accounts.erasure import erase
from portal.database import db, transaction
from portal.mail import silence
from portal.mail.mail import Mail
from tests import plans
from tests.pages import filled_in
from tests.people import PASSWORD, person

pytestmark = pytest.mark.settings(PORTAL_LIMITS_ENABLED="false")

# Who an address or a username may belong to.
KINDS = [
    "unknown",
    "unconfirmed",
    "pending",
    "approved",
    "rejected",
    "suspended",
    "erased",
    "silenced",
    "silenced and approved",
]


@dataclass
class Work:
    """What answering a request cost."""

    hashes: int = 0
    commits: int = 0
    mails: int = 0
    statements: int = 0


@dataclass
class Meter:
    """Counts work from outside."""

    total: Work = field(default_factory=Work)

    def of(self, deed):
        """What a deed answers, and the work that it took."""
        mails, before = self._mails(), replace(self.total)
        db.session.expunge_all()  # nothing that the test still knows spares a statement
        answer = deed()
        statements = self.total.statements - before.statements
        return answer, Work(
            hashes=self.total.hashes - before.hashes,
            commits=self.total.commits - before.commits,
            mails=self._mails() - mails,
            statements=statements,
        )

    @staticmethod
    def _mails() -> int:
        count = db.session.scalar(select(func.count()).select_from(Mail))
        db.session.rollback()
        return count


@pytest.fixture
def meter(app, monkeypatch):
    meter = Meter()

    def counted(function):
        def call(*args, **kwargs):
            meter.total.hashes += 1
            return function(*args, **kwargs)

        return call

    for name in ("hash_secret", "verify_secret"):
        monkeypatch.setattr(argon2.low_level, name, counted(getattr(argon2.low_level, name)))

    def committed(_connection):
        meter.total.commits += 1

    def asked(*_about):
        meter.total.statements += 1

    event.listen(db.engine, "commit", committed)
    event.listen(db.engine, "before_cursor_execute", asked)
    yield meter
    event.remove(db.engine, "before_cursor_execute", asked)
    event.remove(db.engine, "commit", committed)


def make(kind, a_user):
    """Somebody with Ada's names whose account stands there."""
    if kind == "unknown":
        return
    facts = {
        "unconfirmed": {},
        "pending": {"confirmed": True},
        "approved": {"approved": True},
        "rejected": {"rejected": True},
        "suspended": {"suspended": True},
        "erased": {"suspended": True},
        "silenced": {},
        "silenced and approved": {"approved": True},
    }[kind]
    user = a_user(username="ada", email="ada@example.org", **facts)
    if kind.startswith("silenced"):
        with transaction():
            silence.silence("ada@example.org", "confirmation")
    if kind == "erased":
        with transaction():
            erase(user, by=None)
    db.session.expunge_all()  # what the test still holds would be read once more


def masked(answer) -> tuple:
    """An answer as a stranger can compare it: without what they typed and the CSRF value."""
    text = answer.get_data(as_text=True)
    text = re.sub(r'name="csrf_token"[^>]*value="[^"]*"', "CSRF", text)
    text = re.sub(r'content="Im[^"]*"', "CSRF", text)
    headers = sorted(
        (name, value)
        for name, value in answer.headers.items()
        if name not in ("Set-Cookie", "Content-Length", "X-RateLimit-Reset", "Date", "X-Request-ID")
    )
    cookies = sorted(
        re.sub(r"^(\w+)=([^;]*)", lambda found: found.group(1), line)
        for line in answer.headers.getlist("Set-Cookie")
    )
    return answer.status_code, text, headers, cookies


# Statements that make an account where there was none: the account, its entry in the audit trail,
# its place on the desk. That little a stranger may see of a registration (see
# benchmarks/enumeration.py).
NEW_ACCOUNT = 3
# Of its mail, as it lies in the outbox: three links and a code more.
MORE_TO_SAY = 5000

FORMS = {
    "/register, the address": ("/register", filled_in.registration(username="somebody")),
    "/register, the username": ("/register", filled_in.registration(email="other@example.org")),
    "/reset": ("/reset", {"email": "ada@example.org"}),
    "/confirm": ("/confirm", {"email": "ada@example.org"}),
    "/confirm/code": ("/confirm/code", {"email": "ada@example.org", "code": "000000"}),
    "/login, username": ("/login", {"identity": "ada", "password": "wrong-Password 1"}),
    "/login, address": ("/login", {"identity": "ada@example.org", "password": "wrong-Password 1"}),
}


@pytest.mark.parametrize("form", FORMS)
@time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False)
def test_a_form_answers_alike_with_alike_work_whoever_is_known(
    form, app, new_browser, meter, people
):
    """Byte for byte, header for header; as many hashes, commits and rows in the outbox."""
    path, fields = FORMS[form]

    def ask(kind):
        clear()
        make(kind, people.user)
        browser = new_browser()
        data = {"csrf_token": browser.token(path), **fields}
        answer, work = meter.of(lambda: browser.post(path, data=data))
        following = answer.headers.get("Location")
        return work, masked(answer), masked(browser.get(following)) if following else None

    stranger = ask("unknown")

    for kind in KINDS:
        # Of who said that it was not they, it is asked whether they have confirmed since.
        spare = int(kind.startswith("silenced")) + (NEW_ACCOUNT if path == "/register" else 0)
        assert_alike(ask(kind), stranger, kind, spare=spare)


def assert_alike(found, stranger, kind, *, spare=0) -> None:
    """The same answer for the same work, but for so many statements to the database."""
    (work, *answer), (work_of_stranger, *answer_of_stranger) = found, stranger
    assert answer == answer_of_stranger, kind
    assert replace(work, statements=0) == replace(work_of_stranger, statements=0), kind
    assert abs(work.statements - work_of_stranger.statements) <= spare, kind


@time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False)
def test_a_registration_that_makes_an_account_writes_three_rows_more_than_one_that_does_not(
    app, new_browser, meter, people
):
    """Whatever is filled in: a long reason and a network that is compared cost nothing yet."""

    def ask(kind):
        clear()
        make(kind, people.user)
        browser = new_browser()
        form = filled_in.registration(username="somebody", reason=REASON)
        data = {"csrf_token": browser.token("/register"), **form}
        with plans.asked() as found:
            browser.post("/register", data=data, environ_overrides={"REMOTE_ADDR": "203.0.113.5"})
        return rows_of(found), last_mail()

    made, letter = ask("unknown")

    for kind in ("pending", "approved", "rejected", "suspended"):
        told, other_letter = ask(kind)
        assert made - told == Counter(
            {
                "INSERT users": 1,
                "INSERT audit_entries": 1,
                "INSERT reviews": 1,
                "INSERT mailed_codes": 1,
            }
        ), kind
        assert told - made == Counter({"DELETE mailed_codes": 1}), kind
        assert 0 < letter - other_letter < MORE_TO_SAY, kind


REASON = "I work in the research group of Professor Hopper and need the translator every day. " * 9


def rows_of(found: plans.Asked) -> Counter[str]:
    """What was done to which table how often; many rows in one statement are as many."""
    counted: Counter[str] = Counter()
    for statement, values in found:
        verb = statement.split()[0]
        table = re.findall(r"\b(?:FROM|INTO|UPDATE)\s+(\w+)", statement)[0]
        counted[f"{verb} {table}"] += len(values) if isinstance(values, list) else 1
    return counted


def last_mail() -> int:
    """How much the newest mail says, as it lies in the outbox."""
    newest = select(func.length(Mail.body)).order_by(Mail.id.desc()).limit(1)
    size = db.session.scalar(newest)
    db.session.rollback()
    assert size is not None
    return int(size)


@time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False)
def test_a_change_of_address_answers_alike_with_alike_work_whoever_has_it(
    new_browser, meter, people
):
    def ask(kind):
        clear()
        make(kind, people.user)
        browser = new_browser()
        browser.sign_in(person(people.user(approved=True, username="mover")))
        data = {"csrf_token": browser.token("/change-email"), "email": "ada@example.org"}
        data["current_password"] = PASSWORD
        answer, work = meter.of(lambda: browser.post("/change-email", data=data))
        return work, masked(answer)

    stranger = ask("unknown")

    for kind in ("unconfirmed", "approved", "suspended", "silenced"):
        assert_alike(ask(kind), stranger, kind, spare=2)


def clear() -> None:
    """Start from an empty portal again, as only the owner of the database can."""
    with transaction():
        db.session.execute(text("DROP TRIGGER IF EXISTS audit_entries_no_delete"))
        for table in reversed(db.metadata.sorted_tables):
            if table.name not in ("roles", "access_levels"):
                db.session.execute(table.delete())


def test_the_meter_sees_work(browser, meter, a_user):
    """The comparison above proves nothing if it counted nothing."""
    token = browser.token("/register")
    data = {"csrf_token": token, **filled_in.registration()}

    _answer, work = meter.of(lambda: browser.post("/register", data=data))

    assert replace(work, statements=0) == Work(hashes=1, commits=1, mails=1)
    assert work.statements > 10


def test_a_password_that_is_wrong_costs_what_a_name_that_nobody_has_costs(browser, meter, a_user):
    a_user(approved=True, username="ada")
    token = browser.token("/login")

    def attempt(identity, password):
        data = {"csrf_token": token, "identity": identity, "password": password}
        return meter.of(lambda: browser.post("/login", data=data))[1].hashes

    assert attempt("ada", "wrong") == attempt("nobody", "wrong") == 1
    assert attempt("ada", "x" * 129) == attempt("nobody", "x" * 129)


def test_the_right_password_of_a_contested_account_costs_the_same(browser, new_browser, meter):
    """An account that waits for its first password answers like one that does not exist."""
    for whoever in (browser, new_browser()):
        whoever.submit("/register", **filled_in.registration())
    token = browser.token("/login")
    data = {"csrf_token": token, "password": PASSWORD}

    known, work = meter.of(lambda: browser.post("/login", data={**data, "identity": "ada"}))
    unknown, other = meter.of(lambda: browser.post("/login", data={**data, "identity": "eve"}))

    assert masked(known)[1].replace("ada", "eve") == masked(unknown)[1]
    assert work == other


def test_asking_too_soon_for_another_link_looks_like_asking_in_time(browser, meter, a_user):
    a_user(email="ada@example.org")
    data = {"csrf_token": browser.token("/confirm"), "email": "ada@example.org"}

    too_soon, work = meter.of(lambda: browser.post("/confirm", data=data))
    data["email"] = "nobody@example.org"
    unknown, other = meter.of(lambda: browser.post("/confirm", data=data))

    assert masked(too_soon) == masked(unknown)
    assert work == other


def test_no_mail_server_is_asked_while_somebody_waits_for_a_page(app, browser, a_user, monkeypatch):
    """H: SMTP inside the request (also CVE-2024-45231): a dead server changes no answer."""

    def dead(*_args, **_kwargs):
        raise AssertionError("a request talked to the network")

    a_user(approved=True, email="eve@example.org")
    monkeypatch.setattr(smtplib, "SMTP", dead)
    monkeypatch.setattr(smtplib, "SMTP_SSL", dead)
    monkeypatch.setattr(socket, "create_connection", dead)
    monkeypatch.setattr(socket, "getaddrinfo", dead)

    assert browser.submit("/register", **filled_in.registration()).status_code == 303
    assert browser.submit("/reset", email="eve@example.org").status_code == 303
    assert browser.submit("/confirm", email="ada@example.org").status_code == 303


@pytest.mark.parametrize("which", ["the old address", "the new one"])
@time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False)
def test_a_correction_answers_alike_with_alike_work_whoever_is_known(
    which, new_browser, meter, people
):
    """Somebody registers with Ada's address and moves on, or moves to it."""
    old, new = "ada@example.org", "other@example.org"
    if which == "the new one":
        old, new = new, old

    def correct(kind):
        clear()
        make(kind, people.user)
        browser = new_browser()
        browser.submit("/register", **filled_in.registration(username="somebody", email=old))
        data = {"csrf_token": browser.token("/register/address"), "email": new}
        answer, work = meter.of(lambda: browser.post("/register/address", data=data))
        following = masked(browser.get(answer.headers["Location"]))
        return work.hashes, work.commits, work.mails, masked(answer), following

    stranger = correct("unknown")

    for kind in KINDS:
        assert correct(kind) == stranger, kind
