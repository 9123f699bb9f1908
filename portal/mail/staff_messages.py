"""The mails to staff about what waits, which each of them can choose not to get."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from portal import settings
from portal.mail.message import Message
from portal.mail.writing import write

if TYPE_CHECKING:
    from portal.accounts.intake import Closure
    from portal.accounts.user import User


def registrations_waiting(
    staff: User, count: int, since: datetime | None, *, mentions: int = 0
) -> Message:
    """Tell a reviewer how many registrations wait, since when the first does, and who asks them."""
    return _to(
        staff,
        "registrations_waiting",
        count=count,
        since=since,
        mentions=mentions,
        link=_panel("registrations/" if count else ""),
    )


def registrations_overdue(
    staff: User, count: int, *, after: timedelta, ready: int, since: datetime | None
) -> Message:
    """Remind a reviewer of those who wait for longer than they should."""
    return _to(
        staff,
        "registrations_overdue",
        count=count,
        after=after,
        ready=ready,
        since=since,
        link=_panel("registrations/"),
    )


def registration_closed(staff: User, closure: Closure | None) -> Message:
    """Tell a reviewer that registration closed by itself, why, and what they can do about it."""
    return _to(staff, "registration_closed", closure=closure, link=_panel("registrations/"))


def digest(
    staff: User,
    *,
    ready: int,
    overdue: int,
    answered: int,
    mentions: int,
    since: datetime | None,
    closure: Closure | None = None,
) -> Message:
    """Tell a reviewer once a day what waits, and that registration is closed, while it is."""
    return _to(
        staff,
        "digest",
        ready=ready,
        overdue=overdue,
        answered=answered,
        mentions=mentions,
        since=since,
        closure=closure,
        link=_panel(),
    )


def _to(staff: User, kind: str, **context: Any) -> Message:
    """One of these mails; it says where one chooses how to be told."""
    return write(
        kind,
        to=staff.email or "",
        full_name=staff.full_name,
        language=staff.language,
        time_zone=staff.time_zone,
        user_id=staff.id,
        workplace_link=_panel("workplace/"),
        **context,
    )


def _panel(page: str = "") -> str:
    # By its path: the staff panel is joined to the portal above us, and its URLs are stable.
    return f"{settings.current().public_url}/admin/{page}"
