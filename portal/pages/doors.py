"""What every door does alike: who is asking, one commit, and a polite way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from flask_login import current_user
from sqlalchemy.exc import IntegrityError

from portal.accounts.user import User
from portal.database import locked, transaction

Result = TypeVar("Result")


def me() -> User:
    """The person who is signed in: the row itself, not Flask-Login's stand-in for it."""
    return cast("User", current_user._get_current_object())


def me_locked() -> User:
    """The person who is signed in, as the database has them now, for a step on oneself."""
    user = locked(User, me().id)
    assert user is not None
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
