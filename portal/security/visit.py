"""The visit: what one browser brings along. An id, and a few notes from one page to the next.

Two cookies, because they are worth different things. `portal_session` holds the id of a session
(see `portal.accounts.session`) and comes with a sign-in only. `portal_visit` is Flask's signed
cookie: the CSRF token, messages to show once, and, for a visitor, whom the portal mailed. So an
anonymous look at a page costs no row, and whoever copies the second cookie is nobody. It is
signed for one id: what was noted before a sign-in, or in another session, counts for nothing
afterwards (ASVS 3.5.1, 7.2.4).

Flask-Session was looked at instead. It stores the id as it is, makes a row for each visitor and
writes it with each message, and knows no person whose sessions could be listed or ended.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, cast

from flask import Flask, Request, Response, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import BadSignature

from portal import settings
from portal.accounts import session as sessions
from portal.accounts.session import Standing

COOKIE = "portal_session"

# What `secrets.token_urlsafe(32)` makes; anything else is not looked up.
_ID = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
# What Flask-Login and Flask-Security keep of a person. The row knows it better, and what stood
# in a cookie could be sent again.
_NEVER_KEPT = frozenset(
    {"_user_id", "_fresh", "_id", "_remember", "_permanent", "fs_cc", "fs_paa", "fs_gexp"}
)
# Flask-Login's word for whose session it is: here, the digest of the id.
_WHOSE = "_user_id"


class Visit(SecureCookieSession):
    """What Flask calls the session: the notes, and beside them the id that was brought."""

    def __init__(self, notes: Any = None, *, brought: str | None = None) -> None:
        """Read what a browser sent; `brought` is the id, which may be over or made up."""
        super().__init__(notes)
        self.brought = brought
        self.secret = brought
        self.lasts: timedelta | None = None
        # What the row said when it was read, once somebody asked who this is.
        self.row: Standing | None = None
        if brought is not None:
            dict.__setitem__(self, _WHOSE, sessions.digest(brought))

    @property
    def digest(self) -> str:
        """By which the row is found; empty for a visitor."""
        return sessions.digest(self.secret) if self.secret else ""

    def keep(self, secret: str, *, lasts: timedelta | None = None) -> None:
        """Give the browser this id from now on: until it closes, or for so long. Notes stay."""
        self.secret, self.lasts = secret, lasts
        self.row = None
        self[_WHOSE] = self.digest

    def begin(self, secret: str, *, lasts: timedelta | None = None) -> None:
        """The same for somebody who signs in: nothing of whoever sat here before stays."""
        self.clear()
        self.keep(secret, lasts=lasts)

    def leave(self) -> None:
        """Take the id from the browser, and every note."""
        self.clear()
        self.secret = self.row = None

    def go_back(self) -> None:
        """Be as one was when one came, because what was about to be written down was not."""
        self.leave()
        self.secret = self.brought


class Visits(SecureCookieSessionInterface):
    """Reads and writes both cookies."""

    def open_session(self, app: Flask, request: Request) -> Visit:
        """The visit that a request is part of. Reads no row: most of them are asked by nobody."""
        brought = request.cookies.get(settings.of(app).cookie_name(COOKIE), "")
        secret = brought if _ID.fullmatch(brought) else None
        signed = request.cookies.get(self.get_cookie_name(app), "")
        try:
            notes = self._signer(app, secret).loads(signed, max_age=_lasts(app, secret))
        except BadSignature:
            notes = None
        return Visit(notes, brought=secret)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Give the browser what changed, and nothing where nothing did."""
        visit = cast("Visit", session)
        if visit.accessed:
            response.vary.add("Cookie")
        if visit.secret != visit.brought:
            self._save_id(app, visit, response)
        elif not visit.modified:
            return
        notes = {name: value for name, value in visit.items() if name not in _NEVER_KEPT}
        where = {"path": self.get_cookie_path(app), **self._attributes(app)}
        response.vary.add("Cookie")
        if notes:
            signed = str(self._signer(app, visit.secret).dumps(notes))
            response.set_cookie(self.get_cookie_name(app), signed, **where)
        else:
            response.delete_cookie(self.get_cookie_name(app), **where)

    def _save_id(self, app: Flask, visit: Visit, response: Response) -> None:
        name = settings.of(app).cookie_name(COOKIE)
        where = {"path": self.get_cookie_path(app), **self._attributes(app)}
        if visit.secret is None:
            response.delete_cookie(name, **where)
        else:
            response.set_cookie(name, visit.secret, max_age=visit.lasts, **where)

    def _attributes(self, app: Flask) -> dict[str, Any]:
        return {
            "secure": self.get_cookie_secure(app),
            "httponly": self.get_cookie_httponly(app),
            "samesite": self.get_cookie_samesite(app),
        }

    def _signer(self, app: Flask, secret: str | None) -> Any:
        signer = self.get_signing_serializer(app)
        assert signer is not None
        signer.salt = f"visit {sessions.digest(secret) if secret else ''}".encode()
        return signer


def here() -> Visit:
    """The visit that this request is part of."""
    return cast("Visit", session._get_current_object())  # type: ignore[attr-defined]


def _lasts(app: Flask, secret: str | None) -> int:
    """Seconds for which the notes count: a visitor's for hours, others as long as a session may."""
    rules = settings.of(app).sessions
    if secret is None:
        return rules.idle_hours * 3600
    return max(rules.remember_days * 24, rules.longest_hours, rules.staff_longest_hours) * 3600
