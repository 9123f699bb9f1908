"""Authority: who may take a step on whom. One answer for pages, panel and commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask_babel import lazy_gettext as _l

from portal.accounts.permissions import Permission
from portal.errors import StepRefused

if TYPE_CHECKING:
    from portal.accounts.access import AccessLevel
    from portal.accounts.user import User


def outranks(by: User | None, user: User) -> bool:
    """Whether `by` may change `user`: not oneself, and nobody whose role is above.

    The portal itself (None) may change anybody.
    """
    return by is None or (by.id != user.id and user.rank <= by.rank)


def must_outrank(by: User | None, user: User) -> None:
    """Refuse what staff do to themselves or to somebody above them.

    Raises:
        StepRefused: with the sentence that says which of the two it is.
    """
    if by is None:
        return
    if by.id == user.id:
        raise StepRefused(_l("This is your own account. Ask a colleague to do this."))
    if user.rank > by.rank:
        raise StepRefused(_l("This person's role is above yours. Ask somebody above them."))


def may_grant(by: User | None, level: AccessLevel) -> bool:
    """Whether one of the giver's roles reaches up to this access level.

    Administrators may give every level: they make the levels and say what roles reach up to.
    """
    if by is None or by.may(Permission.ADMINISTER):
        return True
    return any(role.grants_up_to and role.grants_up_to.opens(level) for role in by.roles)


def must_be_granted(by: User | None, level: AccessLevel) -> None:
    """Refuse an access level above what the giver's roles may give.

    Raises:
        StepRefused: naming the level.
    """
    if not may_grant(by, level):
        raise StepRefused(
            _l("Your role may not give the access level %(level)s.", level=level.name)
        )
