"""Deeds: how each step is taken on many people, with what they share asked and written once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import selectinload

from portal.accounts import approval, code, confirmation
from portal.accounts.access import AccessLevel
from portal.accounts.code import Purpose
from portal.accounts.user import Status, User
from portal.database import db
from portal.desk import decision, standard_text, undo
from portal.desk.bulk import Bulk, Deed
from portal.desk.decision import Decision
from portal.errors import StepRefused, why_not
from portal.mail import messages, outbox, silence
from portal.mail.mail import Mail


class Work:
    """One step as it is taken on many people by one member of staff.

    `by` is asked for once nothing changes any more: letters are written before.
    """

    by: User

    def loads(self) -> Sequence[Any]:
        """What it reads of a person besides what every step does."""
        return ()

    def guard(self, user: User) -> None:
        """Refuse what the step would refuse.

        Raises:
            StepRefused: it may not be taken on this person.
        """
        raise NotImplementedError

    def letter(self, user: User) -> Mail | None:
        """What this person will be mailed, sealed before the transaction; None for nothing."""
        return None

    def begin(self, users: Sequence[User]) -> None:
        """Ask for all of them what the step would ask for each. They are locked now."""

    def take(self, user: User, letter: Mail | None) -> Decision | None:
        """Take the step on one of them.

        Raises:
            StepRefused: it may not be taken on this person.
        """
        raise NotImplementedError

    def end(self) -> None:
        """Write for all on whom it was taken what the step would write for each."""


class Approving(Work):
    """Letting people in at a level."""

    def __init__(self, level: AccessLevel | None) -> None:
        self.level = level

    def guard(self, user: User) -> None:
        """Refuse whom no level could be given."""
        approval.must_be_approvable(user, by=self.by)

    def letter(self, user: User) -> Mail | None:
        """The welcome of those who wait."""
        if user.status is not Status.PENDING or self.level is None:
            return None
        return outbox.sealed(messages.welcome(user, self.level))

    def take(self, user: User, letter: Mail | None) -> Decision | None:
        """Approve, unless a colleague did, which is said."""
        if self.level is None:
            raise StepRefused(_l("The access level was removed meanwhile."))
        self.guard(user)
        return approval.approve(user, by=self.by, level=self.level, letter=letter)


class Rejecting(Work):
    """Not letting people in, for one reason, which each may read in their language."""

    def __init__(
        self, reason: str, *, tell: bool, variants: Mapping[str, str] | None = None
    ) -> None:
        self.reason = reason
        self.variants = variants
        self.tell = tell

    def guard(self, user: User) -> None:
        """Refuse who is decided already."""
        approval.must_be_rejectable(user, by=self.by)

    def letter(self, user: User) -> Mail | None:
        """The reason, to those who are told."""
        if not self.tell or not approval.is_told(user):
            return None
        return outbox.sealed(messages.rejected(user, self._reason_for(user)))

    def take(self, user: User, letter: Mail | None) -> Decision | None:
        """Reject, unless a colleague did, which is said."""
        self.guard(user)
        reason = self._reason_for(user)
        return approval.reject(user, by=self.by, reason=reason, tell=self.tell, letter=letter)

    def _reason_for(self, user: User) -> str:
        if not self.variants:
            return self.reason
        return standard_text.in_language(self.variants, user.language)


class Resending(Work):
    """Mailing fresh links to those who have not confirmed."""

    def __init__(self) -> None:
        self._drawn: dict[int, str] = {}
        self._silenced: set[str] = set()
        self._mailed: list[User] = []

    def guard(self, user: User) -> None:
        """Refuse who confirmed, or was mailed moments ago."""
        confirmation.must_be_resendable(user)

    def letter(self, user: User) -> Mail | None:
        """A link, and a code that works once the letter is posted."""
        if user.status is not Status.UNCONFIRMED:
            return None
        self._drawn[user.id] = code.draw()
        return outbox.sealed(messages.confirmation(user, self._drawn[user.id]))

    def begin(self, users: Sequence[User]) -> None:
        """Ask which addresses want no such mail."""
        self._silenced = silence.silenced_among(user.email for user in users if user.email)

    def take(self, user: User, letter: Mail | None) -> Decision | None:
        """Post the link."""
        confirmation.resend_confirmation(user, by=self.by, letter=letter, silenced=self._silenced)
        self._mailed.append(user)
        return None

    def end(self) -> None:
        """Let the codes of those who are mailed work."""
        code.keep({user: self._drawn[user.id] for user in self._mailed}, Purpose.CONFIRMATION)
        self._mailed.clear()


class Undoing(Work):
    """Taking back what one bulk decided, and nothing that was decided since."""

    def __init__(self, bulk_id: int | None) -> None:
        self.bulk_id = bulk_id
        self._taken_back: set[int] = set()

    def loads(self) -> Sequence[Any]:
        """The fingerprints of the rejected, which go."""
        return [selectinload(User.fingerprints)]

    def guard(self, user: User) -> None:
        """Refuse who was decided anew, or has become staff."""
        stands = undo.must_be_undoable(user, by=self.by)
        if stands.bulk_id != self.bulk_id:
            raise StepRefused(_l("This was decided anew meanwhile."))

    def begin(self, users: Sequence[User]) -> None:
        """Take the letters of those who can be undone out of the outbox."""
        standing = (decision.last(user) for user in users if why_not(self.guard, user) is None)
        self._taken_back = outbox.take_back(
            [each.mail_id for each in standing if each is not None and each.mail_id is not None]
        )

    def take(self, user: User, letter: Mail | None) -> Decision | None:
        """Take the decision back, if its letter could be."""
        self.guard(user)
        undo.undo(user, by=self.by, taken_back=self._taken_back)
        return None


def of(bulk: Bulk) -> Work:
    """The work that a bulk is."""
    return work(bulk.kind, undoes_id=bulk.undoes_id, **bulk.details)


def work(
    deed: Deed,
    *,
    level: int | None = None,
    reason: str = "",
    tell: bool = True,
    variants: Mapping[str, str] | None = None,
    undoes_id: int | None = None,
) -> Work:
    """A step with what it is taken with."""
    if deed is Deed.APPROVAL:
        return Approving(db.session.get(AccessLevel, level) if level else None)
    if deed is Deed.REJECTION:
        return Rejecting(reason, tell=tell, variants=variants)
    return Resending() if deed is Deed.CONFIRMATION_MAIL else Undoing(undoes_id)
