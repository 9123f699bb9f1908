"""Half a sign-in: the password was right, and the second factor is still missing.

It opens nothing. The browser that typed the password has a few minutes to show the factor; who
knows the password only never learns more than that there is one (ASVS 6.6.2, 6.3.8).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import redirect, request, session, url_for
from flask_security.core import _user_loader
from flask_security.tf_plugin import TfPlugin
from flask_security.utils import login_user

from portal import clock
from portal.accounts.factors import standing
from portal.accounts.user import User
from portal.security.redirects import local_target

LASTS = timedelta(minutes=5)

_KEY = "half_signed_in"


class SecondStep(TfPlugin):
    """What Flask-Security asks between the right password and the sign-in, in place of its own.

    Its own takes a code twice, and tries without end.
    """

    def tf_enter(
        self,
        user: Any,
        remember_me: bool | None,
        primary_authn_via: str,
        next_loc: str | None,
    ) -> Any:
        """Where to show the second factor; None for who has none."""
        session.pop(_KEY, None)
        if not standing.has_factor(user):
            return None
        session[_KEY] = {
            "who": user.fs_uniquifier,
            "since": int(clock.now().timestamp()),
            "remember": bool(remember_me),
            "next": local_target(request.form.get("next"))
            or local_target(request.args.get("next")),
        }
        return redirect(url_for("pages.second_step"))


def who() -> User | None:
    """Who typed the right password in this browser just now, and may still sign in.

    Nobody, once it is too long ago, or the account was closed or got another password meanwhile.
    """
    kept = session.get(_KEY)
    if not isinstance(kept, dict):
        return None
    if clock.now().timestamp() - kept["since"] > LASTS.total_seconds():
        forget()
        return None
    user: User | None = _user_loader(kept["who"])
    if user is None or not user.active or not standing.has_factor(user):
        forget()
        return None
    return user


def wanted() -> str | None:
    """Where they wanted to go."""
    kept = session.get(_KEY) or {}
    return local_target(kept.get("next"))


def forget() -> None:
    """Begin anew, with the password."""
    session.pop(_KEY, None)


def complete(user: User, *, by: str) -> None:
    """Sign somebody in who showed both, in the transaction that uses the factor up."""
    kept = session.pop(_KEY, None) or {}
    login_user(user, remember=bool(kept.get("remember")), authn_via=["password", by])


def complete_at_once(user: User) -> None:
    """Sign somebody in by a passkey alone, whose device has looked who is there."""
    forget()
    login_user(user, remember=False, authn_via=["passkey"])
