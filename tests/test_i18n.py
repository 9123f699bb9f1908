"""Languages: which one a page or a mail speaks, and how dates, times and numbers read in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask, redirect, render_template_string
from flask.testing import FlaskClient
from flask_babel import get_locale, get_timezone
from flask_login import LoginManager, UserMixin
from werkzeug.wrappers import Response
from wtforms import DateField, Form, StringField
from wtforms.validators import InputRequired

from portal import i18n
from portal.i18n.zones import zone_named
from portal.settings import Secrets, Settings, Site

NOON = datetime(2026, 7, 23, 12, 5, 30, tzinfo=UTC)
OFFERED = ("en", "de", "es", "ar", "pt_BR", "zh_Hans_CN", "nb")


@dataclass
class Reader(UserMixin):
    """Somebody signed in, with what languages ask of an account."""

    id: str = "ada"
    language: str = "es"
    time_zone: str | None = "Asia/Kolkata"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    secrets = Secrets(secret_key="k" * 32, password_salt="s" * 32, outbox_key="o" * 32)
    return Settings(instance=tmp_path, secrets=secrets, site=Site(languages=OFFERED))


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def site(settings: Settings, reader: Reader, catalogues: Path) -> Flask:
    """A site of one page that says in which language it is read."""
    app = Flask(__name__)
    app.secret_key = settings.secrets.secret_key
    app.extensions["portal.settings"] = settings
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(catalogues)
    login = app.extensions["portal.login"] = LoginManager(app)
    login.user_loader(lambda key: reader if key == reader.id else None)
    i18n.init_app(app)

    @app.get("/")
    def page() -> str:
        return render_template_string(
            "{{ locale }} {{ direction }} {{ moment|moment_text }}", moment=NOON
        )

    @app.get("/plain")
    def plain() -> str:
        return "the same for everybody"

    return app


@pytest.fixture
def client(site: Flask) -> FlaskClient:
    return site.test_client()


@pytest.fixture
def in_the_app(site: Flask) -> Iterator[Flask]:
    with site.app_context():
        yield site


def language_of(client: FlaskClient, path: str = "/", **headers: str) -> str:
    accept = {"Accept-Language": headers["accept"]} if "accept" in headers else {}
    return client.get(path, headers=accept).text.split()[0]


def sign_in(client: FlaskClient, reader: Reader) -> None:
    with client.session_transaction() as session:
        session["_user_id"] = reader.id


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("DE-ch-1996", "de"),
        ("ar-EG", "ar"),
        ("es-419, en;q=0.3", "es"),
        ("pt", "pt_BR"),
        ("pt-PT", "pt_BR"),
        ("zh", "zh_Hans_CN"),
        ("zh-CN", "zh_Hans_CN"),
        ("zh-Hans", "zh_Hans_CN"),
        ("zh-Hans-SG", "zh_Hans_CN"),
        ("zh-SG", "zh_Hans_CN"),
        ("zh-TW, de;q=0.5", "de"),
        ("zh-Hant-HK, de;q=0.5", "de"),
        ("no", "nb"),
        ("nn-NO", "nb"),
        ("fr, it;q=0.9, es;q=0.1", "es"),
        ("en;q=0.2, de;q=0.9", "de"),
        ("de;q=0, es;q=0.1", "es"),
        ("fr", None),
        ("*", None),
        ("", None),
        (";;;=,,q", None),
        ("de;q=much", None),
        ("x" * 5000, None),
    ],
)
def test_a_browsers_wish_finds_the_nearest_language(header: str, code: str | None) -> None:
    assert i18n.negotiate(header, OFFERED) == code


def test_a_whole_tag_comes_before_its_beginning() -> None:
    offered = ("pt_PT", "pt_BR", "zh_Hant_TW", "zh_Hans_CN")

    assert i18n.match("pt-br", offered) == "pt_BR"
    assert i18n.match("pt", offered) == "pt_PT"
    assert i18n.match("zh-tw", offered) == "zh_Hant_TW"
    assert i18n.match("zh-CN", offered) == "zh_Hans_CN"


def test_what_is_no_language_matches_none() -> None:
    assert i18n.match(None, OFFERED) is None
    assert i18n.match("", OFFERED) is None
    assert i18n.match("../../etc/passwd", OFFERED) is None
    assert i18n.match("de\0", OFFERED) is None
    assert i18n.match("-" * 10_000, OFFERED) is None


def test_address_then_account_then_cookie_then_browser_then_site(
    client: FlaskClient, reader: Reader
) -> None:
    assert language_of(client) == "en"
    assert language_of(client, accept="de-AT") == "de"

    client.set_cookie(i18n.COOKIE, "ar")
    assert language_of(client, accept="de-AT") == "ar"

    sign_in(client, reader)
    assert language_of(client, accept="de-AT") == "es"

    assert language_of(client, "/?lang=zh-CN", accept="de-AT") == "zh-Hans-CN"
    assert language_of(client, "/?lang=klingon", accept="de-AT") == "es"


def test_a_language_in_the_address_is_for_this_page_alone(client: FlaskClient) -> None:
    """A link changes nothing, not even a cookie: choosing is a POST (H)."""
    response = client.get("/?lang=pt-PT")

    assert response.headers["Content-Language"] == "pt-BR"
    assert "Set-Cookie" not in response.headers
    assert language_of(client, accept="de") == "de"


def test_a_choice_is_kept_in_a_cookie_that_no_script_reads(site: Flask, settings: Settings) -> None:
    with site.app_context():
        on_loopback = i18n.remember_language(Response(), "de").headers["Set-Cookie"]
        site.extensions["portal.settings"] = replace(
            settings, public_url="https://portal.example.org"
        )
        secure = i18n.remember_language(Response(), "de").headers["Set-Cookie"]

    assert on_loopback.startswith(f"{i18n.COOKIE}=de;")
    for cookie in (on_loopback, secure):
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
    assert "Secure" not in on_loopback
    assert "Secure" in secure


def test_a_language_that_is_no_longer_offered_is_passed_over(
    client: FlaskClient, reader: Reader
) -> None:
    reader.language = "fr"
    client.set_cookie(i18n.COOKIE, "tlh")
    sign_in(client, reader)

    assert language_of(client, accept="de") == "de"


def test_a_page_says_its_language_and_what_it_depends_on(client: FlaskClient) -> None:
    response = client.get("/", headers={"Accept-Language": "zh-CN"})

    assert response.headers["Content-Language"] == "zh-Hans-CN"
    assert {"accept-language", "cookie"} <= {part.lower() for part in response.vary}


def test_what_reads_the_same_for_everybody_says_nothing_of_languages(
    client: FlaskClient,
) -> None:
    response = client.get("/plain", headers={"Accept-Language": "de"})

    assert "Content-Language" not in response.headers
    assert "accept-language" not in {part.lower() for part in response.vary}


def test_a_redirect_does_not_tell_whether_something_was_translated(
    site: Flask, client: FlaskClient
) -> None:
    @site.post("/quietly")
    def quietly() -> Response:
        return redirect("/")

    @site.post("/in-words")
    def in_words() -> Response:
        assert str(get_locale()) == "de"
        return redirect("/")

    browser = {"Accept-Language": "de"}

    assert (
        client.post("/quietly", headers=browser).headers.to_wsgi_list()
        == client.post("/in-words", headers=browser).headers.to_wsgi_list()
    )


def test_nobody_is_looked_up_for_a_visitor(site: Flask) -> None:
    def refuse(key: str) -> None:
        raise AssertionError("a visitor was looked up")

    site.extensions["portal.login"].user_loader(refuse)

    with site.test_request_context("/", headers={"Accept-Language": "de"}):
        assert str(get_locale()) == "de"


def test_without_a_request_the_site_speaks_its_own_language(in_the_app: Flask) -> None:
    assert str(get_locale()) == "en"
    assert str(get_timezone()) == "UTC"


def test_arabic_is_written_from_right_to_left(client: FlaskClient) -> None:
    assert i18n.direction("ar") == "rtl"
    assert i18n.direction("ar_001") == "rtl"
    assert {i18n.direction(code) for code in OFFERED if code != "ar"} == {"ltr"}
    assert client.get("/?lang=ar").text.split()[:2] == ["ar", "rtl"]


def test_every_language_stands_in_the_menu_under_its_own_name(
    in_the_app: Flask,
) -> None:
    menu = dict(i18n.language_menu())

    assert tuple(menu) == OFFERED
    assert menu["en"] == "English"
    assert menu["de"] == "Deutsch"
    assert menu["es"] == "Español"
    assert menu["ar"] == "العربية"


def test_a_mail_speaks_the_language_and_zone_of_whoever_receives_it(
    site: Flask, reader: Reader
) -> None:
    with site.test_request_context("/?lang=ar"):
        before = i18n.moment_text(NOON)
        with i18n.mail_locale("de", "Europe/Berlin"):
            inside = i18n.moment_text(NOON)
            page = render_template_string("{{ locale }} {{ direction }}")
        after = i18n.moment_text(NOON)

    assert inside == "23. Juli 2026, 14:05 MESZ"
    assert page == "de ltr"
    assert before == after != inside


def test_a_mail_never_takes_the_zone_of_whoever_caused_it(site: Flask, reader: Reader) -> None:
    client = site.test_client()
    sign_in(client, reader)

    @site.get("/mail")
    def mail() -> str:
        with i18n.mail_locale("en"):
            return i18n.moment_text(NOON)

    assert "17:35 GMT+05:30" in client.get("/").text
    assert client.get("/mail").text.endswith("12:05\u202fPM UTC")


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [("de_AT", "de"), ("zh-CN", "zh_Hans_CN"), ("fr", "en"), ("", "en"), (None, "en")],
)
def test_a_mail_in_a_language_not_offered_takes_the_nearest_or_the_sites(
    in_the_app: Flask, asked: str | None, spoken: str
) -> None:
    with i18n.mail_locale(asked):
        assert str(get_locale()) == spoken
    assert str(get_locale()) == "en"


def test_mail_locales_nest_and_end_with_an_error(in_the_app: Flask) -> None:
    with i18n.mail_locale("de", "Europe/Berlin"):
        with pytest.raises(ValueError, match="nonsense"), i18n.mail_locale("ar", "Asia/Riyadh"):
            int("nonsense")
        assert str(get_locale()) == "de"
        assert str(get_timezone()) == "Europe/Berlin"
    assert str(get_locale()) == "en"


@pytest.mark.parametrize(
    ("language", "zone", "text"),
    [
        ("en", "UTC", "July 23, 2026, 12:05\u202fPM UTC"),
        ("en", "America/Los_Angeles", "July 23, 2026, 5:05\u202fAM PDT"),
        ("en", "Europe/Berlin", "July 23, 2026, 2:05\u202fPM GMT+02:00"),
        ("de", "Europe/Berlin", "23. Juli 2026, 14:05 MESZ"),
        ("de", "Asia/Kolkata", "23. Juli 2026, 17:35 GMT+05:30"),
        ("es", "Europe/Madrid", "23 de julio de 2026, 14:05 CEST"),
        ("ar", "Asia/Riyadh", "23 يوليو 2026، 3:05 م غرينتش+03:00"),
        ("zh_Hans_CN", "Asia/Shanghai", "2026年7月23日 20:05 GMT+08:00"),
    ],
)
def test_a_moment_is_told_in_the_readers_zone_and_names_it(
    in_the_app: Flask, language: str, zone: str, text: str
) -> None:
    with i18n.mail_locale(language, zone):
        assert i18n.moment_text(NOON) == text


def test_a_signed_in_reader_sees_their_own_zone(client: FlaskClient, reader: Reader) -> None:
    sign_in(client, reader)

    assert "23 de julio de 2026, 17:35 GMT+05:30" in client.get("/").text


def test_an_unknown_zone_becomes_the_sites(client: FlaskClient, reader: Reader) -> None:
    reader.time_zone = "Mars/Olympus_Mons"
    sign_in(client, reader)

    assert "12:05 UTC" in client.get("/").text


@pytest.mark.parametrize(
    ("language", "zone", "text"),
    [
        ("en", "UTC", "July 23, 2026"),
        ("de", "UTC", "23. Juli 2026"),
        ("es", "UTC", "23 de julio de 2026"),
        ("ar", "UTC", "23 يوليو 2026"),
        ("en", "Pacific/Kiritimati", "July 24, 2026"),
    ],
)
def test_a_date_is_that_of_the_readers_zone(
    in_the_app: Flask, language: str, zone: str, text: str
) -> None:
    with i18n.mail_locale(language, zone):
        assert i18n.date_text(NOON) == text


@pytest.mark.parametrize(
    ("language", "distance", "text"),
    [
        ("en", timedelta(days=-3), "3 days ago"),
        ("en", timedelta(hours=2), "in 2 hours"),
        ("en", timedelta(minutes=-1), "1 minute ago"),
        ("en", timedelta(seconds=-20), "just now"),
        ("de", timedelta(days=-1), "vor 1 Tag"),
        ("es", timedelta(days=-3), "hace 3 días"),
        ("ar", timedelta(days=-2), "قبل يومين"),
        ("ar", timedelta(days=-3), "قبل 3 أيام"),
        ("ar", timedelta(minutes=-11), "قبل 11 دقيقة"),
    ],
)
def test_distances_in_time_are_told_in_words(
    in_the_app: Flask, language: str, distance: timedelta, text: str
) -> None:
    with time_machine.travel(NOON, tick=False), i18n.mail_locale(language):
        assert i18n.ago(NOON + distance) == text


@pytest.mark.parametrize(
    ("language", "wait", "text"),
    [
        ("en", timedelta(0), "1 hour"),
        ("en", timedelta(hours=1), "1 hour"),
        ("en", timedelta(hours=3, seconds=1), "4 hours"),
        ("en", timedelta(hours=12, seconds=1), "1 day"),
        ("en", timedelta(hours=30), "2 days"),
        ("en", timedelta(days=14), "14 days"),
        ("en", timedelta(days=14, seconds=1), "3 weeks"),
        ("en", timedelta(days=45), "7 weeks"),
        ("de", timedelta(hours=3), "3 Stunden"),
        ("ar", timedelta(days=2), "يومان"),
    ],
)
def test_a_wait_is_told_in_round_words_and_never_shorter_than_it_is(
    in_the_app: Flask, language: str, wait: timedelta, text: str
) -> None:
    with i18n.mail_locale(language):
        assert i18n.at_most_text(wait) == text


def test_no_moment_is_no_text(in_the_app: Flask) -> None:
    assert i18n.moment_text(None) == i18n.date_text(None) == i18n.ago(None) == ""


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "1,234,567.5"),
        ("de", "1.234.567,5"),
        ("es", "1.234.567,5"),
        ("ar", "1,234,567.5"),
    ],
)
def test_numbers_take_the_separators_of_the_language(
    in_the_app: Flask, language: str, text: str
) -> None:
    with i18n.mail_locale(language):
        assert i18n.number_text(1234567.5).replace("\u200e", "") == text


def test_machines_read_moments_in_utc(in_the_app: Flask) -> None:
    there = NOON.astimezone(zone_named("Asia/Kolkata"))

    assert i18n.machine_time(there) == "2026-07-23T12:05:30Z"


def test_time_zones_are_listed_by_their_place_in_the_readers_language(in_the_app: Flask) -> None:
    with i18n.mail_locale("de"):
        menu = i18n.time_zone_menu()
        places = [place for _, place in menu]
    with i18n.mail_locale("ar"):
        arabic = dict(i18n.time_zone_menu())

    assert menu[0] == ("UTC", "UTC")
    assert dict(menu)["Asia/Tokyo"] == "Tokio (Japan)"
    assert dict(menu)["Asia/Singapore"] == "Singapur"
    assert dict(menu)["Europe/Kyiv"] == "Kiew (Ukraine)"
    assert places.index("Ürümqi (China)") < places.index("Vancouver (Kanada)")
    assert not any("/" in place for _, place in menu)
    assert arabic["Asia/Riyadh"] == "الرياض (المملكة العربية السعودية)"


def test_a_zone_by_an_older_name_stays_in_its_owners_list(in_the_app: Flask) -> None:
    assert "US/Eastern" not in dict(i18n.time_zone_menu())
    assert dict(i18n.time_zone_menu(besides="US/Eastern"))["US/Eastern"] == (
        "New York (United States)"
    )
    assert "Mars/Base" not in dict(i18n.time_zone_menu(besides="Mars/Base"))


class Visit(Form):
    """A form as ours are: WTForms' own validators, our translations."""

    class Meta:
        def get_translations(self, form: Form) -> i18n.FormTranslations:
            return i18n.form_translations()

    name = StringField(validators=[InputRequired()])
    day = DateField()


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "This field is required."),
        ("de", "Dieses Feld wird benötigt."),
        ("es", "Este campo es obligatorio."),
        ("ar", "هذا الحقل مطلوب."),
    ],
)
def test_forms_speak_the_readers_language(in_the_app: Flask, language: str, text: str) -> None:
    with i18n.mail_locale(language):
        form = Visit(name="")
        form.validate()

        assert form.name.errors[0] == text


