"""Standing: whether somebody has a second factor, whether they must, and what is missing.

Two facts of the account say it, so that asking at every page costs nothing: since when there is
a factor, and when the recovery codes were kept. The steps beside this module write them.
"""

from __future__ import annotations

from enum import StrEnum

from flask_babel import lazy_gettext as _l

from portal import clock, settings
from portal.accounts.user import Status, User
from portal.errors import StepRefused

EVERYONE, STAFF = "everyone", "staff"


class Missing(StrEnum):
    """What somebody has to do before the portal opens."""

    FACTOR = "factor"
    RECOVERY_CODES = "recovery_codes"


def is_required_of(user: User) -> bool:
    """Whether this person must sign in with a second factor (`second_factor.required_of`)."""
    wanted = settings.current().second_factor.required_of
    if user.status is not Status.APPROVED or not wanted:
        return False
    if EVERYONE in wanted or (STAFF in wanted and user.roles):
        return True
    return any(role.name in wanted for role in user.roles)


def missing(user: User) -> Missing | None:
    """What has to be done first. Whoever began a set-up goes through to its last step."""
    if user.second_factor_since is None:
        return Missing.FACTOR if is_required_of(user) else None
    return Missing.RECOVERY_CODES if user.recovery_codes_kept_at is None else None


def has_factor(user: User) -> bool:
    """Whether signing in takes this person more than the password."""
    return user.second_factor_since is not None


def note_added(user: User) -> None:
    """Note that there is a factor; every other session of the account ends (ASVS 7.4.3)."""
    user.second_factor_since = user.second_factor_since or clock.now()
    user.end_sessions()


def note_none_left(user: User) -> None:
    """Note that the last factor is gone, and what belongs to it."""
    user.second_factor_since = None
    user.recovery_codes_kept_at = None


def must_be_open(user: User) -> None:
    """Refuse to change how somebody signs in whose account is not open.

    Raises:
        StepRefused: the account is not approved.
    """
    if user.status is not Status.APPROVED:
        raise StepRefused(_l("This account is not open. Ask the staff."))
