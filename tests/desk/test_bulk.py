"""Bulk: one step on many people, once each and in few statements, whatever comes between."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import event, select, update
from sqlalchemy.exc import OperationalError

from portal import clock
from portal.accounts import code, roles
from portal.accounts.approval import approve, reject, reopen
from portal.accounts.code import Purpose
from portal.accounts.suspension import suspend
from portal.accounts.user import Status, User
from portal.audit import Action
from portal.database import db, locked, transaction
from portal.desk import bulk, bulk_asking, bulk_round, decision, gathering
from portal.desk.bulk import Bulk, BulkItem, Deed
from portal.desk.undo import undo
from portal.errors import StepRefused
from portal.mail import lease, outbox, silence
from portal.mail.mail import Mail
from portal.mail.sealing import unseal
from tests import plans
from tests.admin_views.panel import entries
from tests.people import People, level

pytestmark = pytest.mark.both_databases(everyday="postgresql")


def ask(deed: Deed, ids: list[int], by: User, **details: Any) -> int:
    """Ask for a bulk; approvals are at the level "standard" unless another one is named."""
    if deed is Deed.APPROVAL:
        details.setdefault("level", level("standard"))
    with transaction():
        asked = bulk_asking.ask(deed, ids, by=db.session.get_one(User, by.id), **details)
        return asked.id


def ask_for_undo(bulk_id: int, by: User) -> int:
    with transaction():
        return bulk_asking.ask_for_undo(bulk_id, by=db.session.get_one(User, by.id)).id


def work(**how: Any) -> None:
    """Do what there is to do, as the worker does."""
    while bulk_round.work(**how):
        pass
    db.session.expire_all()


def found(bulk_id: int) -> Bulk:
    return db.session.get_one(Bulk, bulk_id)


def told(bulk_id: int) -> dict[int, str]:
    """Who was refused in a bulk, and why."""
    return {item.user_id: item.sentence for item in bulk.refused(found(bulk_id)).rows}


def status_of(*ids: int) -> list[Status]:
    return [db.session.get_one(User, user_id).status for user_id in ids]


def letters_to(user_id: int) -> list[str]:
    """What waits in the outbox for somebody."""
    return [mail.kind for mail in outbox.waiting() if mail.user_id == user_id]


def step(user_id: int, deed: Callable[[User], object]) -> None:
    """Take a step on one person, as a page does."""
    with transaction():
        user = locked(User, user_id)
        assert user is not None
        deed(user)


@contextmanager
def before(matches: Callable[[str], bool], deed: Callable[[], None]) -> Iterator[None]:
    """Do something once, just before the database is told what matches."""
    waiting = [deed]

    def look(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if waiting and matches(statement):
            waiting.pop()()

    event.listen(db.engine, "before_cursor_execute", look)
    try:
        yield
    finally:
        event.remove(db.engine, "before_cursor_execute", look)
    assert not waiting, "it never came to that"


def test_everybody_is_approved_with_a_line_and_a_mail_each(people, reviewer, app):
    ids = people.crowd(5)

    bulk_id = ask(Deed.APPROVAL, ids[:4], reviewer)
    work(at_once=3)

    assert status_of(*ids) == [Status.APPROVED] * 4 + [Status.PENDING]
    assert bulk.progress(found(bulk_id)) == bulk.Progress(total=4, done=4, refused=0)
    assert [(each.about_id, each.by_id, each.details) for each in entries(Action.APPROVED)] == [
        (user_id, reviewer.id, {"level": "standard"}) for user_id in ids[:4]
    ]
    assert [letters_to(user_id).count("welcome") for user_id in ids] == [1, 1, 1, 1, 0]
    asked = entries(Action.BULK_ASKED)[0]
    assert asked.details == {"bulk": bulk_id, "deed": "approval", "people": 4}


def test_everybody_is_rejected_for_the_reason_given(people, reviewer, app):
    ids = people.crowd(2)

    ask(Deed.REJECTION, ids, reviewer, reason="No room")
    work()

    assert status_of(*ids) == [Status.REJECTED] * 2
    assert {db.session.get_one(User, user_id).rejection_reason for user_id in ids} == {"No room"}
    assert [letters_to(user_id).count("rejected") for user_id in ids] == [1, 1]
    assert {entry.details["told"] for entry in entries(Action.REJECTED)} == {True}


def test_spam_and_who_never_confirmed_are_rejected_without_a_word(people, reviewer, app):
    waiting, unconfirmed = people.crowd(1), people.crowd(1, confirmed=False)

    ask(Deed.REJECTION, waiting, reviewer, tell=False)
    ask(Deed.REJECTION, unconfirmed, reviewer, reason="Nobody we know")
    work()

    assert status_of(*waiting, *unconfirmed) == [Status.REJECTED] * 2
    assert [letters_to(each).count("rejected") for each in waiting + unconfirmed] == [0, 0]


def test_who_is_refused_is_listed_with_the_reason_and_holds_up_nobody(
    people, reviewer, manager, app
):
    waiting, decided = people.crowd(2)
    (unconfirmed,) = people.crowd(1, confirmed=False)
    by = db.session.get_one(User, manager.id)
    step(decided, lambda user: approve(user, by=by, level=level("standard")))

    bulk_id = ask(Deed.APPROVAL, [waiting, decided, unconfirmed, reviewer.id], reviewer)
    work()

    refused = told(bulk_id)
    assert status_of(waiting) == [Status.APPROVED]
    assert f"{manager.full_name} approved this on" in refused[decided]
    assert "Nobody has confirmed this address yet" in refused[unconfirmed]
    assert set(refused) == {decided, unconfirmed, reviewer.id}
    assert len(entries(Action.APPROVED)) == 2


def test_a_preview_says_the_same_beforehand_and_asks_nothing_for_each(people, reviewer, app):
    few, many = people.crowd(2), people.crowd(12)
    (unconfirmed,) = people.crowd(1, confirmed=False)
    by = db.session.get_one(User, reviewer.id)
    for user_id in many[:4]:
        step(user_id, lambda user: reject(user, by=by, reason="No room"))

    with plans.asked() as for_few:
        gathering.preview(Deed.APPROVAL, few, by=by)
    db.session.expire_all()
    by = db.session.get_one(User, reviewer.id)
    with plans.asked() as for_many:
        preview = gathering.preview(Deed.APPROVAL, [*many, unconfirmed, 999], by=by)

    assert [user.id for user in preview.able] == many[4:]
    assert [refusal.user.id for refusal in preview.refused] == [*many[:4], unconfirmed]
    assert f"{reviewer.full_name} rejected this on" in preview.refused[0].sentence
    assert len(for_many) <= len(for_few) + 3  # and who decided, and oneself again


def test_the_number_of_statements_does_not_grow_with_the_number_of_people(people, reviewer, app):
    few, many = people.crowd(3), people.crowd(40)
    asked = []

    for ids in (few, many):
        ask(Deed.APPROVAL, ids, reviewer)
        with plans.asked() as statements:
            work()
        asked.append(len(statements))

    assert asked[0] == asked[1]
    assert -(-1000 // gathering.AT_ONCE) * asked[1] <= 100


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_thousand_are_approved_in_a_hundred_statements(people, reviewer, app):
    ids = people.crowd(1000)

    with plans.asked() as statements:
        bulk_id = ask(Deed.APPROVAL, ids, reviewer)
        work()

    assert bulk.progress(found(bulk_id)) == bulk.Progress(total=1000, done=1000, refused=0)
    assert len(statements) <= 100
    assert len({entry.about_id for entry in entries(Action.APPROVED)}) == 1000
    assert len(entries(Action.APPROVED)) == 1000
    kinds = select(Mail.user_id).where(Mail.kind == "welcome")
    assert sorted(db.session.scalars(kinds)) == sorted(ids)


@pytest.mark.parametrize("deed", [Deed.REJECTION, Deed.CONFIRMATION_MAIL])
def test_other_steps_ask_no_more_for_many_either(people, reviewer, app, deed):
    crowds = [people.crowd(size, confirmed=deed is Deed.REJECTION) for size in (2, 12)]
    asked = []

    with time_machine.travel(clock.now() + timedelta(hours=1)):
        for ids in crowds:
            ask(deed, ids, reviewer)
            with plans.asked() as statements:
                work()
            asked.append(len(statements))

    assert asked[0] == asked[1]


def test_letters_wait_for_the_end_of_the_bulk_and_for_as_long_as_it_can_be_undone(
    people, reviewer, app
):
    ids = people.crowd(2)
    bulk_id = ask(Deed.APPROVAL, ids, reviewer)
    bulk_round.work(at_once=1)
    first = next(mail for mail in outbox.waiting() if mail.kind == "welcome")
    with time_machine.travel(clock.now() + timedelta(hours=60)):
        lease.settle_overdue()
        assert lease.take(first.id) is None

    work()

    assert found(bulk_id).finished_at is not None
    assert lease.take(first.id) is None
    with time_machine.travel(clock.now() + timedelta(seconds=11)):
        assert lease.take(first.id) is not None


def test_what_a_bulk_decided_is_taken_back_as_a_whole(people, reviewer, app):
    ids = people.crowd(3)
    since = {user_id: db.session.get_one(User, user_id).review.waiting_since for user_id in ids}
    bulk_id = ask(Deed.REJECTION, ids, reviewer, reason="No room")
    work()
    assert decision.undoable(by=db.session.get_one(User, reviewer.id)) == []

    undo_id = ask_for_undo(bulk_id, reviewer)
    with time_machine.travel(clock.now() + timedelta(minutes=5)):  # a worker that was away
        work()

    assert bulk.progress(found(undo_id)) == bulk.Progress(total=3, done=3, refused=0)
    assert status_of(*ids) == [Status.PENDING] * 3
    assert {
        user_id: db.session.get_one(User, user_id).review.waiting_since for user_id in ids
    } == since
    assert not any("rejected" in letters_to(user_id) for user_id in ids)
    assert not any(db.session.get_one(User, user_id).fingerprints for user_id in ids)
    assert len(entries(Action.DECISION_UNDONE)) == 3


def test_undoing_asks_as_little_as_deciding(people, reviewer, app):
    asked = []
    for size in (2, 12):
        bulk_id = ask(Deed.REJECTION, people.crowd(size), reviewer, reason="No room")
        work()
        ask_for_undo(bulk_id, reviewer)
        with plans.asked() as statements:
            work()
        asked.append(len(statements))

    assert asked[0] == asked[1]


def test_undo_stops_a_bulk_that_runs(people, reviewer, app):
    ids = people.crowd(3)
    bulk_id = ask(Deed.APPROVAL, ids, reviewer)
    bulk_round.work(at_once=1)

    ask_for_undo(bulk_id, reviewer)
    work()

    assert status_of(*ids) == [Status.PENDING] * 3
    assert bulk.progress(found(bulk_id)) == bulk.Progress(total=3, done=1, refused=2)
    assert set(told(bulk_id).values()) == {"It was stopped before it came to this person."}
    assert len(entries(Action.APPROVED)) == 1


def test_asked_again_the_undo_is_the_one_that_there_is(people, reviewer, app):
    bulk_id = ask(Deed.APPROVAL, people.crowd(1), reviewer)
    work()

    assert ask_for_undo(bulk_id, reviewer) == ask_for_undo(bulk_id, reviewer)


def test_when_the_time_is_over_undoing_is_refused(people, reviewer, app):
    bulk_id = ask(Deed.APPROVAL, people.crowd(1), reviewer)
    work()

    with (
        time_machine.travel(clock.now() + timedelta(seconds=11)),
        pytest.raises(StepRefused, match="too late"),
    ):
        ask_for_undo(bulk_id, reviewer)


def test_mails_again_cannot_be_undone(people, reviewer, app):
    bulk_id = ask(Deed.CONFIRMATION_MAIL, people.crowd(1, confirmed=False), reviewer)
    work()

    with pytest.raises(StepRefused, match="no decision"):
        ask_for_undo(bulk_id, reviewer)


def test_what_was_decided_anew_since_is_not_undone(people, reviewer, app):
    ids = people.crowd(2)
    bulk_id = ask(Deed.REJECTION, ids, reviewer, reason="No room")
    work()
    by = db.session.get_one(User, reviewer.id)
    step(ids[0], lambda user: undo(user, by=by))
    step(ids[0], lambda user: approve(user, by=by, level=level("standard")))

    undo_id = ask_for_undo(bulk_id, reviewer)
    work()

    assert status_of(*ids) == [Status.APPROVED, Status.PENDING]
    assert bulk.progress(found(undo_id)) == bulk.Progress(total=1, done=1, refused=0)
    assert letters_to(ids[0])[-1:] == ["welcome"]


def test_a_letter_that_a_worker_has_taken_up_keeps_its_decision(people, reviewer, app):
    ids = people.crowd(2)
    bulk_id = ask(Deed.APPROVAL, ids, reviewer)
    work()
    taken = next(mail for mail in outbox.waiting() if mail.kind == "welcome")
    with transaction():
        taken.due_at = clock.now()
    assert lease.take(taken.id) is not None

    undo_id = ask_for_undo(bulk_id, reviewer)
    work()

    assert "on its way" in told(undo_id)[taken.user_id]
    assert sorted(status_of(*ids)) == [Status.APPROVED, Status.PENDING]


def test_whoever_lost_their_role_meanwhile_decides_about_nobody(
    people, reviewer, administrator, app
):
    ids = people.crowd(1)
    bulk_id = ask(Deed.APPROVAL, ids, reviewer)
    by = db.session.get_one(User, administrator.id)
    step(reviewer.id, lambda user: roles.change_roles(user, to=[], by=by))

    work()

    assert "may no longer decide" in told(bulk_id)[ids[0]]
    assert status_of(*ids) == [Status.PENDING]
    assert found(bulk_id).finished_at is not None


def test_a_power_cut_in_the_middle_of_a_batch_leaves_nobody_half_done(people, reviewer, app):
    ids = people.crowd(4)
    bulk_id = ask(Deed.APPROVAL, ids, reviewer)
    bulk_round.work(at_once=1)

    def power_cut() -> None:
        raise KeyboardInterrupt

    with (
        before(lambda statement: statement.startswith("INSERT INTO decisions"), power_cut),
        pytest.raises(KeyboardInterrupt),
    ):
        bulk_round.work()
    db.session.expire_all()
    assert sorted(status_of(*ids)) == [Status.APPROVED] + [Status.PENDING] * 3
    work()

    assert bulk.progress(found(bulk_id)) == bulk.Progress(total=4, done=4, refused=0)
    assert len(entries(Action.APPROVED)) == 4
    assert [letters_to(user_id).count("welcome") for user_id in ids] == [1] * 4


def test_a_bulk_that_another_worker_is_at_is_left_to_it(people, reviewer, app):
    if db.engine.dialect.name == "sqlite":
        pytest.skip("there nobody writes beside somebody else")
    ids = people.crowd(1)
    bulk_id = ask(Deed.APPROVAL, ids, reviewer)

    with db.engine.connect() as another:
        another.execute(select(Bulk.id).where(Bulk.id == bulk_id).with_for_update(key_share=True))
        is_more = bulk_round.work()

    assert not is_more
    assert status_of(*ids) == [Status.PENDING]
    work()
    assert status_of(*ids) == [Status.APPROVED]


def test_a_bulk_that_cannot_be_read_holds_up_no_other(people, reviewer, app):
    """A newer portal may have written it, before somebody went back to this one."""
    first, second = people.crowd(2)
    unreadable = ask(Deed.REJECTION, [first], reviewer, reason="No room")
    with transaction():
        found(unreadable).details = {"reason": "No room", "in": "verse"}
    ask(Deed.APPROVAL, [second], reviewer)

    work()

    assert status_of(first, second) == [Status.PENDING, Status.APPROVED]
    assert "The portal failed at this." in told(unreadable)[first]


def test_no_letter_comes_late_of_what_colleagues_took_back_one_by_one(people, reviewer, app):
    """The letters of a bulk wait for its end; those of a colleague's step do not."""
    by = people.staff("administrator")
    reopened, other, suspended = people.crowd(3)

    ask(Deed.REJECTION, [reopened, other], reviewer, reason="No room")
    bulk_round.work(at_once=1)
    step(reopened, lambda user: reopen(user, by=by))
    step(reopened, lambda user: approve(user, by=by, level=level("standard")))
    work()
    ask(Deed.APPROVAL, [suspended], reviewer)
    bulk_round.work(at_once=1)
    step(suspended, lambda user: suspend(user, by=by, reason="A mistake"))
    work()

    decided = ("rejected", "welcome", "suspended")
    assert [kind for kind in letters_to(reopened) if kind in decided] == ["welcome"]
    assert [kind for kind in letters_to(suspended) if kind in decided] == ["suspended"]


