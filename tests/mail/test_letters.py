"""The letters: every mail, in every language, as text that a reviewer reads in the diff.

After a change: WRITE_LETTERS=1 pytest tests/mail/test_letters.py, and read what changed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask

from portal import i18n
from portal.accounts import approval
from portal.accounts.device import Device
from portal.accounts.intake import Closure
from portal.accounts.user import User
from portal.database import db, transaction
from portal.desk import notice
from portal.desk.waits import UsualWait
from portal.mail import messages, staff_messages
from portal.mail.message import Message
from portal.mail.writing import SUBJECT_LENGTH, WORD_JOINER, _one_line, is_greetable
from tests.people import level

# A portal with a name and a public address of its own, and a mail server.
pytestmark = pytest.mark.settings(
    PORTAL_PUBLIC_URL="https://portal.example.org",
    PORTAL_SITE_NAME="Lighthouse",
    PORTAL_SITE_SUPPORT_EMAIL="help@example.org",
    PORTAL_MAIL_SERVER="mail.example.org",
)

LETTERS = Path(__file__).parent / "letters"
LANGUAGES = ("en", "de", "es", "ar")
HOME = "https://portal.example.org"
BLANKS = "\u034f\u200c\u00a0 \n"  # after the preheader
WITHOUT_ACTION = {"suspended", "erased", "address_changed", "alarm_elsewhere", "status_code"}
# Where else a letter leads, besides its action: to the status page; for the code and "not me";
# and to where staff choose how to be told.
ABOUT_CHANGES = (
    "new_device",
    "password_changed",
    "address_change_asked",
    "address_changed",
    "username_changed",
    "factor_added",
    "factor_removed",
    "factor_guessed",
    "factors_reset",
    "recovery_code_used",
    "recovery_codes_replaced",
    "passkey_copied",
)
BESIDES = {
    "welcome": 1,
    "confirmed_by_hand": 1,
    **dict.fromkeys(messages.CONFIRMATIONS, 3),
    **dict.fromkeys(notice.LETTERS, 1),
    **dict.fromkeys(ABOUT_CHANGES, 1),
}
TO_APPLICANTS = (
    *messages.CONFIRMATIONS,
    *messages.QUESTIONS,
    messages.STATUS_CODE,
    "confirmed_by_hand",
    "waiting",
    "rejected",
)
NOON = datetime(2026, 7, 14, 12, tzinfo=UTC)
CLOSURE = Closure(why="waiting", closed_at=NOON - timedelta(hours=2))
USUAL = UsualWait(timedelta(hours=3), timedelta(days=2), decisions=200)

# Links that differ each time, because they are signed.
_TOKEN = re.compile(r"(/confirm/(?!code)|/reset/|/change-email/|/status/|[?&]draft=)[^\s\"</]+")


def every_mail(user: User, language: str) -> dict[str, Callable[[], Message]]:
    """How each mail is made, by its name."""
    stranger: dict[str, Any] = {
        "full_name": user.full_name,
        "language": language,
        "time_zone": user.time_zone,
    }
    reason = "The address of your school is missing.\nAsk again with it."
    return {
        "confirmation": lambda: messages.confirmation(user, "123456"),
        "confirmation_again": lambda: messages.confirmation_again(user, "123456"),
        "confirmed_by_hand": lambda: messages.confirmed_by_hand(user, USUAL),
        "already_registered": lambda: messages.already_registered(user),
        "username_taken": lambda: messages.username_taken(
            to="new@example.org",
            username="ada",
            link="https://portal.example.org/register?draft=token",
            **stranger,
        ),
        "waiting": lambda: messages.waiting(user, USUAL),
        "welcome": lambda: messages.welcome(user),
        "rejected": lambda: messages.rejected(user, reason),
        "question": lambda: messages.question(user, "Which team do you work with?"),
        "question_reminder": lambda: messages.question_reminder(
            user, "Which team do you work with?", closes_at=NOON + timedelta(days=11)
        ),
        "status_code": lambda: messages.status_code(user, "123456"),
        "access_changed": lambda: messages.access_changed(user, "standard", "extended"),
        "suspended": lambda: messages.suspended(user, reason),
        "reinstated": lambda: messages.reinstated(user),
        "erased": lambda: messages.erased(to="ada@example.org", **stranger),
        "password_reset": lambda: messages.password_reset(user),
        "password_changed": lambda: messages.password_changed(
            user, removed=["app", "passkey", "passkey", "recovery codes"]
        ),
        "address_change": lambda: messages.address_change(user, "ada@example.com"),
        "address_change_asked": lambda: messages.address_change_asked(user, "ada@example.com"),
        "address_changed": lambda: messages.address_changed(user, "old@example.org"),
        "username_changed": lambda: messages.username_changed(user, "augusta"),
        "factor_added": lambda: messages.factor_added(user, "app", at=NOON),
        "factor_removed": lambda: messages.factor_removed(user, "app", is_last=True),
        "factors_reset": lambda: messages.factors_reset(user, reason),
        "factor_guessed": lambda: messages.factor_guessed(user),
        "passkey_copied": lambda: messages.passkey_copied(user, "Phone"),
        "recovery_code_used": lambda: messages.recovery_code_used(user, 2, few=3),
        "recovery_codes_replaced": lambda: messages.recovery_codes_replaced(user, at=NOON),
        "new_device": lambda: messages.new_device(
            user, Device("Firefox", "Linux"), "198.51.100.0/24"
        ),
        "alarm_elsewhere": lambda: messages.alarm_elsewhere(user, until=NOON + timedelta(days=6)),
        "way_back": lambda: messages.way_back(
            user, "old@example.org", until=NOON + timedelta(days=6)
        ),
        "registrations_waiting": lambda: staff_messages.registrations_waiting(
            user, 3, NOON - timedelta(hours=20), mentions=1
        ),
        "registrations_overdue": lambda: staff_messages.registrations_overdue(
            user, 2, after=timedelta(hours=48), ready=5, since=NOON - timedelta(days=3)
        ),
        "digest": lambda: staff_messages.digest(
            user,
            ready=5,
            overdue=2,
            answered=1,
            mentions=2,
            since=NOON - timedelta(days=3),
            closure=CLOSURE,
        ),
        "registration_closed": lambda: staff_messages.registration_closed(user, CLOSURE),
    }


NAMES = tuple(every_mail(User(full_name=""), "en"))


@pytest.fixture(autouse=True)
def _read_them(catalogues: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "TRANSLATIONS", str(catalogues))


@pytest.fixture
def language(request: pytest.FixtureRequest) -> str:
    """The language Ada reads; English unless the test says otherwise."""
    return getattr(request, "param", "en")


@pytest.fixture
def applicant(app: Flask, a_user: Callable[..., User], language: str) -> Iterator[User]:
    """Ada at noon, in Berlin, as long as her request waits."""
    user = a_user(username="ada", full_name="Ada Lovelace", language=language, confirmed=True)
    with transaction():
        db.session.get_one(User, user.id).time_zone = "Europe/Berlin"
    with time_machine.travel(NOON, tick=False):
        yield user


@pytest.fixture
def ada(applicant: User) -> User:
    """Ada once she has an account, with everything that a mail could mention."""
    with transaction():
        approval.approve(applicant, by=None, level=level("standard"))
    return applicant


@pytest.fixture
def written(applicant: User, language: str, request: pytest.FixtureRequest) -> dict[str, Message]:
    """Every mail to Ada, by its name; what only applicants get, as long as she is one."""
    letters = every_mail(applicant, language)
    before = {name: letters[name]() for name in TO_APPLICANTS}
    request.getfixturevalue("ada")
    return {name: write() for name, write in letters.items()} | before


@pytest.mark.parametrize("language", LANGUAGES, indirect=True)
def test_the_letters_read_as_their_files_say(written: dict[str, Message], language: str) -> None:
    folder = LETTERS / language
    found = {name: as_file(message) for name, message in written.items()}
    if os.environ.get("WRITE_LETTERS"):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in found.items():
            (folder / f"{name}.txt").write_text(content)

    kept = {file.stem: file.read_text() for file in folder.glob("*.txt")}

    assert found == kept, f"the top of {Path(__file__).name} says what to do"


@pytest.mark.parametrize("language", LANGUAGES, indirect=True)
def test_the_html_says_what_the_text_says(written: dict[str, Message], language: str) -> None:
    for name, message in written.items():
        page = Page.of(message.html)
        assert message.language == language
        assert page.html["lang"] == language
        assert page.html["dir"] == i18n.direction(language)
        assert page.title == message.subject
        assert len(message.subject) <= SUBJECT_LENGTH, name
        assert 0 < len(page.preheader) <= 90, name
        assert page.preheader != message.subject
        assert len(message.html.encode()) < 100_000
        # The same sentences, whatever brackets keep names apart.
        shown = _words(page.text)
        for line in message.text.replace("-- \n", "").splitlines():
            sentence = _words(line.removeprefix(">"))
            is_shown = sentence.endswith(":") or sentence in shown
            assert is_shown or sentence in page.links, (name, sentence)


@pytest.mark.parametrize("language", LANGUAGES, indirect=True)
def test_a_letter_asks_for_one_thing_by_a_button_and_by_a_plain_link(
    written: dict[str, Message], language: str
) -> None:
    for name, message in written.items():
        links = [link for link in Page.of(message.html).links if link != HOME]
        if name in WITHOUT_ACTION:
            assert len(links) == BESIDES.get(name, 0), name
        else:
            button, plain, *besides = links
            assert button == plain
            assert len(besides) == BESIDES.get(name, 0), name
            assert f"\n{button}\n" in message.text, name
        assert f"\n{HOME}\n" in message.text


def test_whoever_waits_is_not_told_that_they_have_an_account(applicant: User) -> None:
    never = (*notice.LETTERS, "access_changed", "suspended", "reinstated", "welcome")
    letters = {
        name: write() for name, write in every_mail(applicant, "en").items() if name not in never
    }
    letters["erased"] = messages.erased(
        to="ada@example.org", full_name="Ada", language="en", is_applicant=True
    )

    for name, message in letters.items():
        ending = message.text.partition("-- \n")[2]
        assert "was asked for with this address" in ending or "was entered" in ending, name
        assert "was asked for with this address" in message.html or "was entered" in message.html
    assert "Your request for an account at Lighthouse was erased" in letters["erased"].text


def test_the_letter_fetches_nothing_and_is_legible_in_the_dark(
    written: dict[str, Message],
) -> None:
    for name, message in written.items():
        page = Page.of(message.html)
        assert not page.sources, name
        assert "@media (prefers-color-scheme: dark)" in message.html
        assert '<meta name="color-scheme" content="light dark">' in message.html
        assert "#000" not in message.html
        assert "#fff" not in message.html.lower()
        for tag, style in page.styles:
            names = {rule.partition(":")[0].strip() for rule in style.split(";")}
            assert ("color" in names) == ("background-color" in names), (name, tag, style)


def test_what_people_typed_is_shown_and_not_obeyed(ada: User) -> None:
    message = messages.rejected(ada, "<b>No</b> & <script>alert(1)</script>")

    assert "<b>No</b> & <script>" in message.text
    assert "&lt;b&gt;No&lt;/b&gt; &amp; &lt;script&gt;" in message.html
    assert "<script" not in message.html


@pytest.mark.parametrize(
    "name",
    [
        "Ada Lovelace",
        "J. R. R. Tolkien",
        "Anne-Marie O’Neill",
        "李小龍",
        "محمد علي",
        "Łukasz",
        "Ngô",
    ],
)
def test_a_name_greets(name: str) -> None:
    assert is_greetable(name)


@pytest.mark.parametrize(
    "name",
    [
        "Win a prize at evil.example",
        "https://evil.example",
        "Call 0900 123",
        "Ada <b>",
        "mail me@evil.example",
        "t.me",
        "A" * 61,
    ],
)
def test_a_name_that_could_be_an_advertisement_does_not(name: str) -> None:
    assert not is_greetable(name)


def test_a_stranger_cannot_send_their_text_to_somebody_elses_address(
    app: Flask, a_user: Callable[..., User]
) -> None:
    user = a_user(full_name="Free money: www.evil.example")

    message = messages.confirmation(user, "123456")

    assert message.text.startswith("Hello,\n")
    assert "evil" not in message.text
    assert "evil" not in message.html


@pytest.mark.parametrize(
    ("username", "is_shown"),
    [("ada", True), ("ada-l", True), ("evil.example", False), ("t.me", False), ("0900123", False)],
)
def test_a_stranger_is_shown_no_username_that_could_be_opened_or_called(
    app: Flask, username: str, is_shown: bool
) -> None:
    message = messages.username_taken(
        to="new@example.org", full_name="", language="en", username=username, link=HOME
    )

    for part in (message.text, message.html):
        assert (username in part) is is_shown
        assert "belongs to somebody else" in part


def test_a_username_is_shown_to_its_owner_and_is_no_host_to_a_mail_program(
    app: Flask, a_user: Callable[..., User]
) -> None:
    user = a_user(approved=True, username="win.a.prize")

    for message in (messages.welcome(user), messages.username_changed(user, "old.prize")):
        for part in (message.text, message.html):
            assert "win.a.prize" in part.replace(WORD_JOINER, "")
            assert not re.search(r"\.(a|prize)\b", part)


def test_a_mail_goes_out_in_the_recipients_language_and_time_zone_not_the_actors(
    app: Flask, ada: User
) -> None:
    with app.test_request_context(headers={"Accept-Language": "es"}):
        message = messages.confirmation(ada, "123456")

    assert message.language == "en"
    assert "July 15, 2026" in message.text
    assert "2:00" in message.text


def test_a_long_site_name_does_not_make_a_long_subject(app: Flask, ada: User) -> None:
    assert len(_one_line("word " * 40)) == SUBJECT_LENGTH
    assert _one_line("two\nlines") == "two lines"


def test_a_decoy_takes_about_the_work_of_the_real_one(app: Flask, ada: User) -> None:
    real, decoy = messages.password_reset(ada), messages.to_nobody("password_reset")

    assert abs(len(real.html) - len(decoy.html)) < 200
    assert decoy.to.endswith(".invalid")


def test_every_mail_of_the_portal_has_its_letters() -> None:
    folders = {
        path.name
        for path in (Path(__file__).parents[2] / "templates/mail").iterdir()
        if path.is_dir()
    }

    assert folders == set(NAMES)
    for language in LANGUAGES:
        assert {path.stem for path in (LETTERS / language).iterdir()} == set(NAMES)


def as_file(message: Message) -> str:
    """A mail as it stands in its file, without what is signed anew each time."""
    expires = f"{message.expires_at:%Y-%m-%d %H:%M} UTC" if message.expires_at else "never"
    return _TOKEN.sub(
        r"\1…",
        f"To: {message.to}\n"
        f"Subject: {message.subject}\n"
        f"Preheader: {Page.of(message.html).preheader}\n"
        f"Useless after: {expires}\n\n"
        f"{message.text}",
    )


class Page(HTMLParser):
    """What a mail program sees of a letter's HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.html: dict[str, str | None] = {}
        self.title = self.preheader = self.text = ""
        self.links: list[str] = []
        self.sources: list[str] = []
        self.styles: list[tuple[str, str]] = []
        self._open: list[str] = []

    @classmethod
    def of(cls, html: str) -> Page:
        """Read a letter."""
        page = cls()
        page.feed(html)
        page.title, page.preheader = page.title.strip(), page.preheader.rstrip(BLANKS)
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember what is asked about."""
        values: dict[str, Any] = dict(attrs)
        if tag == "html":
            self.html = values
        if tag == "a":
            self.links.append(values["href"])
        if "src" in values or tag == "link":
            self.sources.append(str(values))
        if values.get("style"):
            self.styles.append((tag, values["style"]))
        if tag not in ("meta", "br", "link", "img"):
            self._open.append("preheader" if values.get("class") == "preheader" else tag)

    def handle_endtag(self, tag: str) -> None:
        """Leave the innermost element."""
        if self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        """Sort text by where it stands."""
        if "style" in self._open:
            return
        if "title" in self._open:
            self.title += data
        elif "preheader" in self._open:
            self.preheader += data
        else:
            self.text += data


def _words(text: str) -> str:
    return " ".join(re.sub("[\u2068\u2069]", "", text).split())
