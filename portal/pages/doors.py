"""What every door does alike: who is asking, one commit, and a polite way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from flask import abort, redirect, request, url_for
from flask_login import current_user
from sqlalchemy.exc import IntegrityError

from portal.accounts import session
from portal.accounts.user import User
from portal.database import locked, transaction
from portal.mail import opening
from portal.security import sessions

Result = TypeVar("Result")


def me() -> User:
    """The person who is signed in: the row itself, not Flask-Login's stand-in for it."""
    return cast("User", current_user._get_current_object())


def me_locked() -> User:
    """The person who is signed in, as the database has them now, for a step on oneself.

    Whose session ended since the request began takes no step any more, and is led to the sign-in
    page: else a thief whom the owner shuts out at the same moment would go on (ASVS 7.4.1).
    """
    user = locked(User, me().id)
    assert user is not None
    if not session.still_lasts(sessions.here()):
        abort(redirect(url_for("security.login"), 303))
    return user


def committed(step: Callable[[], Result]) -> Result:
    """Take a step in one transaction; once more when somebody took the same name meanwhile.

    The second time the step finds what the other one left, and says so politely.
    """
    try:
        with transaction():
            return step()
    except IntegrityError:
        with transaction():
            return step()


def note_opening(ticket: str) -> None:
    """Note that somebody looks at the link of a mail: the one thing that a GET may write (B3)."""
    if request.method not in ("GET", "HEAD"):
        return
    headers = request.headers
    purpose = " ".join(headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Moz"))
    opening.note(
        ticket,
        method=request.method,
        cookies=bool(request.cookies),
        agent=headers.get("User-Agent", ""),
        prefetch=any(word in purpose.lower() for word in ("prefetch", "prerender", "preview")),
    )
