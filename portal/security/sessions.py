"""Sessions: who is asking, what begins and ends with a sign-in, and when somebody was last seen.

`portal.accounts.session` keeps the rows and `portal.security.visit` the cookies; here they meet
Flask-Login, whose `current_user` the pages ask. One query reads the row with its person, and
nothing but the row says who somebody is: no remember-me cookie of Flask-Login, no token and no
freshness of Flask-Security.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Flask, after_this_request, current_app, g, request
from flask.wrappers import Response
from flask_login import user_logged_out
from flask_security.signals import user_authenticated
from flask_security.utils import set_request_attr
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from portal import clock
from portal.accounts import session
from portal.accounts.session import Standing, UserSession
from portal.accounts.user import User
from portal.database import db, transaction
from portal.desk.traces import network_of
from portal.security import history, visit

# What pages note about somebody who is not signed in: whom they mailed.
MAILED_TO = "mailed_to"
REGISTERED_HERE = "registered_here"
RESET_ASKED_FOR = "reset_asked_for"
LEFT_BEHIND = (MAILED_TO, REGISTERED_HERE, RESET_ASKED_FOR)

# What an open page asks by itself, whether or not anybody is there: it keeps no session alive.
ASKED_BY_PAGES = frozenset({"registrations.claim", "registrations.claims"})
# Pages that people open, and of which an open one asks for a part anew.
ASKED_IN_PART_BY_PAGES = frozenset({"registrations.progress"})

# Not "cookies": browsers take those of the whole domain away, and with them the sign-ins to
# every other site of the organisation, the language, and the mark by which limits know a browser
# in which somebody signed in before. Ours that say who somebody is are deleted by name.
CLEARED_AT_SIGN_OUT = '"cache", "storage"'


class Overtaken(Exception):
    """The account changed while somebody signed in: what they showed opens it no more."""


def init_app(app: Flask) -> None:
    """Use them, and take no other proof of who somebody is than the row."""
    app.session_interface = visit.Visits()
    app.login_manager.user_loader(_whose)  # type: ignore[attr-defined]
    # Flask-Security's tokens would be a second way in, which nothing here needs.
    app.login_manager.request_loader(_nobody)  # type: ignore[attr-defined]
    user_authenticated.connect(_begin, app)
    user_logged_out.connect(_end, app)
    app.after_request(_note_seen)


def is_here(row: UserSession) -> bool:
    """Whether this is the session of the browser that is asking."""
    return row.digest == here()


def here() -> str:
    """The digest of this browser's session; empty for a visitor."""
    return visit.here().digest


def standing() -> Standing | None:
    """The session of this browser as it was read; None for a visitor."""
    return visit.here().row


def go_on(user: User, *, proved_by: str | None = None) -> str:
    """Let this browser's session go on after a step ended all of the person's.

    In the step's transaction. Give the answer to `keep` once that is committed.
    """
    before = standing()
    assert before is not None
    assert before.user_id == user.id
    return session.go_on(before, proved_by=proved_by)


def keep(secret: str, user: User, *, proved_by: str | None = None) -> None:
    """Give this browser the id under which its session goes on. After the commit.

    `proved_by` says with what the person has just shown that it is them.
    """
    here = visit.here()
    before = here.row
    assert before is not None
    left = None
    if before.remembered:
        whole = session.lifetimes(user, remembered=True).whole
        left = before.started_at + whole - clock.now()
    here.keep(secret, lasts=left)
    here.row = before._replace(digest=here.digest)
    if proved_by:
        here.row = here.row._replace(proved_at=clock.now(), proved_by=proved_by)


def forget_the_person() -> None:
    """Take back a sign-in that could not be written down."""
    visit.here().go_back()
    current_app.login_manager._update_request_context_with_user()  # type: ignore[attr-defined]


def _whose(digest: str) -> User | None:
    """Whose session this is. One query, with what the gate needs to know of the person."""
    here = visit.here()
    if digest != here.digest:
        return None  # Flask-Login read it from somewhere else
    found = session.find(digest)
    if found is None:
        return None
    here.row = found.standing
    set_request_attr("fs_authn_via", "session")
    set_request_attr("fs_paa", found.proved_at.timestamp())
    return found.user


def _nobody(_request: Any) -> None:
    return


def _begin(_app: Flask, user: User, authn_via: Sequence[str] | None = None, **_about: Any) -> None:
    """Somebody signed in: a row, and an id that nobody had before (ASVS 7.2.4).

    What was brought is never taken over, so that nobody can give a browser an id in advance.
    Whoever signs in commits.

    Raises:
        Overtaken: all sessions of the account were ended since the password was compared.
    """
    _must_be_as_it_was(user)
    here = visit.here()
    remembered = here.get("_remember") == "set"
    before = here.digest
    if before:
        session.end(before)
    secret = session.begin(
        user,
        agent=request.headers.get("User-Agent", ""),
        network=network_of(request.remote_addr or ""),
        remembered=remembered,
    )
    here.begin(secret, lasts=session.lifetimes(user, remembered=True).whole if remembered else None)
    g.pop("csrf_token", None)  # made for the visitor; the next form on this page is the person's
    history.note_sign_in(user, authn_via or ())


def _must_be_as_it_was(user: User) -> None:
    """Refuse a sign-in that an alarm or another password overtook.

    A password is compared outside of any transaction, which takes its time. The row is locked, so
    that whoever ends all sessions from now on ends this one, too.
    """
    as_read = user.fs_uniquifier
    now = db.session.scalar(
        select(User.fs_uniquifier)
        .where(User.id == user.id)
        .with_for_update(of=User, key_share=True)
    )
    if now != as_read:
        raise Overtaken


def _end(_app: Flask, **_about: Any) -> None:
    """Somebody signed out: the row goes, so that a copy of the cookie is worth nothing (7.4.1)."""
    here = visit.here()
    if here.secret:
        with transaction():
            session.end(here.digest)
    here.leave()
    g.pop("csrf_token", None)

    @after_this_request
    def clear(response: Response) -> Response:
        response.headers["Clear-Site-Data"] = CLEARED_AT_SIGN_OUT
        return response


def _note_seen(response: Response) -> Response:
    """Write down that the person was here, at most once a minute, and never at a page's cost.

    After the page is made, in a transaction of one statement that waits for nobody: where the
    database is busy, the next request writes it.
    """
    here = visit.here()
    row = here.row
    if row is None or here.secret != here.brought or response.status_code >= 500 or _by_itself():
        return response
    if clock.now() - row.last_seen_at < session.SEEN_EVERY:
        return response
    db.session.rollback()
    try:
        session.note_seen(row.digest)
    except OperationalError:
        current_app.logger.debug("busy: a session was not marked as seen")
    return response


def _by_itself() -> bool:
    """Whether the page asks by itself, whether or not anybody is in front of it."""
    in_part = "HX-Request" in request.headers and request.endpoint in ASKED_IN_PART_BY_PAGES
    return in_part or request.endpoint in ASKED_BY_PAGES
