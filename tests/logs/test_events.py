"""Events (ASVS 16.2.1, 16.3): each is written by its cause, once, and says nothing personal."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from portal import settings
from portal.audit import Action, record
from portal.database import db, transaction
from portal.logs.events import LOGGER, Outcome, SecurityEvent
from portal.logs.lines import formatter
from portal.mail import lease
from portal.mail.attempt import attempt
from portal.mail.trouble import Never, ServerDown, Trouble
from portal.security.hashing import TooBusy
from portal.security.limits import limiter
from tests.conftest import Browser, a_browser
from tests.people import PASSWORD, People, person
from tests.phone import set_up


@dataclass
class Stage:
    """Where something is about to happen."""

    app: Flask
    people: People
    browser: Browser

    def signed_in(self) -> Any:
        """Somebody who may use the portal, signed in."""
        user = self.people.user(approved=True)
        self.browser.sign_in(person(user))
        return user

    def half_signed_in(self) -> Any:
        """Somebody who has typed the password, and has to show a second factor."""
        user = self.people.user(approved=True)
        set_up(user)
        return self.browser.submit("/login", identity=user.username, password=PASSWORD)

    def page_raises(self, error: Exception) -> None:
        """Look at a page that fails."""

        def fail() -> None:
            raise error

        self.app.view_functions["pages.terms"] = fail
        self.browser.get("/terms")

    def mail_meets(self, problem: Exception) -> None:
        """Let a worker try to deliver."""
        self.people.user()

        def refuse(_held: Any) -> None:
            raise problem

        held = lease.take_next()
        assert held is not None
        attempt(held, refuse)

    def report(self, rule: str) -> int:
        """Send a report about a rule of the policy."""
        body = json.dumps({"csp-report": {"effective-directive": rule, "blocked-uri": "data"}})
        kind = "application/csp-report"
        return self.browser.post("/browser-reports", data=body, content_type=kind).status_code


# What has to be there before, and is not the cause itself; then the cause.
BEFORE: dict[SecurityEvent, Callable[[Stage], Any]] = {
    SecurityEvent.SIGN_IN_CLOSED: lambda stage: stage.people.user(suspended=True),
    SecurityEvent.SIGNED_IN: lambda stage: stage.people.user(approved=True),
    SecurityEvent.SECOND_STEP_FAILED: Stage.half_signed_in,
    SecurityEvent.SIGNED_OUT: Stage.signed_in,
    SecurityEvent.PROVED_AGAIN: Stage.signed_in,
    SecurityEvent.PROOF_FAILED: Stage.signed_in,
    SecurityEvent.DENIED: Stage.signed_in,
    SecurityEvent.RESET_ASKED: lambda stage: stage.people.user(approved=True),
    SecurityEvent.LIMITED: lambda stage: stage.report("img-src"),
}

CAUSES: dict[SecurityEvent, Callable[[Stage, Any], Any]] = {
    SecurityEvent.SIGNED_IN: lambda stage, user: stage.browser.sign_in(person(user)),
    SecurityEvent.SIGN_IN_FAILED: lambda stage, _: stage.browser.submit(
        "/login", identity="eve@example.org", password="Hush-hush 99"
    ),
    SecurityEvent.SIGN_IN_CLOSED: lambda stage, user: stage.browser.submit(
        "/login", identity=user.username, password=PASSWORD
    ),
    SecurityEvent.SECOND_STEP_FAILED: lambda stage, _: stage.browser.submit(
        "/second-step", code="000000"
    ),
    SecurityEvent.SIGNED_OUT: lambda stage, _: stage.browser.submit("/account", to="/logout"),
    SecurityEvent.PROVED_AGAIN: lambda stage, _: stage.browser.submit("/verify", password=PASSWORD),
    SecurityEvent.PROOF_FAILED: lambda stage, _: stage.browser.submit(
        "/verify", password="Hush-hush 99"
    ),
    SecurityEvent.RESET_ASKED: lambda stage, user: stage.browser.submit("/reset", email=user.email),
    # Its limit reads the link, and then its page does.
    SecurityEvent.LINK_REFUSED: lambda stage, _: stage.browser.post(
        "/status/hush-token/answer",
        data={"csrf_token": stage.browser.token("/login"), "answer": "x"},
    ),
    SecurityEvent.CODE_REFUSED: lambda stage, _: stage.browser.submit(
        "/confirm/code", email="eve@example.org", code="000000"
    ),
    SecurityEvent.DENIED: lambda stage, _: stage.browser.get("/admin/"),
    SecurityEvent.FROM_ANOTHER_SITE: lambda stage, _: stage.browser.get(
        "/login", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    ),
    SecurityEvent.CSRF_FAILED: lambda stage, _: stage.browser.post("/login"),
    SecurityEvent.LIMITED: lambda stage, _: stage.report("img-src"),
    SecurityEvent.TOO_BUSY: lambda stage, _: stage.page_raises(TooBusy()),
    SecurityEvent.MALFORMED: lambda stage, _: stage.browser.post("/login", json={"hush": 1}),
    SecurityEvent.WRONG_HOST: lambda stage, _: stage.browser.get(
        "/", headers={"Host": "evil.example"}
    ),
    SecurityEvent.POLICY_BROKEN: lambda stage, _: stage.report("font-src"),
    SecurityEvent.MAIL_FAILED: lambda stage, _: stage.mail_meets(Never(Trouble.REFUSED)),
    SecurityEvent.MAIL_WAITS: lambda stage, _: stage.mail_meets(ServerDown(Trouble.UNREACHABLE)),
    SecurityEvent.ERROR: lambda stage, _: stage.page_raises(RuntimeError("hush@example.org")),
    SecurityEvent.DATABASE_AWAY: lambda stage, _: stage.page_raises(
        OperationalError("SELECT", {}, Exception("away\nhush"))
    ),
}

# The start and the end of real processes: tests/serving/.
ELSEWHERE = {SecurityEvent.STARTED, SecurityEvent.STOPPED}
STEPS_ON_ACCOUNTS = {action.value for action in Action}


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Every event that was written so far."""
    return [
        cast("dict[str, Any]", record.msg) for record in caplog.records if record.name == LOGGER
    ]


