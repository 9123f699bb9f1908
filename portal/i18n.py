"""Languages: which one a page or a mail speaks, and how dates, times and numbers read in it."""

import logging
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache, lru_cache
from gettext import find
from pathlib import Path

import pytz
from babel import Locale, dates, numbers
from babel.core import get_global
from flask import Flask, current_app, g, has_request_context, request, session
from flask_babel import Babel, Domain, force_locale, get_locale, get_timezone
from flask_babel import gettext as _
from flask_login import current_user
from pytz.tzinfo import BaseTzInfo
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header
from werkzeug.wrappers import Response
from wtforms.i18n import messages_path

from portal import clock, settings

log = logging.getLogger(__name__)

TRANSLATIONS = str(Path(__file__).resolve().parent.parent / "translations")

# What the libraries are told, so that our words fill the gaps of theirs.
# Flask-Security takes a domain for each folder, in the same order; the last one wins.
SECURITY_I18N_DOMAIN = "flask_security;flask_security;messages"
SECURITY_I18N_DIRNAME = ["builtin", TRANSLATIONS, TRANSLATIONS]
ADMIN_TRANSLATIONS = TRANSLATIONS

COOKIE = "language"
COOKIE_DAYS = 365
PARAMETER = "lang"

# Tags that browsers send and that shortening does not lead to a catalogue's name.
ALIASES = {
    "iw": "he",
    "in": "id",
    "ji": "yi",
    "nb": "no",
    "nn": "nb",
    "no": "nb",
    "tl": "fil",
    "zh-cn": "zh-hans-cn",
    "zh-sg": "zh-hans-cn",
    "zh-hans": "zh-hans-cn",
    "zh-tw": "zh-hant-tw",
    "zh-hk": "zh-hant-tw",
    "zh-mo": "zh-hant-tw",
    "zh-hant": "zh-hant-tw",
}

JUST_NOW = timedelta(seconds=45)


def init_app(app: Flask) -> None:
    """Make pages, forms and mails of this app speak the languages of its settings."""
    site = app.extensions["portal.settings"].site
    app.config.setdefault("BABEL_TRANSLATION_DIRECTORIES", TRANSLATIONS)
    app.config["BABEL_DEFAULT_LOCALE"] = site.default_language
    app.config["BABEL_DEFAULT_TIMEZONE"] = site.time_zone
    Babel(app, locale_selector=_locale_of_request, timezone_selector=_time_zone_of_viewer)
    app.extensions["portal.wtforms_domain"] = Domain(
        [messages_path(), *app.config["BABEL_TRANSLATION_DIRECTORIES"].split(";")],
        domain="wtforms",
    )

    app.add_template_filter(moment_text)
    app.add_template_filter(date_text)
    app.add_template_filter(ago)
    app.add_template_filter(number_text)
    app.add_template_filter(machine_time)
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


@cache
def own_name(code: str) -> str:
    """What the speakers of a language call it, the first letter as it stands in a list."""
    locale = Locale.parse(code)
    name = locale.get_display_name(locale) or code
    return name[0].upper() + name[1:]


@cache
def tag(code: str) -> str:
    """A language's code as HTML and HTTP spell it: pt_BR becomes pt-BR."""
    return code.replace("_", "-")


@cache
def direction(locale: Locale | str) -> str:
    """Which way a language is written: "ltr" or "rtl"."""
    return _locale(str(locale)).text_direction


def match(wanted: str | None, offered: tuple[str, ...]) -> str | None:
    """The offered language that a tag such as "de-AT" or "zh" means, or None."""
    if not wanted:
        return None
    table = _tags(offered)
    subtags = wanted[:35].replace("_", "-").casefold().split("-")
    while subtags:
        shortened = "-".join(subtags)
        for candidate in (shortened, ALIASES.get(shortened)):
            if candidate in table:
                return table[candidate]
        if ALIASES.get(shortened, "").startswith("zh-hant"):
            return None  # simplified characters are another way of writing, not a fallback
        subtags.pop()
    return None


@lru_cache(maxsize=512)
def negotiate(header: str, offered: tuple[str, ...]) -> str | None:
    """The offered language that an Accept-Language header prefers, or None."""
    accepted = parse_accept_header(header, LanguageAccept)
    for wanted, quality in accepted:
        if quality > 0 and (code := match(wanted, offered)):
            return code
    return None


@cache
def _tags(offered: tuple[str, ...]) -> dict[str | None, str]:
    """Every spelling that leads to a language: its whole tag and, first come, its beginnings."""
    table: dict[str | None, str] = {tag(code).casefold(): code for code in offered}
    for code in offered:
        subtags = tag(code).casefold().split("-")
        while subtags:
            table.setdefault("-".join(subtags), code)
            subtags.pop()
    return table


def _locale_of_request() -> Locale:
    site = settings.current().site
    if not has_request_context():
        return _locale(site.default_language)
    code = (
        match(request.args.get(PARAMETER), site.languages)
        or match(_preference("language"), site.languages)
        or match(request.cookies.get(COOKIE), site.languages)
        or negotiate(request.headers.get("Accept-Language", "")[:256], site.languages)
        or site.default_language
    )
    g.negotiated_language = code
    return _locale(code)


def _time_zone_of_viewer() -> BaseTzInfo:
    wanted = _preference("time_zone") if has_request_context() else None
    return _time_zone(wanted) or _time_zone(settings.current().site.time_zone) or pytz.utc


def _preference(name: str) -> str | None:
    """What the signed-in account prefers; for a visitor, nobody is looked up."""
    remembered = current_app.config.get("REMEMBER_COOKIE_NAME", "remember_token")
    if "_login_user" in g or "_user_id" in session or remembered in request.cookies:
        return getattr(current_user, name, None)
    return None


