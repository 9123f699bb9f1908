"""Preferences: what a person sets for themselves."""

from __future__ import annotations

from typing import Any

from portal import audit
from portal.accounts.user import User
from portal.audit import Action

PREFERENCES = ("full_name", "language", "time_zone", "communication", "theme")


def change_preferences(user: User, *, by: User, **wanted: Any) -> None:
    """Set any of `PREFERENCES`. What is the same already changes nothing and leaves no entry.

    Raises:
        ValueError: a name that is no preference.
    """
    unknown = set(wanted) - set(PREFERENCES)
    if unknown:
        raise ValueError(f"not preferences: {', '.join(sorted(unknown))}")
    changed = [name for name, value in wanted.items() if getattr(user, name) != value]
    if not changed:
        return
    for name in changed:
        setattr(user, name, wanted[name])
    audit.record(Action.PREFERENCES_CHANGED, about=user, by=by, changed=sorted(changed))
