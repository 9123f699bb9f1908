"""The sign-ins of one's own account, and the tries that failed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from flask import render_template, request
from flask.typing import ResponseReturnValue

from portal import settings
from portal.accounts import device
from portal.accounts import sign_ins as history
from portal.accounts.device import Device
from portal.accounts.sign_ins import SignIn
from portal.accounts.user import User
from portal.pages import pages
from portal.pages.doors import me

SHOWN = 5  # on the account page, which leads to all of them


class Line(NamedTuple):
    """One sign-in, or failures of one kind, as people read it."""

    row: SignIn
    device: Device


def lines(rows: Iterable[SignIn]) -> list[Line]:
    """What these rows say."""
    return [Line(row, device.of_agent(row.agent)) for row in rows]


def latest(user: User) -> list[Line]:
    """The newest few of somebody's."""
    return lines(history.latest(user, SHOWN))


@pages.get("/account/sign-ins")
def sign_ins() -> ResponseReturnValue:
    """Show when and from where somebody signed in to this account, or tried to."""
    cursor = request.args.get("cursor", "")
    page = history.page(me(), cursor)
    return render_template(
        "pages/sign_ins.html",
        page=page,
        lines=lines(page.rows),
        history_days=settings.current().sessions.history_days,
    )
