"""Languages: which one a page or a mail speaks, and how dates, times and numbers read in it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from gettext import find

import pytz
from babel import Locale
from flask import Flask, current_app, g, has_request_context, request, session
from flask_babel import Babel, force_locale, get_locale
from flask_login import current_user
from pytz.tzinfo import BaseTzInfo
from werkzeug.wrappers import Response

from portal import settings
from portal.i18n import form_messages
from portal.i18n.form_messages import FormTranslations, form_translations
from portal.i18n.tags import direction, locale_of, match, negotiate, own_name, tag
from portal.i18n.texts import (
    ago,
    at_most_text,
    date_text,
    duration_text,
    machine_time,
    moment_text,
    number_text,
    soon_text,
    time_there,
)
from portal.i18n.zones import time_zone_menu, zone_named

__all__ = [
    "FormTranslations",
    "ago",
    "at_most_text",
    "date_text",
    "direction",
    "duration_text",
    "form_translations",
    "init_app",
    "language_menu",
    "languages",
    "machine_time",
    "mail_locale",
    "match",
    "moment_text",
    "negotiate",
    "number_text",
    "own_name",
    "remember_language",
    "soon_text",
    "tag",
    "time_there",
    "time_zone_menu",
    "without_catalogue",
    "zone_of",
]

log = logging.getLogger(__name__)

TRANSLATIONS = str(settings.ROOT / "translations")

# What the libraries are told, so that our words fill the gaps of theirs.
# Flask-Security takes a domain for each folder, in the same order; the last one wins.
SECURITY_I18N_DOMAIN = "flask_security;flask_security;messages"
SECURITY_I18N_DIRNAME = ["builtin", TRANSLATIONS, TRANSLATIONS]
ADMIN_TRANSLATIONS = TRANSLATIONS

COOKIE = "language"
COOKIE_DAYS = 365
PARAMETER = "lang"


def init_app(app: Flask) -> None:
    """Make pages, forms and mails of this app speak the languages of its settings."""
    site = app.extensions["portal.settings"].site
    app.config.setdefault("BABEL_TRANSLATION_DIRECTORIES", TRANSLATIONS)
    app.config["BABEL_DEFAULT_LOCALE"] = site.default_language
    app.config["BABEL_DEFAULT_TIMEZONE"] = site.time_zone
    Babel(app, locale_selector=_locale_of_request, timezone_selector=_time_zone_of_viewer)
    form_messages.init_app(app, app.config["BABEL_TRANSLATION_DIRECTORIES"].split(";"))

    for read in (
        moment_text,
        date_text,
        ago,
        duration_text,
        at_most_text,
        number_text,
        machine_time,
        soon_text,
    ):
        app.add_template_filter(read)
    app.context_processor(_language_context)
    app.after_request(_say_the_language)

    for code in without_catalogue(site.languages):
        log.warning("%s has no compiled catalogue: who chooses it reads English", code)


def without_catalogue(codes: tuple[str, ...]) -> list[str]:
    """Those of these languages that nobody has translated, or whose catalogue is not compiled."""
    return [
        code
        for code in codes
        if not code.startswith("en") and not find("messages", TRANSLATIONS, [code])
    ]


def languages() -> tuple[str, ...]:
    """The codes of the languages that this site offers, in the order of its settings."""
    return settings.current().site.languages


def language_menu() -> list[tuple[str, str]]:
    """Code and own name of every language on offer, as ("de", "Deutsch")."""
    return [(code, own_name(code)) for code in languages()]


def _locale_of_request() -> Locale:
    site = settings.current().site
    if not has_request_context():
        return locale_of(site.default_language)
    code = (
        match(request.args.get(PARAMETER), site.languages)
        or match(_preference("language"), site.languages)
        or match(_cookie(), site.languages)
        or negotiate(request.headers.get("Accept-Language", "")[:256], site.languages)
        or site.default_language
    )
    g.negotiated_language = code
    return locale_of(code)


def _time_zone_of_viewer() -> BaseTzInfo:
    wanted = _preference("time_zone") if has_request_context() else None
    return zone_of(wanted)


def zone_of(wanted: str | None) -> BaseTzInfo:
    """The time zone of somebody who wants this one; the site's for none and for an unknown one."""
    return zone_named(wanted) or zone_named(settings.current().site.time_zone) or pytz.utc


def _preference(name: str) -> str | None:
    """What the signed-in account prefers; for a visitor, nobody is looked up."""
    if "_login_user" in g or "_user_id" in session:
        return getattr(current_user, name, None)
    return None


def _cookie() -> str | None:
    return request.cookies.get(settings.current().cookie_name(COOKIE))


@contextmanager
def mail_locale(language: str | None, time_zone: str | None = None) -> Iterator[None]:
    """Speak a recipient's language and time zone, whoever caused the mail.

    A language that the site no longer offers becomes its default language; no time zone, or an
    unknown one, becomes the site's, never that of the person whose request this is.
    """
    site = settings.current().site
    zone = zone_of(time_zone)
    with force_locale(locale_of(match(language, site.languages) or site.default_language)):
        viewer = g._flask_babel  # Flask-Babel forces a locale, but has nothing to force a zone
        before = getattr(viewer, "babel_tzinfo", None)
        viewer.babel_tzinfo = zone
        try:
            yield
        finally:
            viewer.babel_tzinfo = before


def remember_language(response: Response, code: str) -> Response:
    """Keep a visitor's choice in a cookie that scripts cannot read."""
    response.set_cookie(
        settings.current().cookie_name(COOKIE),
        code,
        max_age=timedelta(days=COOKIE_DAYS),
        path=current_app.config["APPLICATION_ROOT"] or "/",
        secure=settings.current().is_https,
        httponly=True,
        samesite="Lax",
    )
    return response


def _say_the_language(response: Response) -> Response:
    if 300 <= response.status_code < 400:
        return response  # it shows no words, and must not tell who had to be looked up
    if code := g.get("negotiated_language"):
        response.vary.update(["Accept-Language", "Cookie"])
        if not response.direct_passthrough:
            response.content_language.add(tag(code))
    return response


def _language_context() -> dict[str, object]:
    code = str(get_locale())
    return {
        "locale": tag(code),
        "direction": direction(code),
        "languages": language_menu(),
    }
