"""Notes: colleagues tell each other about an account, and whoever is mentioned is told."""

from __future__ import annotations

import pytest

from portal import notifications
from portal.accounts.erasure import erase
from portal.accounts.user import User
from portal.audit import Action
from portal.database import db, locked, transaction
from portal.desk import note, review, waiting
from portal.desk.note import LONGEST, Note
from portal.desk.waiting import Waiting
from portal.errors import AlreadyDecided, StepRefused
from portal.mail import outbox
from portal.notifications import Kind
from portal.paging import PER_PAGE
from tests.admin_views.panel import entries
from tests.crowd import together

pytestmark = pytest.mark.both_databases(everyday="sqlite")


def write(user: User, by: User, text: str = "She called, all is well.") -> Note:
    with transaction():
        return note.write(locked(User, user.id), by=by, text=text)


def mentioned(whom: User) -> list[int]:
    db.session.expire_all()
    return [each.about_id for each in notifications.unseen(whom, 9)]


def test_a_note_is_kept_with_who_wrote_it_and_stands_in_the_trail_without_its_text(
    a_user, reviewer
):
    ada = a_user(confirmed=True)
    before = len(outbox.waiting())

    write(ada, reviewer, "  She called.\nAll is well. ")

    (written,) = note.page(ada).rows
    assert (written.text, written.by.id) == ("She called.\nAll is well.", reviewer.id)
    assert [(entry.by_id, entry.details) for entry in entries(Action.NOTED)] == [(reviewer.id, {})]
    assert len(outbox.waiting()) == before


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@ada", {"ada"}),
        ("Ask @Ada.", {"ada"}),
        ("(@ada, @g.hopper-2)", {"ada", "g.hopper-2"}),
        ("@ada_l: look", {"ada_l"}),
        ("ada@example.org", set()),
        ("x.@ada @@ada @ ada @ada@example.org", set()),
        ("@" + "a" * 40, set()),
    ],
)
def test_a_mention_is_a_username_after_a_sign_that_belongs_to_no_address(text, names):
    assert note.mentions(text) == names


def test_a_mention_is_before_that_colleague_alone_until_they_have_seen_it(a_user, people):
    ada, by, grace, other = a_user(), *(people.staff("reviewer") for _ in range(3))

    write(ada, by, f"What do you think, @{grace.username}?")

    assert (mentioned(grace), mentioned(other), mentioned(by)) == ([ada.id], [], [])
    assert waiting.counts(Waiting.MENTIONS, whom=grace) == {Waiting.MENTIONS: 1}
    assert notifications.unsettled(9) == {}
    with transaction():
        notifications.see(ada, Kind.MENTION, grace)
        notifications.see(ada, Kind.MENTION, grace)
    assert mentioned(grace) == []


def test_whoever_is_mentioned_twice_sees_it_once_as_new_as_the_last(a_user, people):
    ada, by, grace = a_user(), people.staff("reviewer"), people.staff("manager")
    write(ada, by, f"@{grace.username}")
    (first,) = notifications.unseen(grace, 9)
    raised_at = first.raised_at

    write(ada, by, f"@{grace.username}!")

    (waits,) = notifications.unseen(grace, 9)
    assert waits.raised_at > raised_at


def test_an_answer_by_note_counts_as_seen(a_user, people):
    ada, by, grace = a_user(), people.staff("reviewer"), people.staff("reviewer")
    write(ada, by, f"@{grace.username}")

    write(ada, grace, f"Yes, @{by.username} and I, @{grace.username}, met her.")

    assert (mentioned(grace), mentioned(by)) == ([], [ada.id])


def test_nobody_is_mentioned_who_may_not_see_the_account(a_user, reviewer):
    ada, member = a_user(), a_user(approved=True)

    write(ada, reviewer, f"@{member.username} @nobody-here @{ada.username}")

    assert mentioned(member) == mentioned(ada) == []


def test_one_of_several_notes_about_oneself_can_be_removed(reviewer):
    first, second = write(reviewer, reviewer, "First"), write(reviewer, reviewer, "Second")
    db.session.expire_all()

    with transaction():
        note.remove(locked(Note, first.id), by=db.session.get_one(User, reviewer.id))

    assert [each.id for each in note.page(reviewer).rows] == [second.id]


def test_ones_own_note_can_be_removed_and_its_mentions_with_it(a_user, people):
    ada, by, grace, joan = a_user(), *(people.staff("reviewer") for _ in range(3))
    written = write(ada, by, f"@{grace.username} @{joan.username}")
    write(ada, by, f"@{joan.username}")

    with transaction():
        note.remove(db.session.get_one(Note, written.id), by=by)

    assert len(note.page(ada).rows) == 1
    assert (mentioned(grace), mentioned(joan)) == ([], [ada.id])
    assert [entry.by_id for entry in entries(Action.NOTE_REMOVED)] == [by.id]


def test_a_mention_in_the_oldest_of_many_notes_stays_when_another_is_removed(a_user, people):
    ada, by, grace = a_user(), people.staff("reviewer"), people.staff("reviewer")
    write(ada, by, f"@{grace.username}")
    with transaction():
        user, author = locked(User, ada.id), db.session.get_one(User, by.id)
        for number in range(PER_PAGE):
            note.write(user, by=author, text=f"Number {number}")
    written = write(ada, by, f"@{grace.username}")

    with transaction():
        note.remove(locked(Note, written.id), by=db.session.get_one(User, by.id))

    assert mentioned(grace) == [ada.id]


def test_a_colleagues_note_stays(a_user, people):
    ada, by, other = a_user(), people.staff("reviewer"), people.staff("administrator")
    written = write(ada, by)

    with pytest.raises(StepRefused, match="whoever wrote"), transaction():
        note.remove(db.session.get_one(Note, written.id), by=other)

    assert len(note.page(ada).rows) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [(" \n ", "Write the note"), ("x" * (LONGEST + 1), "Shorten")],
)
def test_nothing_and_too_much_are_refused(a_user, reviewer, text, sentence):
    with pytest.raises(StepRefused, match=sentence):
        write(a_user(), reviewer, text)


def test_notes_go_with_the_person_and_so_does_what_mentions_raised(a_user, people):
    ada, by, grace = a_user(confirmed=True), people.staff("reviewer"), people.staff("reviewer")
    write(ada, by, f"@{grace.username}")

    with transaction():
        erase(locked(User, ada.id), by=None)

    assert not note.page(ada).rows
    assert mentioned(grace) == []
    with pytest.raises(StepRefused, match="erased"):
        write(ada, by)


def test_nobody_decides_before_they_have_read_a_colleagues_new_note(a_user, people):
    ada, by = a_user(confirmed=True), people.staff("reviewer")
    seen = ada.review.version

    write(ada, by, "Not before Monday!")

    with pytest.raises(AlreadyDecided, match="Note written"):
        review.must_be_as_seen(db.session.get_one(User, ada.id), seen)


def test_of_notes_removed_at_the_same_moment_each_counts_in_what_reviewers_decide_from(
    a_user, reviewer, app
):
    ada = a_user(confirmed=True)
    notes = [write(ada, reviewer, f"Note {number}").id for number in range(6)]
    db.session.expire_all()
    ada_id, reviewer_id = ada.id, reviewer.id
    before = db.session.get_one(User, ada_id).review.version

    def remove(note_id):
        def deed():
            with app.app_context(), transaction():
                by = db.session.get_one(User, reviewer_id)
                note.remove(db.session.get_one(Note, note_id), by=by)

        return deed

    together([remove(note_id) for note_id in notes])

    db.session.expire_all()
    assert db.session.get_one(User, ada_id).review.version == before + len(notes)