@cache
def _locale(code: str) -> Locale:
    return Locale.parse(code)


@lru_cache(maxsize=1024)
def _time_zone(name: str | None) -> BaseTzInfo | None:
    try:
        return pytz.timezone(name) if name else None
    except pytz.UnknownTimeZoneError:
        return None


@contextmanager
def mail_locale(language: str | None, time_zone: str | None = None) -> Iterator[None]:
    """Speak a recipient's language and time zone, whoever caused the mail.

    A language that the site no longer offers becomes its default language; no time zone, or an
    unknown one, becomes the site's, never that of the person whose request this is.
    """
    site = settings.current().site
    zone = _time_zone(time_zone) or _time_zone(site.time_zone) or pytz.utc
    with force_locale(_locale(match(language, site.languages) or site.default_language)):
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
        COOKIE,
        code,
        max_age=timedelta(days=COOKIE_DAYS),
        path=current_app.config["APPLICATION_ROOT"] or "/",
        secure=settings.current().is_https,
        httponly=True,
        samesite="Lax",
    )
    return response


def _say_the_language(response: Response) -> Response:
    asked = match(request.args.get(PARAMETER), languages())
    if asked and request.method in ("GET", "HEAD") and asked != request.cookies.get(COOKIE):
        remember_language(response, asked)
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


class FormTranslations:
    """WTForms' own messages with ours on top, from catalogues that are read once."""

    def gettext(self, string: str) -> str:
        """Translate a message."""
        return str(_wtforms_domain().get_translations().ugettext(string))

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        """Translate a message in the form that a number asks for."""
        return str(_wtforms_domain().get_translations().ungettext(singular, plural, n))


def form_translations() -> FormTranslations:
    """What a form's `Meta.get_translations` returns."""
    return FormTranslations()


def _wtforms_domain() -> Domain:
    domain: Domain = current_app.extensions["portal.wtforms_domain"]
    return domain


def moment_text(moment: datetime | None) -> str:
    """Date and time in the viewer's time zone, and which zone that is."""
    if moment is None:
        return ""
    locale = get_locale()
    there = _in_the_viewers_zone(moment)
    date = dates.format_date(there, "long", locale=locale)
    time = dates.format_time(there, "short", tzinfo=there.tzinfo, locale=locale)
    both = str(dates.get_datetime_format("medium", locale=locale)).replace("'", "")
    return f"{both.replace('{0}', time).replace('{1}', date)} {_zone_name(there, locale)}"


def date_text(moment: datetime | None) -> str:
    """The date of a moment in the viewer's time zone."""
    if moment is None:
        return ""
    return dates.format_date(_in_the_viewers_zone(moment), "long", locale=get_locale())


def ago(moment: datetime | None) -> str:
    """How long ago a moment was, or how soon it comes, in words."""
    if moment is None:
        return ""
    distance = moment - clock.now()
    if abs(distance) < JUST_NOW:
        return str(_("just now"))
    return dates.format_timedelta(
        distance, granularity="minute", add_direction=True, locale=get_locale()
    )


def number_text(number: float) -> str:
    """A number with the separators of the viewer's language."""
    return numbers.format_decimal(number, locale=get_locale())


def time_zone_menu(*, besides: str | None = None) -> list[tuple[str, str]]:
    """Name and place of every time zone in the reader's language, as ("Asia/Riyadh", "الرياض …").

    `besides` is one that somebody has already, by an older name perhaps.
    """
    locale = get_locale() or _locale("en")
    zones = _time_zones_in(str(locale))
    if besides and _time_zone(besides) and besides not in dict(zones):
        return [*zones, (besides, _place_of(besides, locale))]
    return list(zones)


@lru_cache(maxsize=32)
def _time_zones_in(code: str) -> tuple[tuple[str, str], ...]:
    places = get_global("zone_territories")
    zones = [zone for zone in pytz.common_timezones if zone in places]
    named = [(zone, _place_of(zone, _locale(code))) for zone in zones]
    return (("UTC", "UTC"), *sorted(named, key=lambda pair: _as_sorted(pair[1])))


def _place_of(zone: str, locale: Locale) -> str:
    names = _names_of(zone)
    cities = (locale.time_zones.get(name, {}).get("city") for name in names)
    city = next(filter(None, cities), None) or names[0].rpartition("/")[2].replace("_", " ")
    countries = map(get_global("zone_territories").get, names)
    country = locale.territories.get(next(filter(None, countries), ""))
    return f"{city} ({country})" if country and country != city else city


def _names_of(zone: str) -> list[str]:
    """A zone's name of today, and those under which older data know it: Asia/Calcutta."""
    aliases = get_global("zone_aliases")
    today = aliases.get(zone, zone)
    return [today, *(old for old, new in aliases.items() if new == today)]


def _as_sorted(name: str) -> str:
    """Where a name stands in a list: accents and capitals do not move it."""
    plain = unicodedata.normalize("NFD", name)
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


def machine_time(moment: datetime) -> str:
    """A moment for the `datetime` attribute of a `<time>` element, in UTC."""
    return moment.astimezone(pytz.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def _in_the_viewers_zone(moment: datetime) -> datetime:
    return moment.astimezone(get_timezone())


def _zone_name(there: datetime, locale: Locale | None) -> str:
    """A short name such as CEST where the language has one, else the distance from Greenwich."""
    short = dates.format_datetime(there, "z", tzinfo=there.tzinfo, locale=locale)
    if short[0] not in "+-":
        return short
    return dates.format_datetime(there, "OOOO", tzinfo=there.tzinfo, locale=locale)
