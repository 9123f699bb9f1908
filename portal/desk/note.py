"""Notes: what colleagues tell each other about an account, and whom they mention."""

from __future__ import annotations

import re
from datetime import datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import ForeignKey, Index, Text, select
from sqlalchemy.orm import Mapped, joinedload, mapped_column, raiseload, relationship

from portal import audit, canonical, clock, notifications
from portal.accounts.permissions import Permission
from portal.accounts.roles import staff_with
from portal.accounts.user import Status, User
from portal.audit import Action
from portal.database import Model, UtcDateTime, db, locked
from portal.errors import StepRefused
from portal.notifications import Kind
from portal.paging import PER_PAGE, Keyset, Page

LONGEST = 2000

# A username after an @ that no word or address goes before; a full stop may end the sentence.
_MENTION = re.compile(
    r"(?<![\w.@-])@([A-Za-z0-9](?:[A-Za-z0-9._-]{0,30}[A-Za-z0-9])?)(?![A-Za-z0-9@])"
)


class Note(Model):
    """One note about an account, for staff alone. It goes with the person's data."""

    __tablename__ = "notes"
    __table_args__ = (
        Index("ix_notes_user_id_at_id", "user_id", "at", "id"),
        Index("ix_notes_by_id", "by_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    by_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    text: Mapped[str] = mapped_column(Text)

    user: Mapped[User] = relationship("User", foreign_keys=[user_id], lazy="raise")
    by: Mapped[User] = relationship("User", foreign_keys=[by_id], lazy="raise")


def write(user: User, *, by: User, text: str) -> Note:
    """Write a note about somebody for colleagues, who never show it to the person.

    Whoever it mentions as `@username`, and may see the account, has it before them until they
    have seen it. Whoever writes has seen what they were mentioned for.

    Raises:
        StepRefused: the account is erased; nothing is written, or too much.
    """
    if user.status is Status.ERASED:
        raise StepRefused(_l("This account was erased."))
    if not text.strip():
        raise StepRefused(_l("Write the note."), field="text")
    if len(text.strip()) > LONGEST:
        raise StepRefused(_l("Shorten this to %(most)s characters.", most=LONGEST), field="text")

    note = Note(user=user, by=by, at=clock.now(), text=text.strip())
    db.session.add(note)
    if user.review is not None:
        user.review.change()
    audit.record(Action.NOTED, about=user, by=by)
    notifications.see(user, Kind.MENTION, by)
    for colleague in _staff_named(mentions(note.text)):
        if colleague.id not in (by.id, user.id):
            notifications.raise_for_one(user, Kind.MENTION, colleague)
    return note


def is_readable(user: User, *, by: User) -> bool:
    """Whether this member of staff may read the notes about somebody: not those about oneself."""
    return user.id != by.id


def remove(note: Note, *, by: User) -> None:
    """Take one's own note back; whom it alone mentioned is not bothered any more.

    The account is locked first, as by every other step, so that of two changes at the same
    moment each counts in the version that reviewers decide from.

    Raises:
        StepRefused: a colleague wrote it, or it was removed at the same moment.
    """
    must_be_removable(note, by=by)

    user = locked(User, note.user_id)
    if user is None or locked(Note, note.id) is None:
        raise StepRefused(_l("Somebody removed this meanwhile."))
    before = mentions(note.text)
    review = user.review  # before the notes: their query leaves out what hangs on people
    db.session.delete(note)
    db.session.flush()
    mentioning = select(Note.text).where(Note.user_id == user.id, Note.text.contains("@"))
    left = mentions(" ".join(db.session.scalars(mentioning)))
    if review is not None:
        review.change()
    audit.record(Action.NOTE_REMOVED, about=user, by=by)
    for colleague in _staff_named(before - left):
        notifications.see(user, Kind.MENTION, colleague)


def must_be_removable(note: Note, *, by: User) -> None:
    """Refuse to remove a note.

    Raises:
        StepRefused: a colleague wrote it.
    """
    if note.by_id != by.id:
        raise StepRefused(_l("Only whoever wrote a note can remove it."))


def page(user: User, *, cursor: str = "", per_page: int = PER_PAGE) -> Page[Note]:
    """The notes about somebody, the newest first, each with who wrote it. One query."""
    keyset = Keyset(Note.at, Note.id, descending=True, cursor=cursor, per_page=per_page)
    return keyset.page(
        select(Note)
        .where(Note.user_id == user.id)
        .options(joinedload(Note.by).options(raiseload("*")))
    )


def mentions(text: str) -> set[str]:
    """The usernames that a text mentions, in the spelling that is unique; nobody need have them."""
    return {canonical.username(name) for name in _MENTION.findall(text)}


def unknown(text: str) -> list[str]:
    """Whom a text mentions though no colleague who may see accounts goes by that name."""
    names = mentions(text)
    return sorted(names - {str(each.username_canonical) for each in _staff_named(names)})


def _staff_named(names: set[str]) -> list[User]:
    """Those of these names who may see accounts."""
    if not names:
        return []
    return [each for each in staff_with(Permission.REVIEW) if each.username_canonical in names]
