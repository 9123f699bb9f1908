"""Undo: while its mail waits, a decision is taken back as if it had not been (B4)."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from portal import clock, notifications
from portal.accounts.approval import approve, reject
from portal.accounts.erasure import erase
from portal.accounts.user import Status, User
from portal.audit import Action
from portal.database import db, locked, transaction
from portal.desk import bulk_asking, bulk_round, decision, queue
from portal.desk.bulk import Deed
from portal.desk.memory import Fingerprint
from portal.desk.queue import Tab
from portal.desk.undo import undo
from portal.errors import StepRefused
from portal.mail import delivery, lease, outbox
from portal.mail.mail import Mail
from portal.notifications import Kind
from tests.admin_views.panel import entries
from tests.crowd import together
from tests.people import level

pytestmark = pytest.mark.both_databases(everyday="postgresql")


def mails_to(user: User) -> list[str]:
    db.session.expire_all()
    return [mail.kind for mail in outbox.waiting() if mail.user_id == user.id]


def decide(user: User, by: User, *, rejected: bool = False) -> None:
    with transaction():
        found = locked(User, user.id)
        assert found is not None
        if rejected:
            reject(found, by=by, reason="No room")
        else:
            approve(found, by=by, level=level("standard"))


def take_back(user: User, by: User) -> None:
    with transaction():
        found = locked(User, user.id)
        assert found is not None
        undo(found, by=by)


def anew(user: User) -> User:
    db.session.expire_all()
    return db.session.get_one(User, user.id)


def test_an_approval_is_taken_back_with_its_mail(a_user, reviewer):
    user = a_user(confirmed=True)
    waited_since = user.review.waiting_since
    decide(user, reviewer)
    assert "welcome" in mails_to(user)

    take_back(user, reviewer)

    found = anew(user)
    assert (found.status, found.access_level) == (Status.PENDING, None)
    assert found.review.waiting_since == waited_since
    assert "welcome" not in mails_to(user)
    (waits,) = notifications.unsettled(9)[Kind.NEW_REGISTRATION]
    assert waits.about_id == user.id
    assert entries(Action.DECISION_UNDONE)[0].details == {"verdict": "approved"}


def test_a_rejection_is_taken_back_with_its_mail_and_its_fingerprints(a_user, reviewer):
    user = a_user(confirmed=True)
    decide(user, reviewer, rejected=True)
    assert db.session.scalars(db.select(Fingerprint)).all()

    take_back(user, reviewer)

    found = anew(user)
    assert (found.status, found.rejection_reason) == (Status.PENDING, "")
    assert "rejected" not in mails_to(user)
    assert db.session.scalars(db.select(Fingerprint)).all() == []


def test_what_was_undone_can_be_decided_anew(a_user, reviewer):
    user = a_user(confirmed=True)
    decide(user, reviewer, rejected=True)
    take_back(user, reviewer)

    decide(user, reviewer)

    assert anew(user).status is Status.APPROVED
    assert mails_to(user)[-1:] == ["welcome"]
    last = decision.last(anew(user))
    assert last is not None
    assert last.verdict == "approved"


def test_the_mail_waits_for_as_long_as_the_decision_can_be_undone(a_user, reviewer):
    user = a_user(confirmed=True)
    decide(user, reviewer)
    mail = next(mail for mail in outbox.waiting() if mail.kind == "welcome")

    assert lease.take(mail.id) is None

    with time_machine.travel(clock.now() + timedelta(seconds=11)):
        assert lease.take(mail.id) is not None


def test_when_the_time_is_over_undoing_is_refused(a_user, reviewer):
    user = a_user(confirmed=True)
    decide(user, reviewer)

    with (
        time_machine.travel(clock.now() + timedelta(seconds=11)),
        pytest.raises(StepRefused, match="too late"),
    ):
        take_back(user, reviewer)

    assert anew(user).status is Status.APPROVED


def test_a_mail_that_a_worker_has_taken_up_is_not_called_back(a_user, reviewer, app):
    user = a_user(confirmed=True)
    decide(user, reviewer)
    mail = next(mail for mail in outbox.waiting() if mail.kind == "welcome")
    with transaction():
        mail.due_at = clock.now()
    assert lease.take(mail.id) is not None

    with pytest.raises(StepRefused, match="on its way"):
        take_back(user, reviewer)

    assert anew(user).status is Status.APPROVED


def test_undoing_twice_is_refused_because_nothing_is_decided(a_user, reviewer):
    user = a_user(confirmed=True)
    decide(user, reviewer)
    take_back(user, reviewer)

    with pytest.raises(StepRefused, match="no decision"):
        take_back(user, reviewer)


def test_of_two_who_undo_at_once_one_does(a_user, reviewer, manager, app):
    user_id = a_user(confirmed=True).id
    decide(anew_id(user_id), reviewer)
    by = [reviewer.id, manager.id]

    def one(by_id):
        def deed():
            with app.app_context():
                try:
                    take_back(db.session.get_one(User, user_id), db.session.get_one(User, by_id))
                except StepRefused:
                    return "refused"
                finally:
                    db.session.remove()
                return "undone"

        return deed

    assert sorted(together(one(by_id) for by_id in by)) == ["refused", "undone"]
    assert len(entries(Action.DECISION_UNDONE)) == 1


def anew_id(user_id: int) -> User:
    return db.session.get_one(User, user_id)


def test_nobody_undoes_a_decision_about_themselves(a_user, reviewer):
    user = a_user(confirmed=True)
    decide(user, reviewer)

    with pytest.raises(StepRefused, match="your own account"):
        take_back(user, user)


def test_delivering_leaves_what_can_be_undone_where_it_is(a_user, reviewer, app):
    user = a_user(confirmed=True)
    decide(user, reviewer)

    delivery.deliver_due(within=timedelta(seconds=5))

    assert mails_to(user) == ["welcome"]


def test_who_was_erased_after_a_rejection_without_a_mail_does_not_come_back(a_user, reviewer):
    user = a_user(confirmed=True)
    with transaction():
        reject(locked(User, user.id), by=reviewer, tell=False)
    with transaction():
        erase(locked(User, user.id), by=None)

    with pytest.raises(StepRefused, match="no decision to undo"):
        take_back(user, reviewer)

    assert anew(user).status is Status.ERASED
    assert queue.ids(Tab.READY, most=9) == []


def test_nobody_hurries_a_letter_past_the_time_in_which_it_can_be_undone(a_user, reviewer, manager):
    user = a_user(confirmed=True)
    decide(user, reviewer)
    letter = next(mail for mail in outbox.waiting() if mail.kind == "welcome")

    with pytest.raises(StepRefused, match="can be undone"), transaction():
        outbox.retry(db.session.get_one(Mail, letter.id), by=db.session.merge(manager))

    take_back(user, reviewer)
    assert "welcome" not in mails_to(user)


def test_nobody_hurries_the_letters_of_a_bulk_that_runs(people, reviewer, manager):
    with transaction():
        bulk_asking.ask(
            Deed.APPROVAL, people.crowd(2), by=db.session.merge(reviewer), level=level("standard")
        )
    bulk_round.work(at_once=1)
    letter = next(mail for mail in outbox.waiting() if mail.kind == "welcome")

    with pytest.raises(StepRefused, match="wait until all is done"), transaction():
        outbox.retry(db.session.get_one(Mail, letter.id), by=db.session.merge(manager))


def test_whoever_was_erased_meanwhile_is_not_among_what_can_be_undone(a_user, reviewer):
    ada, eve = a_user(confirmed=True), a_user(confirmed=True)
    decide(ada, reviewer, rejected=True)
    decide(eve, reviewer, rejected=True)
    with transaction():
        erase(locked(User, ada.id), by=None)

    found = decision.undoable(by=db.session.get_one(User, reviewer.id))

    assert [each.user_id for each in found] == [eve.id]
