"""Permissions: what a role may allow a member of staff."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext as _l


class Permission(StrEnum):
    """What a role may allow."""

    REVIEW = "review"
    MANAGE = "manage"
    ADMINISTER = "administer"

    @property
    def label(self) -> Any:
        """What it allows, in words."""
        return _PERMISSION_LABELS[self]


_PERMISSION_LABELS = {
    Permission.REVIEW: _l("See registrations and accounts, approve, reject, resend confirmations"),
    Permission.MANAGE: _l("Suspend, reinstate, edit levels and agents, read mail and audit trail"),
    Permission.ADMINISTER: _l("Edit roles and settings"),
}
