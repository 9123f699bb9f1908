"""The applicant whom a page is about: signed in, or behind the link of a mail (B1).

Mails get forwarded. So the link shows how far a registration is, and lets its holder answer and
explain; what cannot be taken back asks for more (see `portal.pages.proof`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from portal import links
from portal.accounts.user import Status, User
from portal.audit import Way
from portal.database import locked
from portal.desk import decision
from portal.errors import StepRefused
from portal.links import LinkState, Reading
from portal.pages import pages
from portal.pages.doors import me, me_locked, note_opening
from portal.security import limits

View = Callable[["Applicant"], ResponseReturnValue]
Guard = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass(frozen=True)
class Applicant:
    """Whose registration it is, and the link that they came by; none when they are signed in."""

    user: User
    token: str = ""

    @property
    def came_by_link(self) -> bool:
        """Whether nothing but a link says who they are."""
        return bool(self.token)

    @property
    def way(self) -> Way:
        """How they came here."""
        return Way.LINK if self.came_by_link else Way.SIGNED_IN

    @property
    def status(self) -> Status:
        """Where the registration stands as far as they may read it.

        An approval opens the portal at once: whoever is signed in is not told otherwise.
        """
        if self.user.status is Status.APPROVED and not self.came_by_link:
            return Status.APPROVED
        return decision.status_shown(self.user)

    def url(self, page: str) -> str:
        """The address of another of their pages, which they reach in the same way."""
        if self.came_by_link:
            return url_for(f"pages.{page}_by_link", token=self.token)
        return url_for(f"pages.{page}")

    def locked(self) -> User:
        """The account as the database has it now, for a step; the link is read again.

        Raises:
            StepRefused: the link has stopped working since the page was asked for.
        """
        if not self.came_by_link:
            return me_locked()
        user = locked(User, self.user.id)
        if user is None or links.read_status(self.token).state is not LinkState.READY:
            raise StepRefused(_l("This link no longer works. Sign in instead."))
        return user


def applicants_page(
    path: str, *, methods: Sequence[str], proves: bool = False, mails: bool = False
) -> Callable[[View], View]:
    """Open a page twice: to who is signed in, at /status…, and by link, at /status/<token>….

    `proves`: the page takes passwords and codes, so that wrong ones are counted. `mails`: it
    mails whatever address is typed, so that these are counted too.
    """

    def opened(view: View) -> View:
        name = view.__name__

        @wraps(view)
        def signed_in() -> ResponseReturnValue:
            return view(Applicant(me()))

        @wraps(view)
        def by_link(token: str) -> ResponseReturnValue:
            return _behind(token, view)

        by_link.__name__ = f"{name}_by_link"
        looks = limits.looks_by_address("status")
        guards: list[Guard] = [limits.proof_by_account] if proves else []
        guards += [limits.by_typed_address] if mails else []
        for address, door, more in (
            (f"/status{path}", signed_in, [limits.by_account]),
            (f"/status/<token>{path}", by_link, [limits.by_linked_account, looks]),
        ):
            guarded: Callable[..., Any] = door
            for guard in (*guards, *more):
                guarded = guard(guarded)
            pages.add_url_rule(address, door.__name__, guarded, methods=list(methods))
        return view

    return opened


def _behind(token: str, view: View) -> ResponseReturnValue:
    reading = links.read_status(token)
    note_opening(reading.ticket)
    state = _state(reading)
    if state != "ready" or reading.user is None:
        page = render_template("pages/status_link.html", state=state, by_link=state != "foreign")
        return page, 200 if state == "approved" else 400
    return view(Applicant(reading.user, token=token))


def _state(reading: Reading) -> str:
    user = reading.user
    if user is None or reading.state is LinkState.INVALID:
        return "invalid"
    if current_user.is_authenticated and current_user.id != user.id:
        return "foreign"
    if reading.state is LinkState.EXPIRED:
        return "expired"
    return "approved" if decision.status_shown(user) is Status.APPROVED else "ready"
