"""Approval (M9's steps): one decision stands, whoever else decides at the same moment."""

import pytest
from sqlalchemy import func, select

from portal.accounts import erasure
from portal.accounts.approval import approve, reject, reopen
from portal.accounts.suspension import reinstate, suspend
from portal.accounts.user import Status, User
from portal.audit import Action, AuditEntry
from portal.database import db, locked, transaction
from portal.errors import AlreadyDecided, StepRefused
from portal.mail import outbox
from portal.notifications import Notification
from tests.crowd import together
from tests.people import level


def count(action: Action) -> int:
    query = select(func.count()).select_from(AuditEntry).filter_by(action=action.value)
    return db.session.scalar(query) or 0


def kinds_of_mail() -> list[str]:
    return [mail.kind for mail in outbox.waiting()]


def decide_at_once(app, user, deciders):
    """Let several members of staff decide at the very same moment; what each was told."""

    def decision(step, staff_id):
        def decide():
            with app.app_context():
                try:
                    with transaction():
                        step(locked(User, user_id), db.session.get(User, staff_id))
                except AlreadyDecided as told:
                    return str(told)
                return "done"

        return decide

    user_id = user.id  # read here: threads share no session
    decisions = [decision(step, staff.id) for step, staff in deciders]
    told = together(decisions)
    db.session.expire_all()
    return told


def to_approve(at):
    return lambda user, by: approve(user, by=by, level=level(at))


def to_reject(reason):
    return lambda user, by: reject(user, by=by, reason=reason)


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "steps",
    [
        (to_approve("standard"), to_reject("No room")),
        (to_approve("standard"), to_approve("guest")),
        (to_reject("No room"), to_reject("Too vague")),
    ],
    ids=["approve or reject", "two levels", "two reasons"],
)
def test_two_who_decide_at_once_make_one_decision_and_the_other_is_told_who(
    app, a_user, people, steps
):
    ada = a_user(confirmed=True)
    staff = [people.staff("manager"), people.staff("manager")]
    names = {member.full_name for member in staff}

    told = decide_at_once(app, ada, zip(steps, staff, strict=True))

    assert sorted(told)[0] != "done"
    assert told.count("done") == 1
    refusal = next(sentence for sentence in told if sentence != "done")
    assert any(name in refusal for name in names)
    assert count(Action.APPROVED) + count(Action.REJECTED) == 1
    assert len([kind for kind in kinds_of_mail() if kind in ("welcome", "rejected")]) == 1
    settled = (
        select(func.count()).select_from(Notification).where(Notification.settled_at.is_(None))
    )
    assert db.session.scalar(settled) == 0


@pytest.mark.both_databases
def test_many_who_decide_the_same_at_once_decide_once(app, a_user, people):
    ada = a_user(confirmed=True)
    staff = [people.staff("reviewer") for _ in range(6)]

    told = decide_at_once(app, ada, [(to_approve("standard"), member) for member in staff])

    assert told == ["done"] * 6
    assert count(Action.APPROVED) == 1
    assert kinds_of_mail().count("welcome") == 1


@pytest.mark.long
@pytest.mark.both_databases
def test_a_hundred_rounds_of_two_deciding_end_in_a_hundred_decisions(app, a_user, people):
    staff = [people.staff("manager"), people.staff("manager")]

    for _ in range(100):
        ada = a_user(confirmed=True)
        told = decide_at_once(
            app, ada, zip((to_approve("standard"), to_reject("No room")), staff, strict=True)
        )
        assert told.count("done") == 1
        assert ada.status in (Status.APPROVED, Status.REJECTED)


def test_staff_who_came_by_invitation_cannot_be_decided_again(people, administrator):
    """Nobody approved them: the sentence says so instead of failing."""
    grace = people.staff("reviewer")

    with pytest.raises(AlreadyDecided, match="the portal"):
        reject(grace, by=administrator)
    with pytest.raises(AlreadyDecided, match="the portal"):
        approve(grace, by=administrator, level=level("guest"))


def test_who_decided_is_still_said_after_their_account_was_erased(a_user, people, administrator):
    grace, ada = people.staff("reviewer"), a_user(confirmed=True)
    with transaction():
        approve(ada, by=grace, level=level("standard"))
    with transaction():
        suspend(grace, by=administrator)
        erasure.erase(grace, by=administrator)

    with pytest.raises(AlreadyDecided, match="erased") as refused:
        reject(ada, by=administrator)

    assert not str(refused.value).startswith(" ")


@pytest.mark.parametrize("facts", [{}, {"suspended": True}], ids=["unconfirmed", "suspended"])
def test_no_step_is_skipped(a_user, reviewer, facts):
    user = a_user(**facts)

    with pytest.raises(StepRefused):
        approve(user, by=reviewer, level=level("guest"))
    with pytest.raises(StepRefused):
        reopen(user, by=reviewer)
    with pytest.raises(StepRefused):
        reinstate(a_user(confirmed=True), by=reviewer)


def test_an_unconfirmed_registration_is_rejected_without_a_mail(a_user, reviewer):
    """Nobody proved that the address is theirs: a stranger would read the reason."""
    user = a_user(email="eve@example.org")

    with transaction():
        reject(user, by=reviewer, reason="Spam")

    assert user.status is Status.REJECTED
    assert [m.kind for m in outbox.waiting() if m.recipient == "eve@example.org"] == [
        "confirmation"
    ]


def test_spam_is_rejected_in_silence_and_the_trail_says_so(a_user, reviewer):
    user = a_user(confirmed=True)

    with transaction():
        reject(user, by=reviewer, reason="Spam", tell=False)

    entry = db.session.scalars(select(AuditEntry).filter_by(action=Action.REJECTED)).one()
    assert entry.details == {"reason": "Spam", "told": False}
    assert "rejected" not in kinds_of_mail()


def test_reopening_raises_the_notification_again(a_user, reviewer):
    user = a_user(rejected="Too vague")
    open_ones = select(Notification.about_id).where(Notification.settled_at.is_(None))
    assert db.session.scalars(open_ones).all() == []

    with transaction():
        reopen(user, by=reviewer)

    assert db.session.scalars(open_ones).all() == [user.id]


def test_an_unconfirmed_rejection_that_is_reopened_waits_for_its_confirmation(a_user, reviewer):
    user = a_user()
    with transaction():
        reject(user, by=reviewer)
    with transaction():
        reopen(user, by=reviewer)

    assert user.status is Status.UNCONFIRMED
    assert db.session.scalars(select(Notification)).all() == []