def test_a_database_that_is_busy_for_a_moment_only_costs_that_moment(people, reviewer, app):
    ids = people.crowd(2)
    bulk_id = ask(Deed.APPROVAL, ids, reviewer)

    def busy() -> None:
        raise OperationalError("", {}, Exception("database is locked"))

    with before(lambda statement: statement.startswith("INSERT INTO decisions"), busy):
        work()

    assert bulk.progress(found(bulk_id)) == bulk.Progress(total=2, done=2, refused=0)
    assert len(entries(Action.APPROVED)) == 2


def test_one_account_that_cannot_be_written_to_fails_alone(people, reviewer, app, caplog):
    ids = people.crowd(5)
    bulk_id = ask(Deed.APPROVAL, ids, reviewer)
    with transaction():  # what no step leaves behind
        db.session.execute(update(User).where(User.id == ids[3]).values(email="no address"))

    work()

    assert status_of(*ids) == [Status.APPROVED] * 3 + [Status.PENDING] + [Status.APPROVED]
    assert "The portal failed at this." in told(bulk_id)[ids[3]]
    assert len(entries(Action.APPROVED)) == 4
    assert f"failed on account {ids[3]}" in caplog.text


def test_whoever_changed_while_the_letters_were_written_gets_a_fresh_one(people, reviewer, app):
    ids = people.crowd(2)
    ask(Deed.APPROVAL, ids, reviewer)

    def move_away() -> None:
        with db.engine.connect() as elsewhere:
            elsewhere.execute(
                update(User).where(User.id == ids[0]).values(email="elsewhere@example.org")
            )
            elsewhere.commit()

    with before(lambda told: "BEGIN IMM" in told or "SKIP LOCKED" in told, move_away):
        work()

    mails = [mail for mail in outbox.waiting() if mail.kind == "welcome"]
    assert {mail.user_id: mail.recipient for mail in mails} == {
        ids[0]: "elsewhere@example.org",
        ids[1]: db.session.get_one(User, ids[1]).email,
    }


