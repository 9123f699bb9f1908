"""The sessions of one's own account: where one is signed in, and signing out there."""

from __future__ import annotations

from typing import NamedTuple

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.accounts import device, session
from portal.accounts.device import Device
from portal.accounts.session import UserSession
from portal.accounts.user import User
from portal.database import transaction
from portal.pages import pages
from portal.pages.doors import me_locked
from portal.security import sessions


class Line(NamedTuple):
    """One session as people read it."""

    row: UserSession
    device: Device
    is_here: bool


def listed(user: User) -> list[Line]:
    """Where somebody is signed in now; this browser first, then the latest seen."""
    lines = [
        Line(row, device.of_agent(row.agent), sessions.is_here(row)) for row in session.of(user)
    ]
    return sorted(lines, key=lambda line: not line.is_here)


@pages.post("/account/sessions/<int(min=1, max=2147483647):session_id>/end")
def end_session(session_id: int) -> ResponseReturnValue:
    """Sign out in one browser. Asks for no password: it protects, and must be quick."""
    with transaction():
        ended = session.end_one(me_locked(), session_id)
    if ended:
        flash(_("That device is signed out."), "success")
    else:
        flash(_("That device was signed out already."), "info")
    return redirect(url_for("pages.account"), 303)


@pages.post("/account/sessions/others/end")
def end_other_sessions() -> ResponseReturnValue:
    """Sign out in every browser but this one."""
    with transaction():
        ended = session.end_others(me_locked(), but=sessions.here())
    if ended:
        flash(_("Every other device is signed out."), "success")
    else:
        flash(_("No other device was signed in."), "info")
    return redirect(url_for("pages.account"), 303)
