"""The audit trail: who did what to whom, and when. Entries are added and never changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal import clock
from portal.after_commit import tell_of_new
from portal.database import Model, UtcDateTime, db
from portal.logs import events

if TYPE_CHECKING:
    from portal.accounts.user import User


class Way(StrEnum):
    """How somebody showed who they are when they changed something of their own."""

    SIGNED_IN = "signed_in"
    LINK = "link"
    PASSWORD = "password"
    CODE = "code"

    @property
    def label(self) -> Any:
        """The words for it that staff read."""
        return _WAYS[self]


_WAYS = {
    Way.SIGNED_IN: _l("signed in"),
    Way.LINK: _l("by the link of a mail"),
    Way.PASSWORD: _l("with the password"),
    Way.CODE: _l("with the code of a mail"),
}


class Action(StrEnum):
    """What was done."""

    REGISTERED = "account.registered"
    REGISTERED_AGAIN = "account.registered_again"
    CONFIRMATION_RESENT = "account.confirmation_resent"
    CONFIRMED = "account.confirmed"
    APPROVED = "account.approved"
    REJECTED = "account.rejected"
    DECISION_UNDONE = "account.decision_undone"
    ASKED = "account.asked"
    ANSWERED = "account.answered"
    QUESTION_CLOSED = "account.question_closed"
    WITHDRAWN = "account.withdrawn"
    CODE_MAILED = "account.code_mailed"
    CONFIRMED_BY_HAND = "account.confirmed_by_hand"
    NOT_ME = "account.not_me"
    ALARM_RAISED = "account.alarm_raised"
    ADDRESS_RESTORED = "account.address_restored"
    ADDRESS_CORRECTED = "account.address_corrected"
    NOTED = "account.noted"
    NOTE_REMOVED = "account.note_removed"
    REOPENED = "account.reopened"
    REASON_EDITED = "account.reason_edited"
    WISH_EDITED = "account.wish_edited"
    ACCESS_CHANGED = "account.access_changed"
    ROLES_CHANGED = "account.roles_changed"
    SUSPENDED = "account.suspended"
    REINSTATED = "account.reinstated"
    ERASED = "account.erased"
    PASSWORD_CHANGED = "account.password_changed"
    PASSWORD_RESET = "account.password_reset"
    ADDRESS_CHANGE_ASKED = "account.address_change_asked"
    ADDRESS_CHANGED = "account.address_changed"
    USERNAME_CHANGED = "account.username_changed"
    PREFERENCES_CHANGED = "account.preferences_changed"
    SESSIONS_ENDED = "account.sessions_ended"
    FACTOR_ADDED = "account.factor_added"
    FACTOR_REMOVED = "account.factor_removed"
    FACTORS_RESET = "account.factors_reset"
    FACTOR_GUESSED = "account.factor_guessed"
    PASSKEY_COPIED = "account.passkey_copied"
    RECOVERY_CODES_MADE = "account.recovery_codes_made"
    RECOVERY_CODE_USED = "account.recovery_code_used"
    STAFF_INVITED = "staff.invited"
    STAFF_JOINED = "staff.joined"
    ROLE_EDITED = "role.edited"
    LEVEL_EDITED = "access_level.edited"
    LEVEL_REMOVED = "access_level.removed"
    AGENT_EDITED = "agent.edited"
    AGENT_REMOVED = "agent.removed"
    MAIL_RETRIED = "mail.retried"
    SILENCE_LIFTED = "mail.silence_lifted"
    TEXT_EDITED = "standard_text.edited"
    TEXT_REMOVED = "standard_text.removed"
    BULK_ASKED = "bulk.asked"

    @property
    def label(self) -> Any:
        """The words for it that staff read."""
        return _LABELS[self]


_LABELS = {
    Action.REGISTERED: _l("Registered"),
    Action.REGISTERED_AGAIN: _l("Registered again"),
    Action.CONFIRMATION_RESENT: _l("Confirmation mail sent again"),
    Action.CONFIRMED: _l("Address confirmed"),
    Action.APPROVED: _l("Approved"),
    Action.REJECTED: _l("Rejected"),
    Action.DECISION_UNDONE: _l("Decision undone"),
    Action.ASKED: _l("Asked a question"),
    Action.ANSWERED: _l("Answered the question"),
    Action.QUESTION_CLOSED: _l("Question closed without an answer"),
    Action.WITHDRAWN: _l("Registration withdrawn"),
    Action.CODE_MAILED: _l("Code asked for, to withdraw or to move"),
    Action.CONFIRMED_BY_HAND: _l("Address confirmed by hand"),
    Action.NOT_ME: _l("The owner of the address said: this was not me"),
    Action.ALARM_RAISED: _l("The owner said of a change or a sign-in: this was not me"),
    Action.ADDRESS_RESTORED: _l("Former address given back"),
    Action.ADDRESS_CORRECTED: _l("Address corrected before confirmation"),
    Action.NOTED: _l("Note written"),
    Action.NOTE_REMOVED: _l("Note removed"),
    Action.REOPENED: _l("Reopened"),
    Action.REASON_EDITED: _l("Reason for asking edited"),
    Action.WISH_EDITED: _l("Wished access level edited"),
    Action.ACCESS_CHANGED: _l("Access level changed"),
    Action.ROLES_CHANGED: _l("Roles changed"),
    Action.SUSPENDED: _l("Suspended"),
    Action.REINSTATED: _l("Reinstated"),
    Action.ERASED: _l("Erased"),
    Action.PASSWORD_CHANGED: _l("Password changed"),
    Action.PASSWORD_RESET: _l("Password reset"),
    Action.ADDRESS_CHANGE_ASKED: _l("Change of address asked for"),
    Action.ADDRESS_CHANGED: _l("Address changed"),
    Action.USERNAME_CHANGED: _l("Username changed"),
    Action.PREFERENCES_CHANGED: _l("Preferences changed"),
    Action.SESSIONS_ENDED: _l("Sessions ended"),
    Action.FACTOR_ADDED: _l("Second factor added"),
    Action.FACTOR_REMOVED: _l("Second factor removed"),
    Action.FACTORS_RESET: _l("Second factor reset"),
    Action.FACTOR_GUESSED: _l("Many wrong codes at the second step"),
    Action.PASSKEY_COPIED: _l("A passkey seems to have been copied"),
    Action.RECOVERY_CODES_MADE: _l("Recovery codes made"),
    Action.RECOVERY_CODE_USED: _l("Recovery code used"),
    Action.STAFF_INVITED: _l("Staff invited"),
    Action.STAFF_JOINED: _l("Staff joined"),
    Action.ROLE_EDITED: _l("Role edited"),
    Action.LEVEL_EDITED: _l("Access level edited"),
    Action.LEVEL_REMOVED: _l("Access level removed"),
    Action.AGENT_EDITED: _l("Agent edited"),
    Action.AGENT_REMOVED: _l("Agent removed"),
    Action.MAIL_RETRIED: _l("Mail tried again"),
    Action.SILENCE_LIFTED: _l("An address may be mailed again"),
    Action.TEXT_EDITED: _l("Standard text edited"),
    Action.TEXT_REMOVED: _l("Standard text removed"),
    Action.BULK_ASKED: _l("Step on many people asked for"),
}


class AuditEntry(Model):
    """One line of the trail. `by` is empty when the portal itself acted.

    People are kept as references: when an account is erased, the trail stays and the
    name in it goes.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_at_id", "at", "id"),
        Index("ix_audit_entries_action_at_id", "action", "at", "id"),
        Index("ix_audit_entries_about_id_at_id", "about_id", "at", "id"),
        Index("ix_audit_entries_by_id_at_id", "by_id", "at", "id"),
        Index("ix_audit_entries_by_id_action_at_id", "by_id", "action", "at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    action: Mapped[str] = mapped_column(String(40))
    about_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"))
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)

    about: Mapped[User | None] = relationship("User", foreign_keys=[about_id], lazy="raise")
    by: Mapped[User | None] = relationship("User", foreign_keys=[by_id], lazy="raise")


def record(
    action: Action,
    *,
    about: User | None = None,
    by: User | None = None,
    how: Sequence[Way] = (),
    **details: Any,
) -> AuditEntry:
    """Add a line to the trail, in the caller's transaction.

    `how` says by which way somebody came who changed something of their own: a link that was
    mailed may have been forwarded, so that it says less than a sign-in.

    `details` are small JSON values: names of levels, reasons, before and after. Never an
    address, a password or a token: the trail outlives the account.
    """
    if how:
        details["how"] = [way.value for way in how]
    entry = AuditEntry(at=clock.now(), action=action.value, about=about, by=by, details=details)
    db.session.add(entry)
    return entry


def _line_of(entry: AuditEntry) -> tuple[str, dict[str, Any]]:
    return entry.action, {"entry": entry.id, "about": entry.about_id, "by": entry.by_id}


def _write_lines(lines: Sequence[tuple[str, dict[str, Any]]]) -> None:
    for action, line in lines:
        events.write(action, "info", outcome=events.Outcome.DONE.value, **line)


# What is written here is also a line of the log, which leaves the machine where it is shipped, and
# which nobody who gets at the database can change (ASVS 16.4.3).
tell_of_new(AuditEntry, remember=_line_of, tell=_write_lines)
