"""Passkeys: what an answer has to be, and what it is good for (WebAuthn Level 3, 7.1 and 7.2)."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from portal.accounts import suspension
from portal.accounts.factors import ceremony, challenge, passkey, removal, standing
from portal.accounts.factors.challenge import UsedChallenge
from portal.accounts.factors.passkey import Passkey
from portal.accounts.user import User
from portal.audit import Action
from portal.database import db, locked, transaction
from portal.errors import StepRefused
from portal.mail import outbox
from tests.admin_views.panel import entries
from tests.security_key import SecurityKey, challenge_of

pytestmark = pytest.mark.settings(PORTAL_PUBLIC_URL="http://localhost:8000")

MORNING = datetime(2026, 7, 14, 9, tzinfo=UTC)


@pytest.fixture
def ada(a_user) -> User:
    return a_user(username="ada", approved=True)


def now(user: User) -> User:
    found = locked(User, user.id)
    assert found is not None
    return found


def add(user: User, key: SecurityKey, *, name: str = "Key") -> SecurityKey:
    with transaction():
        answer = key.make(ceremony.options_to_add(now(user)))
        ceremony.add(now(user), answer=answer, name=name)
    return key


def sign_in(answer: str) -> User:
    """As the page does: a refusal is kept."""
    with transaction():
        try:
            return ceremony.who_signs_in(answer)
        except StepRefused as refused:
            found = refused
    raise found


def test_a_key_becomes_a_factor_and_signs_its_owner_in(ada):
    key = add(ada, SecurityKey(may_be_backed_up=True), name="Phone")

    kept = db.session.scalars(select(Passkey)).one()
    assert (kept.name, kept.may_be_backed_up, kept.is_backed_up) == ("Phone", True, True)
    assert kept.transports == ["usb"]
    assert standing.has_factor(ada)
    assert entries(Action.FACTOR_ADDED)[0].details == {"kind": "passkey"}
    assert sign_in(key.answer(ceremony.options_to_sign_in())).id == ada.id


def test_what_is_asked_at_the_sign_in_names_nobody(ada):
    before = json.loads(ceremony.options_to_sign_in())
    add(ada, SecurityKey())
    after = json.loads(ceremony.options_to_sign_in())

    assert before.pop("challenge") != after.pop("challenge")
    assert before == after
    assert after["allowCredentials"] == []
    assert after["userVerification"] == "required"


def test_what_a_device_keeps_says_nothing_about_the_person(ada):
    options = json.loads(ceremony.options_to_add(ada))

    handle = base64.urlsafe_b64decode(options["user"]["id"] + "=")
    assert len(handle) == 32
    assert not [of for of in (ada.username, ada.email) if str(of).encode() in handle]
    assert ada.fs_uniquifier.encode() not in handle
    assert options["user"]["id"] == json.loads(ceremony.options_to_add(ada))["user"]["id"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "http://localhost.example.org:8000"},
        {"rp_id": "example.org"},
        {"verifies": False},
        {"handle": "bm9ib2R5"},
        {"may_be_backed_up": True},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_an_answer_that_is_not_as_it_should_be_opens_nothing(ada, wrong):
    key = add(ada, SecurityKey())
    for name, value in wrong.items():
        setattr(key, name, value)

    with pytest.raises(StepRefused, match="did not give the answer"):
        sign_in(key.answer(ceremony.options_to_sign_in()))


def test_a_signature_of_another_key_opens_nothing(ada):
    key = add(ada, SecurityKey())
    other = SecurityKey(credential_id=key.credential_id, handle=key.handle)

    with pytest.raises(StepRefused, match="did not give the answer"):
        sign_in(other.answer(ceremony.options_to_sign_in()))


def test_an_answer_counts_once_in_time_and_for_what_was_asked(ada):
    with time_machine.travel(MORNING, tick=False) as clock:
        key = add(ada, SecurityKey())
        answer = key.answer(ceremony.options_to_sign_in())
        assert sign_in(answer).id == ada.id
        with pytest.raises(StepRefused, match="sent twice"):
            sign_in(answer)

        answer = key.answer(ceremony.options_to_sign_in())
        clock.shift(timedelta(minutes=10, seconds=1))
        with pytest.raises(StepRefused, match="took too long"):
            sign_in(answer)
        for options in (ceremony.options_for_second_step(ada), ceremony.options_to_add(ada)):
            with pytest.raises(StepRefused):
                sign_in(key.answer(options))

        clock.shift(timedelta(hours=1))
        with transaction():
            challenge.purge()
    assert db.session.scalars(select(UsedChallenge)).all() == []


@pytest.mark.both_databases
def test_of_many_who_send_one_answer_at_once_one_gets_in(app, ada):
    key = add(ada, SecurityKey())
    answer = key.answer(ceremony.options_to_sign_in())
    db.session.rollback()

    def attempt(_: int) -> bool:
        with app.app_context():
            try:
                return bool(sign_in(answer))
            except StepRefused:
                return False
            finally:
                db.session.remove()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(attempt, range(64))).count(True) == 1


@pytest.mark.both_databases(everyday="sqlite")
def test_of_many_who_prove_themselves_by_one_answer_one_does(app, ada):
    """Also where the id of the session stays, which would else tell the others apart."""
    key = add(ada, SecurityKey())
    answer, ada_id = key.answer(ceremony.options_for_proof(ada, here="x" * 64)), ada.id
    db.session.rollback()

    def attempt(_: int) -> bool:
        with app.app_context():
            try:
                with transaction():
                    user = db.session.get_one(User, ada_id)
                    ceremony.check_proof(user, answer, here="x" * 64)
            except StepRefused:
                return False
            finally:
                db.session.remove()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(attempt, range(64))).count(True) == 1


def test_a_key_that_counts_backwards_is_refused_and_its_owner_told(ada):
    key = add(ada, SecurityKey(count=7), name="Key on the ring")
    key.count = 9
    sign_in(key.answer(ceremony.options_to_sign_in()))

    for count in (9, 8, 0):
        key.count = count
        with pytest.raises(StepRefused, match="copied"):
            sign_in(key.answer(ceremony.options_to_sign_in()))

    assert len(entries(Action.PASSKEY_COPIED)) == 3
    assert "passkey_copied" in [mail.kind for mail in outbox.waiting()]
    key.count = 10
    assert sign_in(key.answer(ceremony.options_to_sign_in())).id == ada.id


def test_after_the_password_a_key_that_looks_at_nobody_is_enough_but_only_ones_own(ada, a_user):
    bob = a_user(approved=True)
    key = add(ada, SecurityKey(verifies=False))
    add(bob, SecurityKey())

    with transaction():
        ceremony.check_second_step(now(ada), key.answer(ceremony.options_for_second_step(ada)))
    with pytest.raises(StepRefused, match="not one of yours"), transaction():
        ceremony.check_second_step(now(bob), key.answer(ceremony.options_for_second_step(bob)))


def test_a_key_is_added_once(ada, a_user):
    key = add(ada, SecurityKey())

    with pytest.raises(IntegrityError):
        add(a_user(approved=True), key)


def test_a_closed_account_is_not_opened_by_a_key(ada):
    key = add(ada, SecurityKey())
    with transaction():
        suspension.suspend(now(ada), by=None)

    with pytest.raises(StepRefused, match="does not know this passkey"):
        sign_in(key.answer(ceremony.options_to_sign_in()))


def test_the_last_one_goes_with_everything(ada):
    add(ada, SecurityKey())

    with transaction():
        user = now(ada)
        removal.remove_passkey(user, passkey.of(user)[0])

    assert passkey.of(ada) == []
    assert not standing.has_factor(ada)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "[]",
        "{}",
        "1",
        "nonsense",
        '{"rawId": 7}',
        '{"rawId": "AAAA", "response": []}',
        "[" * 10_000,
        "x" * 30_000,
    ],
    ids=lambda answer: answer[:12] or "empty",
)
def test_nonsense_is_refused_in_words(ada, answer: Any):
    add(ada, SecurityKey())

    with pytest.raises(StepRefused):
        sign_in(answer)
    with pytest.raises(StepRefused), transaction():
        ceremony.add(now(ada), answer=answer, name="x")


@pytest.mark.parametrize(
    "broken",
    ["clientDataJSON", "authenticatorData", "signature"],
)
def test_a_broken_part_is_refused_in_words(ada, broken):
    key = add(ada, SecurityKey())
    for value in ("AAAA", "%", 7, None):
        said = json.loads(key.answer(ceremony.options_to_sign_in()))
        said["response"][broken] = value
        with pytest.raises(StepRefused):
            sign_in(json.dumps(said))


def test_a_challenge_is_long_and_new_each_time(app):
    first, second = (challenge_of(ceremony.options_to_sign_in()) for _ in range(2))

    assert first != second
    assert len(first) > 32


@pytest.mark.settings(PORTAL_PUBLIC_URL="http://127.0.0.1:8000")
def test_at_an_address_of_numbers_there_are_none(app, browser):
    assert not passkey.are_possible()
    assert browser.get("/passkey/options").status_code == 404
    assert "passkey" not in browser.get("/login").text
