"""Error pages: what happened, in words, and what to do; as JSON for machines."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Flask, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_limiter import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from werkzeug.exceptions import HTTPException, SecurityError

from portal.database import db
from portal.errors import StepRefused
from portal.logs import SecurityEvent, note, request_ids
from portal.security import limits
from portal.security.hashing import TooBusy
from portal.security.isolation import FromAnotherSite

# PostgreSQL's words for it: deadlock detected, serialization failure.
_IN_EACH_OTHERS_WAY = ("40P01", "40001")

# What a page that somebody uses as it is meant does not meet. Addresses that lead nowhere are
# in the access log.
_EVENTS = {
    400: SecurityEvent.MALFORMED,
    403: SecurityEvent.DENIED,
    413: SecurityEvent.MALFORMED,
    415: SecurityEvent.MALFORMED,
}

# Seconds in which dozens of passwords are hashed.
_A_MOMENT = 5


def init_app(app: Flask) -> None:
    """Answer every failure with a page that says what to do."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(RateLimitExceeded, _too_many)
    app.register_error_handler(limits.SlowDown, _too_many)
    app.register_error_handler(TooBusy, _too_busy)
    app.register_error_handler(SecurityError, _bare_bad_request)
    app.register_error_handler(FromAnotherSite, _from_another_site)
    app.register_error_handler(CSRFError, _form_too_old)
    app.register_error_handler(StepRefused, _refused)
    app.register_error_handler(IntegrityError, _conflict)
    app.register_error_handler(DataError, _unreadable)
    app.register_error_handler(OperationalError, _database_away)
    app.register_error_handler(Exception, _unexpected)


def _http(error: HTTPException) -> ResponseReturnValue:
    code = error.code or 500
    if code < 400:
        return error.get_response()
    if code in _EVENTS:
        note(_EVENTS[code], code=code)
    title, sentence, what_to_do = _texts(code)
    headers = {name: value for name, value in error.get_headers(request.environ) if name == "Allow"}
    return _page(code, title, sentence, what_to_do), code, headers


def _too_many(error: RateLimitExceeded | limits.SlowDown) -> ResponseReturnValue:
    wait = limits.seconds_left(error)
    note(SecurityEvent.LIMITED, wait_seconds=wait)
    page = _page(
        429,
        *_texts(429),
        wait=timedelta(seconds=wait),
        # The way in that nobody else can slow down.
        reset_url=url_for("pages.forgot") if request.endpoint == "security.login" else None,
    )
    return page, 429, {"Retry-After": str(wait)}


def _too_busy(_error: TooBusy) -> ResponseReturnValue:
    db.session.rollback()
    note(SecurityEvent.TOO_BUSY)
    return (
        _page(
            503,
            _("Many people are signing in right now"),
            _(
                "The portal had no time for your password. "
                "Nothing was changed, and nothing is lost."
            ),
            _("Wait a few seconds, then reload this page: your browser sends the form again."),
            wait=timedelta(seconds=_A_MOMENT),
        ),
        503,
        {"Retry-After": str(_A_MOMENT)},
    )


def _bare_bad_request(_error: SecurityError) -> ResponseReturnValue:
    """The Host is not ours: no link can be made, so the page is static."""
    note(SecurityEvent.WRONG_HOST)
    return render_template("errors/bare.html", code=400), 400


def _from_another_site(_error: FromAnotherSite) -> ResponseReturnValue:
    note(SecurityEvent.FROM_ANOTHER_SITE)
    return _page(
        403,
        _("Another site asked for this"),
        _("A page that is not the portal's own made your browser ask for it. Nothing was done."),
        _("Go to the first page and look from there."),
    ), 403


def _form_too_old(_error: CSRFError) -> ResponseReturnValue:
    note(SecurityEvent.CSRF_FAILED)
    return _page(
        400,
        _("This form is too old"),
        _("You may have signed in or out in another window since it was shown."),
        _("Go back, reload the page, and send the form again."),
    ), 400


def _refused(error: StepRefused) -> ResponseReturnValue:
    return _page(409, _("This cannot be done"), str(error), ""), 409


def _conflict(_error: IntegrityError) -> ResponseReturnValue:
    db.session.rollback()
    return _page(
        409,
        _("Somebody else was faster"),
        _("The same name or address was taken a moment ago."),
        _("Go back and choose another one."),
    ), 409


def _unreadable(_error: DataError) -> ResponseReturnValue:
    db.session.rollback()
    note(SecurityEvent.MALFORMED, code=400)
    title, sentence, what_to_do = _texts(400)
    return _page(400, title, sentence, what_to_do), 400


def _database_away(error: OperationalError) -> ResponseReturnValue:
    db.session.rollback()
    if getattr(error.orig, "sqlstate", "") in _IN_EACH_OTHERS_WAY:
        return _page(
            409,
            _("Somebody else was faster"),
            _("Somebody changed the same thing at the same moment."),
            _("Go back, look again, and try once more."),
        ), 409
    note(SecurityEvent.DATABASE_AWAY, exc_info=error)
    return _bare(503), 503, {"Retry-After": "5"}


def _unexpected(error: Exception) -> ResponseReturnValue:
    db.session.rollback()
    note(SecurityEvent.ERROR, exc_info=error)
    # Whoever looks for it finds the line, and what else the request did, by this number.
    return _bare(500, request_ids.current() or ""), 500


def _bare(code: int, error_id: str = "") -> Any:
    if _wants_json():
        return {"error": code, "id": error_id}
    return render_template("errors/bare.html", code=code, error_id=error_id)


def _page(code: int, title: str, sentence: str, what_to_do: str, **more: Any) -> Any:
    if _wants_json():
        return {"error": code, "title": title, "sentence": sentence}
    try:
        return render_template(
            "errors/error.html",
            code=code,
            title=title,
            sentence=sentence,
            what_to_do=what_to_do,
            **more,
        )
    except OperationalError:
        return render_template("errors/bare.html", code=code)


def _wants_json() -> bool:
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return best == "application/json"


def _texts(code: int) -> tuple[str, str, str]:
    texts = {
        400: (
            _("This cannot be understood"),
            _("Something in this request has a form that the portal does not take."),
            _("Go back and try again."),
        ),
        403: (
            _("This page is not open to you"),
            _("Your account does not have the permission that this page asks for."),
            _("Ask the staff if you need it."),
        ),
        404: (
            _("There is no such page"),
            _("The address may be mistyped, or what was here is gone."),
            _("Go to the first page and look from there."),
        ),
        405: (
            _("This page does not work that way"),
            _("The request used a method that this address does not take."),
            _("Go back and use the buttons on the page."),
        ),
        413: (
            _("This is too large"),
            _("The portal takes short forms, no large files."),
            _("Shorten what you entered and send it again."),
        ),
        429: (
            _("Too many attempts"),
            _("To keep accounts safe, this cannot be tried more often for now."),
            "",
        ),
    }
    return texts.get(code, texts[400] if code < 500 else _trouble())


def _trouble() -> tuple[str, str, str]:
    return (
        _("Something went wrong"),
        _("The portal could not answer. The people who run it are told."),
        _("Try again in a moment."),
    )