@pytest.mark.settings(PORTAL_LIMITS_REPORT_ADDRESS="1 per minute")
def test_each_is_written_by_its_cause_once(app, people, caplog):
    assert set(CAUSES) | ELSEWHERE == set(SecurityEvent)
    found: dict[SecurityEvent, list[str]] = {}
    shape = formatter(settings.of(app))

    for event, cause in CAUSES.items():
        limiter.reset()
        stage = Stage(app, people, a_browser(app))
        before = BEFORE.get(event, lambda _stage: None)(stage)
        caplog.clear()
        cause(stage, before)

        told = [line for line in lines(caplog) if line["event"] not in STEPS_ON_ACCOUNTS]
        found[event] = [line["event"] for line in told]
        for line in told:
            assert line["outcome"] == event.outcome, event
            assert line["level"] == event.level, event
        for each in caplog.records:
            as_written = shape.format(each)
            assert json.loads(as_written)["at"].endswith("Z")
            for personal in ("hush", "Hush", PASSWORD, "@example.org", "person"):
                assert personal not in as_written.replace(__file__, ""), (event, as_written)

    assert found == {event: [event.value] for event in CAUSES}


def test_a_sign_in_says_who_from_where_by_what_and_in_which_request(browser, a_user, caplog):
    user = a_user(approved=True)
    caplog.clear()

    answer = browser.sign_in(person(user))

    (line,) = [line for line in lines(caplog) if line["event"] == "sign_in.done"]
    assert line["about"] == user.id
    assert line["by_means_of"] == ["password"]
    assert (line["where"], line["endpoint"]) == ("127.0.0.1", "security.login")
    assert line["request"] == answer.headers["X-Request-ID"]


def test_a_wrong_password_names_the_account_that_was_tried_and_not_what_was_typed(
    browser, a_user, caplog
):
    user = a_user(approved=True)
    caplog.clear()

    browser.submit("/login", identity=user.username, password="wrong")

    (line,) = [line for line in lines(caplog) if line["event"] == "sign_in.failed"]
    assert (line["who"], line["about"]) == (None, user.id)
    assert user.username not in str(line)


@pytest.mark.both_databases(everyday="postgresql")
def test_each_entry_of_the_trail_is_a_line_once_it_is_committed(a_user, caplog):
    user = a_user(approved=True)
    caplog.clear()

    with transaction():
        record(Action.PASSWORD_CHANGED, about=user, by=user)
        with pytest.raises(RuntimeError), db.session.begin_nested():
            record(Action.SUSPENDED, about=user)
            db.session.flush()
            raise RuntimeError
        db.session.flush()
        assert lines(caplog) == [], "not before it is certain"
    with pytest.raises(RuntimeError), transaction():
        record(Action.ERASED, about=user)
        db.session.flush()
        raise RuntimeError
    with transaction():
        pass

    (line,) = lines(caplog)
    assert line["event"] == Action.PASSWORD_CHANGED.value
    assert (line["about"], line["who"], line["outcome"]) == (user.id, user.id, Outcome.DONE)


def test_what_is_done_to_accounts_by_pages_is_written_once_each(browser, people, caplog):
    """From the registration to another password: the trail's own names, and nobody's."""
    user = people.user(approved=True)
    seen = [line["event"] for line in lines(caplog)]
    assert seen == ["account.registered", "account.confirmed", "account.approved"]
    browser.sign_in(person(user))
    caplog.clear()

    browser.submit(
        "/change",
        current_password=PASSWORD,
        password="Quiet-harbour 77",
        password_again="Quiet-harbour 77",
    )

    assert [line["event"] for line in lines(caplog)].count("account.password_changed") == 1
    assert [line["event"] for line in lines(caplog)].count("proof.done") == 1