def test_fresh_links_go_to_who_has_not_confirmed_each_with_a_code_that_works(
    people: People, reviewer, app
):
    ids = people.crowd(3, confirmed=False)
    waiting = people.crowd(1)
    silent = db.session.get_one(User, ids[2])
    with transaction():
        silence.silence(silent.email or "", "confirmation")

    with time_machine.travel(clock.now() + timedelta(hours=1), tick=False):
        bulk_id = ask(Deed.CONFIRMATION_MAIL, [*ids, *waiting], reviewer)
        work()
        again = ask(Deed.CONFIRMATION_MAIL, ids[:1], reviewer)
        work()
        codes = {
            mail.user_id: mail_code(mail)
            for mail in outbox.waiting()
            if mail.kind == "confirmation" and mail.posted_at == clock.now()
        }
        works = {}
        for user_id, mailed in codes.items():
            with transaction():
                user = db.session.get_one(User, user_id)
                works[user_id] = code.check(user, Purpose.CONFIRMATION, mailed)

    assert works == {ids[0]: True, ids[1]: True}
    assert set(told(bulk_id)) == {ids[2], *waiting}
    assert "wants no more such mail" in told(bulk_id)[ids[2]]
    assert "Wait" in told(again)[ids[0]]
    assert [entry.about_id for entry in entries(Action.CONFIRMATION_RESENT)] == ids[:2]


