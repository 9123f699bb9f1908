"""The webhook: events arrive signed, once as far as that can be, and hold up nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask

from portal import clock
from portal.accounts.approval import approve, reject, reopen
from portal.accounts.erasure import erase
from portal.accounts.user import User
from portal.database import db, locked, transaction
from portal.desk import bulk_asking, bulk_round, question, undo
from portal.desk.bulk import Deed
from portal.mail import delivery, events, lease, listing, outbox, pauses, upkeep, webhook
from portal.mail.events import Event
from portal.mail.listing import Shelf
from portal.mail.mail import Channel, Mail, MailState
from portal.mail.trouble import ServerDown, Trouble
from tests.crowd import together
from tests.mail.hook import SECRET, Hook, listen
from tests.people import level

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def hook(app: Flask) -> Iterator[Hook]:
    """A program that listens, and a portal that tells it."""
    with Hook() as found:
        listen(app, found.url)
        yield found


def post(event: Event = Event.READY, user: User | None = None, **data: Any) -> Mail:
    with transaction():
        events.post(event, user, **data)
        db.session.flush()
        return db.session.scalars(db.select(Mail).order_by(Mail.id.desc())).first()


def deliver(after: timedelta = timedelta(0)) -> int:
    with clock.at(clock.now() + after):
        tried = webhook.deliver_due(within=timedelta(seconds=20))
    db.session.expire_all()
    return tried


def rows() -> list[Mail]:
    db.session.rollback()
    found = db.select(Mail).where(Mail.channel == Channel.WEBHOOK.value).order_by(Mail.id)
    return list(db.session.scalars(found))


def types(hook: Hook) -> list[tuple[str, Any]]:
    return [(told.event["type"], told.event["data"].get("user_id")) for told in hook.told]


@pytest.mark.both_databases(everyday="sqlite")
def test_an_event_arrives_signed_as_the_specification_says(hook, a_user):
    ada = a_user(username="ada")

    row = post(Event.READY, ada)
    assert deliver() == 1

    (told,) = hook.told
    assert told.path == "/hooks/portal?room=1"
    assert told.headers["content-type"] == "application/json"
    assert told.headers["webhook-id"] == row.message_id
    sent = int(told.headers["webhook-timestamp"])
    assert abs(sent - time.time()) < 60
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{row.message_id}.{sent}.".encode() + told.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert told.headers["webhook-signature"] == f"v1,{expected}"
    assert rows()[0].state is MailState.DELIVERED
    assert rows()[0].body is None


def test_the_signature_is_that_of_the_specifications_own_example():
    body = b'{"test": 2432232314}'

    made = webhook.signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)

    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_event_names_the_account_and_nothing_personal(hook, a_user):
    ada = a_user(username="ada", full_name="Ada Lovelace", email="ada@example.org")
    post(Event.DECIDED, ada, verdict="approved")
    deliver()

    (told,) = hook.told
    assert told.event["data"] == {
        "user_id": ada.id,
        "username": "ada",
        "url": f"http://127.0.0.1:8000/admin/accounts/{ada.id}",
        "verdict": "approved",
    }
    assert told.event["text"] == "A registration was decided: ada"
    assert b"Lovelace" not in told.body
    assert b"@example.org" not in told.body


def test_an_event_says_more_where_the_operator_wants_it(app, hook, a_user):
    listen(app, hook.url, personal_data=True)
    post(Event.READY, a_user(full_name="Ada Lovelace", email="ada@example.org"))
    deliver()

    data = hook.told[0].event["data"]
    assert (data["full_name"], data["email"]) == ("Ada Lovelace", "ada@example.org")


@pytest.mark.both_databases(everyday="sqlite")
def test_what_happens_at_the_desk_is_told_in_its_order(hook, a_user, reviewer):
    ada, eve = a_user(confirmed=True), a_user(confirmed=True)
    with transaction():
        question.ask(locked(User, ada.id), by=reviewer, question="Which team?")
    with transaction():
        question.answer(locked(User, ada.id), text="Research")
    with transaction():
        approve(locked(User, ada.id), by=reviewer, level=level("standard"))
        reject(locked(User, eve.id), by=reviewer, reason="No")

    deliver(MINUTE)

    assert types(hook) == [
        ("registration.ready", ada.id),
        ("registration.ready", eve.id),
        ("registration.answered", ada.id),
        ("registration.decided", ada.id),
        ("registration.decided", eve.id),
    ]
    verdicts = [told.event["data"].get("verdict") for told in hook.told[3:]]
    assert verdicts == ["approved", "rejected"]


def test_a_decision_that_is_undone_is_not_told(hook, a_user, reviewer):
    ada = a_user(confirmed=True)
    with transaction():
        approve(locked(User, ada.id), by=reviewer, level=level("standard"))
    deliver()
    with transaction():
        undo.undo(locked(User, ada.id), by=reviewer)

    deliver(MINUTE)

    assert [kind for kind, _user in types(hook)] == ["registration.ready", "registration.ready"]


def test_undoing_leaves_what_was_decided_before_though_nobody_was_told_of_it_yet(
    hook, a_user, reviewer
):
    ada = a_user(rejected=True)
    with time_machine.travel(clock.now() + timedelta(minutes=5)):
        with transaction():
            reopen(locked(User, ada.id), by=reviewer)
        with transaction():
            approve(locked(User, ada.id), by=reviewer, level=level("standard"))
        with transaction():
            undo.undo(locked(User, ada.id), by=reviewer)

        deliver(MINUTE)

    verdicts = [told.event["data"].get("verdict") for told in hook.told]
    assert [verdict for verdict in verdicts if verdict] == ["rejected"]


def test_what_is_done_to_many_is_told_once(hook, a_user, reviewer):
    ids = [a_user(confirmed=True).id, a_user(confirmed=True).id, a_user(rejected=True).id]
    deliver(MINUTE)
    hook.told.clear()
    with transaction():
        bulk_asking.ask(Deed.APPROVAL, ids, by=reviewer, level=level("standard"))
    while bulk_round.work():
        pass

    deliver(MINUTE)

    (told,) = hook.told
    assert told.event["type"] == "bulk.finished"
    counts = {name: told.event["data"][name] for name in ("deed", "total", "done", "refused")}
    assert counts == {"deed": "approval", "total": 3, "done": 2, "refused": 1}


def test_nothing_is_written_where_nobody_listens(app, a_user):
    a_user(confirmed=True)

    assert rows() == []


@pytest.mark.parametrize("number", [500, 503, 429])
def test_a_hook_that_is_busy_is_asked_again_after_a_pause_with_the_same_id(hook, number):
    hook.number = number
    first, second = post(), post()

    assert deliver() == 1
    assert pauses.is_on(Channel.WEBHOOK)
    assert deliver() == 0
    hook.number = 200
    assert deliver(5 * MINUTE) == 2

    ids = [told.headers["webhook-id"] for told in hook.told]
    assert ids == [first.message_id, second.message_id, first.message_id]
    assert pauses.current(Channel.WEBHOOK) is None
    assert [row.attempts for row in rows()] == [2, 1]


@pytest.mark.parametrize("says_so", [True, False])
def test_an_event_that_a_hook_stumbles_over_holds_up_no_other(hook, says_so):
    """Some programs answer 500 to one event, or crash, whatever they make of the others."""
    stumbled, _, _ = post(), post(), post()
    hook.stumbles_over, hook.says_so = stumbled.message_id, says_so

    assert deliver() == 1
    deliver(MINUTE / 2)

    assert [row.state for row in rows()] == [
        MailState.WAITING,
        MailState.DELIVERED,
        MailState.DELIVERED,
    ]


@pytest.mark.parametrize("number", [400, 404, 410])
def test_an_event_that_is_refused_holds_up_no_other(hook, number):
    hook.number = number
    refused = post()
    assert deliver() == 1
    hook.number = 200
    post()

    assert deliver() == 1

    assert [row.state for row in rows()] == [MailState.WAITING, MailState.DELIVERED]
    assert rows()[0].last_error == f"hook_refused {number}"
    with clock.at(refused.give_up_at):
        hook.number = number
        webhook.deliver_due(within=timedelta(seconds=5))
    assert rows()[0].state is MailState.FAILED


def test_nobody_is_followed_elsewhere(hook):
    with Hook() as other:
        hook.number, hook.location = 307, other.url
        post()

        deliver()

        assert (len(hook.told), other.told) == (1, [])
    assert rows()[0].state is MailState.WAITING


def test_a_hook_that_drips_is_left_in_time(hook):
    hook.drip = 0.5
    post()
    start = time.monotonic()

    assert deliver() == 1

    assert time.monotonic() - start < 10  # its answer takes half an hour
    assert pauses.is_on(Channel.WEBHOOK)
    assert rows()[0].state is MailState.WAITING


def test_an_endless_answer_is_not_read(hook):
    hook.length = 2**40
    post()

    assert deliver() == 1

    assert rows()[0].state is MailState.DELIVERED


def test_a_hook_that_is_away_holds_up_no_mail_and_the_reverse(app, a_user):
    with Hook() as gone:
        pass  # nobody listens at its port any more
    listen(app, gone.url)
    a_user()
    post()

    assert deliver() == 1
    assert pauses.is_on(Channel.WEBHOOK)
    assert not pauses.is_on(Channel.MAIL)
    delivery.deliver_due(within=timedelta(seconds=20))
    assert [mail.channel for mail in outbox.waiting()] == [Channel.WEBHOOK]

    pauses.end()
    pauses.begin(ServerDown(Trouble.UNREACHABLE))
    with Hook() as back:
        listen(app, back.url)
        assert deliver(5 * MINUTE) == 1
    assert pauses.is_on(Channel.MAIL)


def test_no_bell_rings_for_an_event_and_no_mail_worker_takes_it(hook):
    row = post()

    delivery.deliver(row.id)
    assert lease.take(row.id) is None
    assert delivery.deliver_due(within=timedelta(seconds=5)) == 0

    assert hook.told == []


@pytest.mark.both_databases(everyday="postgresql")
def test_of_two_workers_one_tells(app: Flask, hook):
    post()
    db.session.remove()

    def work() -> None:
        with app.app_context():
            webhook.deliver_due(within=timedelta(seconds=5))

    together([work, work])

    assert len(hook.told) == 1


def test_what_waits_about_somebody_goes_with_their_data(hook, a_user):
    ada = a_user(confirmed=True)
    with transaction():
        erase(locked(User, ada.id), by=None)

    deliver()

    assert hook.told == []
    assert all(row.body is None for row in rows())


def test_events_are_kept_for_a_month_and_not_at_all_where_nobody_listens_any_more(app, hook):
    post()
    deliver()
    with clock.at(clock.now() + 29 * DAY):
        upkeep.purge()
    assert len(rows()) == 1
    with clock.at(clock.now() + 31 * DAY):
        upkeep.purge()
    assert rows() == []

    post()
    listen(app, "")
    upkeep.purge()
    assert rows() == []


def test_events_stand_among_the_mails_and_not_among_those_to_a_person(hook, a_user):
    ada = a_user(confirmed=True)

    kinds = [mail.kind for mail in listing.page(Shelf.WAITING).rows]

    assert "registration.ready" in kinds
    assert listing.counts()[Shelf.WAITING] == len(kinds)
    assert "registration.ready" not in [mail.kind for mail in listing.of_person(ada.id)]


def test_the_documents_show_how_to_check_the_signature(hook, a_user):
    document = (Path(__file__).parents[2] / "docs/webhook.md").read_text()
    (snippet,) = re.findall(r"```python\n(.*?)```", document, re.DOTALL)
    shown: dict[str, Callable[..., Any]] = {}
    exec(snippet, shown)
    post(Event.READY, a_user())
    deliver()
    (told,) = hook.told

    assert shown["checked"](told.headers, told.body, SECRET) == told.event
    with pytest.raises(ValueError, match="not from the portal"):
        shown["checked"](told.headers, told.body + b" ", SECRET)
    late = told.headers | {"webhook-timestamp": str(int(time.time()) - 3600)}
    with pytest.raises(ValueError, match="old"):
        shown["checked"](late, told.body, SECRET)
    for event in Event:
        assert f"`{event.value}`" in document