def test_an_overlay_fills_what_wtforms_misses(in_the_app: Flask) -> None:
    with i18n.mail_locale("de"):
        assert (
            i18n.form_translations().gettext("Not a valid time value.") == "Keine gültige Uhrzeit."
        )
        assert i18n.form_translations().gettext("Not a valid choice.") == "Keine gültige Auswahl."


def test_catalogues_are_read_once(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client.get("/?lang=de")

    def refuse(*arguments: object) -> None:
        raise AssertionError("a catalogue was opened again")

    monkeypatch.setattr("babel.support.Translations.load", refuse)
    monkeypatch.setattr("builtins.open", refuse)

    assert client.get("/?lang=de").status_code == 200


def test_a_language_without_a_catalogue_is_named_at_the_start(
    site: Flask, catalogues: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(i18n, "TRANSLATIONS", str(catalogues))

    assert i18n.without_catalogue(("en", "de", "es", "ar")) == []
    assert i18n.without_catalogue(OFFERED) == ["pt_BR", "zh_Hans_CN", "nb"]

    fresh = Flask("fresh")
    fresh.extensions["portal.settings"] = site.extensions["portal.settings"]
    i18n.init_app(fresh)

    assert "pt_BR has no compiled catalogue" in caplog.text


def test_a_header_is_parsed_once(client: FlaskClient) -> None:
    i18n.negotiate.cache_clear()

    for _ in range(3):
        client.get("/", headers={"Accept-Language": "de-AT, en;q=0.5"})

    assert i18n.negotiate.cache_info().misses == 1
    assert i18n.negotiate.cache_info().hits == 2