def mail_code(mail: Mail) -> str:
    """The six digits in a confirmation mail."""
    assert mail.body is not None
    found = re.search(r"^\s*(\d{6})\s*$", unseal(mail.body).text, re.MULTILINE)
    assert found, unseal(mail.body).text
    return found.group(1)


def test_nobody_and_too_many_and_a_level_beyond_ones_own_are_refused(people, reviewer, app):
    (ada,) = people.crowd(1)

    for ids, named, sentence in (
        ([], "standard", "Tick at least one row"),
        (list(range(bulk.MOST + 1)), "standard", "more than 5000"),
        ([ada], "extended", "may not give"),
    ):
        with pytest.raises(StepRefused, match=sentence):
            ask(Deed.APPROVAL, ids, reviewer, level=level(named))

    assert entries(Action.BULK_ASKED) == []


def test_what_ended_long_ago_is_forgotten_and_what_it_decided_stays(people, reviewer, app):
    ids = people.crowd(1)
    bulk_id = ask(Deed.APPROVAL, ids, reviewer)
    work()

    with time_machine.travel(clock.now() + timedelta(days=31)), transaction():
        bulk_asking.purge()

    db.session.expire_all()
    assert db.session.get(Bulk, bulk_id) is None
    assert db.session.scalars(select(BulkItem)).all() == []
    assert decision.last(db.session.get_one(User, ids[0])) is not None
