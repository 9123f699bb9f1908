"""Wording: how numbers, people, mails and lines of the trail are said to staff."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from flask_babel import format_date
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal import i18n
from portal.accounts.user import User
from portal.audit import Action, AuditEntry, Way
from portal.desk.bulk import Deed
from portal.desk.decision import Verdict
from portal.mail import trouble
from portal.mail.events import Event
from portal.notifications import Kind
from portal.paging import COUNTED


class Detail(NamedTuple):
    """One thing that an entry of the trail tells: its name, its value, and the one before."""

    label: Any
    value: str
    before: str | None = None


def count_text(number: int) -> str:
    """A count as `directory` and others give it: exact, or "more than" from where they stop."""
    if number > COUNTED:
        return str(_("more than %(number)s", number=i18n.number_text(COUNTED)))
    return i18n.number_text(number)


def utc_day_text(start: datetime) -> str:
    """The day that begins at this moment in UTC, wherever the reader is."""
    return str(format_date(start.date(), "long"))


def badge_text(number: int) -> str:
    """The same, as short as a menu needs it; empty for none."""
    if number > COUNTED:
        return f"{i18n.number_text(COUNTED)}+"
    return i18n.number_text(number) if number else ""


def name_of(user: User) -> str:
    """What to call somebody, also when their account was erased."""
    return str(user.full_name or user.username or _("Erased account %(number)s", number=user.id))


def domain_of(user: User) -> str:
    """What stands after the @ of somebody's address, as they wrote it."""
    return (user.email or "").rpartition("@")[2]


def action_label(entry: AuditEntry) -> Any:
    """What was done. An action that this version does not know goes by its key."""
    try:
        return Action(entry.action).label
    except ValueError:
        return entry.action


def mail_label(kind: str) -> Any:
    """What a mail or an event is about, by its kind."""
    return Event(kind).label if kind in set(Event) else _MAILS.get(kind, kind)


def notification_label(kind: str) -> Any:
    """What there is to look at. A kind that this version does not know goes by its key."""
    return Kind(kind).label if kind in set(Kind) else kind


def trouble_text(error: str | None) -> str:
    """Why a mail was not delivered, from the short note in its row."""
    return trouble.in_words(error)


def details(entry: AuditEntry) -> list[Detail]:
    """What an entry tells beyond who, whom and when."""
    told = dict(entry.details or {})
    before, after = told.pop("before", None), told.pop("after", None)
    of_level = entry.action in (Action.ACCESS_CHANGED, Action.WISH_EDITED)
    lines = _changes(before, after, "level" if of_level else "roles")
    for key, value in told.items():
        if value not in ("", None):
            lines.append(Detail(_LABELS.get(key, key), _value(key, value)))
    return lines


def _changes(before: Any, after: Any, key: str) -> list[Detail]:
    if isinstance(before, dict) or isinstance(after, dict):
        old, new = before or {}, after or {}
        return [
            Detail(
                _LABELS.get(name, name),
                _value(name, new.get(name)),
                _value(name, old[name]) if name in old else None,
            )
            for name in {**old, **new}
            if old.get(name) != new.get(name)
        ]
    if before is None and after is None:
        return []
    return [Detail(_LABELS[key], _value(key, after), _value(key, before))]


def _value(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, list):
        return ", ".join(_value(key, each) for each in value) or str(_("none"))
    if value is None or value == "":
        return str(_("none"))
    if key == "changed":
        return str(_LABELS.get(value, value))
    if key == "verdict":
        return str(Verdict(value).label)
    if key == "how":
        return str(Way(value).label) if value in set(Way) else str(value)
    if key == "deed":
        return str(Deed(value).label)
    if key == "kind":
        return str(_KINDS.get(value) or mail_label(value))
    return str(value)


_LABELS = {
    "level": _l("Access level"),
    "roles": _l("Roles"),
    "role": _l("Role"),
    "reason": _l("Reason"),
    "told": _l("Told by mail"),
    "terms": _l("Terms of use"),
    "changed": _l("Changed"),
    "name": _l("Name"),
    "rank": _l("Rank"),
    "url": _l("Address"),
    "kind": _l("Kind"),
    "enabled": _l("Switched on"),
    "offered": _l("Applicants may ask for it"),
    "mail": _l("Mail number"),
    "permissions": _l("Permissions"),
    "grants_up_to": _l("May give up to"),
    "full_name": _l("Full name"),
    "language": _l("Language"),
    "time_zone": _l("Time zone"),
    "communication": _l("Messages from agents"),
    "theme": _l("Appearance"),
    "languages": _l("Languages"),
    "verdict": _l("Decision"),
    "deed": _l("Step"),
    "how": _l("How"),
    "people": _l("People"),
    "bulk": _l("Number of the step on many"),
    "number": _l("Number"),
    "notice": _l("How you are told"),
    "digest_hour": _l("Hour of the daily mail"),
    "quiet_from": _l("Quiet from"),
    "quiet_until": _l("Quiet until"),
    "single_keys": _l("Single letters as keys"),
}

_KINDS = {
    "agent": _l("Agent"),
    "app": _l("App"),
    "passkey": _l("Passkey"),
    "recovery codes": _l("Recovery codes"),
}

_MAILS = {
    "confirmation": _l("Confirm your address"),
    "confirmation_again": _l("Confirm your address, asked again"),
    "confirmed_by_hand": _l("Your address was confirmed by hand"),
    "already_registered": _l("You have an account already"),
    "username_taken": _l("Your username is taken"),
    "waiting": _l("Your registration waits for staff"),
    "welcome": _l("Your account is approved"),
    "rejected": _l("Your registration is rejected"),
    "question": _l("A question about your request for an account"),
    "question_reminder": _l("A question is still open"),
    "status_code": _l("Your code"),
    "access_changed": _l("Your access level has changed"),
    "suspended": _l("Your account is suspended"),
    "reinstated": _l("Your account is open again"),
    "erased": _l("Your account is erased"),
    "password_reset": _l("Choose a new password"),
    "password_changed": _l("Your password was changed"),
    "address_change": _l("Confirm your new address"),
    "address_change_asked": _l("A change of address was asked for"),
    "address_changed": _l("Your address was changed"),
    "username_changed": _l("Your username was changed"),
    "factor_added": _l("A second factor was added"),
    "factor_removed": _l("A second factor was removed"),
    "factors_reset": _l("Your second factor was reset"),
    "factor_guessed": _l("Wrong codes at your sign-in"),
    "recovery_code_used": _l("A recovery code was used"),
    "recovery_codes_replaced": _l("You have new recovery codes"),
    "passkey_copied": _l("A passkey of yours may have been copied"),
    "new_device": _l("New sign-in to your account"),
    "alarm_elsewhere": _l("Your account was shut from its former address"),
    "way_back": _l("The way back into your account"),
    "registrations_waiting": _l("Registrations wait for review"),
    "registrations_overdue": _l("Registrations wait for too long"),
    "digest": _l("What waits today"),
    "registration_closed": _l("Nobody can register at present"),
}
