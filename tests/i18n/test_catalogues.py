"""The catalogues: whole, alike in what code reads, and nothing in them twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from gettext import c2py

import pytest
from babel import Locale
from babel.messages.catalog import Message

from portal.settings import Site
from tests.i18n import catalogues

SHIPPED = sorted(set(Site().languages) - {"en"})
DOMAINS = ["messages", *catalogues.LIBRARIES]

# Names, and words that are spelt alike; whatever else reads like the English was forgotten.
ALIKE = {
    "de": {
        *("Agent", "Domain", "Google Authenticator", "Name", "Person", "Portal", "SMS"),
        *("Passkey", "Status", "Text", "Webhook"),
    },
    "es": {"Error:", "Error: %(title)s", "Portal", "Roles", "Webhook", "no"},
    "ar": {"Google Authenticator", "Portal", "SMS"},
}
# Messages that cannot be told apart from a mistake, in what the portal never shows.
UNSAYABLE = {
    # The placeholder lacks its type, so no translation of it can be formatted.
    "Value entered must be less than %(length) characters",
}

OTHER_WORDS = {
    "en": r"\b(log ?in|log ?out|sign[- ]?up|profile|activat\w+|banned|blocked|disabled?|delet\w+"
    r"|purged?|queue\w*|alert|tier|email|invalid|please|oops)\b",
    "de": r"\b(login|logout|einlogg\w+|email|(?<![-\u2011])mail(?!server)\w*|profil"
    r"|aktivier\w+|deaktivier\w+|gebannt|genehmig\w+|benutzerkonto|kennwort|ungültig)\b",
    "es": r"\b(email|e-mail|login|perfil|activar|baj[ae]r?|borrad[oa]|eliminad[oa]|bloquead[oa]"
    r"|clave de acceso|inválid[oa]|perfil)\b",
    "ar": r"البريد الالكتروني|كلمة السر|ملف شخصي|حظر|حذف|تنشيط",
}

PLACEHOLDER = re.compile(r"%\((\w+)\)([a-z])|\{(\w+)\}")
TAG = re.compile(r"</?\w+[^>]*>")
WORD = re.compile(r"[^\W\d_]{2}")


def forms_of(message: Message) -> Iterator[tuple[str, str]]:
    """Each translated form beside the form of the source that it stands for."""
    if isinstance(message.id, str):
        yield message.id, str(message.string or "")
    else:
        for number, form in enumerate(message.string or message.id):
            yield message.id[min(number, 1)], form


def every_message() -> Iterator[tuple[str, str, Message]]:
    for language in SHIPPED:
        for domain in DOMAINS:
            for message in catalogues.ours(language, domain):
                if message.id:
                    yield language, domain, message


def no_code(text: str) -> str:
    """What a person reads of a message."""
    return TAG.sub("", PLACEHOLDER.sub("", text))


def edges(text: str) -> tuple[bool, bool]:
    """Whether a message begins or ends with a space."""
    return text[:1].isspace(), text[-1:].isspace()


def is_whole(message: Message | None) -> bool:
    if message is None or message.fuzzy:
        return False
    return all(form for _, form in forms_of(message)) and bool(message.string)


def test_a_catalogue_is_shipped_for_every_language_on_offer() -> None:
    assert catalogues.shipped() == SHIPPED


@pytest.mark.parametrize("language", SHIPPED)
def test_every_sentence_of_the_portal_is_translated(language: str) -> None:
    translated = catalogues.ours(language)

    missing = [
        message.id
        for message in catalogues.template()
        if message.id and not is_whole(translated.get(message.id, message.context))
    ]

    assert missing == []


@pytest.mark.parametrize("language", SHIPPED)
def test_nothing_is_translated_that_the_portal_no_longer_says(language: str) -> None:
    said = {catalogues.as_key(message.id) for message in catalogues.template()}

    translated = catalogues.ours(language)

    assert [m.id for m in translated if catalogues.as_key(m.id) not in said] == []
    assert list(translated.obsolete) == []


@pytest.mark.parametrize("domain", catalogues.LIBRARIES)
@pytest.mark.parametrize("language", SHIPPED)
def test_an_overlay_holds_exactly_what_its_library_misses(language: str, domain: str) -> None:
    missing = catalogues.said_by(domain) - catalogues.translated_by(domain, language) - UNSAYABLE
    overlay = catalogues.ours(language, domain)

    assert {catalogues.as_key(message.id) for message in overlay if message.id} == missing
    assert all(is_whole(message) for message in overlay if message.id)


def test_a_translation_keeps_the_placeholders_of_its_source() -> None:
    number = {("num", "d", ""), ("num", "s", "")}
    for language, domain, message in every_message():
        for source, form in forms_of(message):
            given, kept = set(PLACEHOLDER.findall(source)), set(PLACEHOLDER.findall(form))
            if isinstance(message.id, str):
                assert kept == given, (language, domain, source, form)
            else:  # "one account" may leave the number out, and so may two where there is a dual
                assert kept <= given | number, (language, domain, source, form)
                assert given - kept <= number, (language, domain, source, form)


def test_a_translation_keeps_the_tags_and_the_edges_of_its_source() -> None:
    for language, domain, message in every_message():
        for source, form in forms_of(message):
            assert Counter(TAG.findall(form)) == Counter(TAG.findall(source)), (language, form)
            assert edges(form) == edges(source), (language, domain, source, form)


def test_a_translation_ends_as_its_source_does() -> None:
    marks = {".": ".", "?": "?؟", "!": "!", ":": ":", ",": ",:،!", "…": "…"}
    for language, domain, message in every_message():
        for source, form in forms_of(message):
            expected = marks.get(source[-1])
            if expected:
                assert form[-1:] in expected, (language, domain, source, form)
            else:
                assert not form.endswith((".", "?", "؟", "!", ":", "…")), (
                    language,
                    domain,
                    source,
                    form,
                )


def test_every_plural_form_of_a_language_is_there() -> None:
    for language, domain, message in every_message():
        if not isinstance(message.id, str):
            forms = catalogues.ours(language, domain).num_plurals
            assert len(message.string or ()) == forms, (language, domain, message.id)


@pytest.mark.parametrize("language", SHIPPED)
@pytest.mark.parametrize("domain", DOMAINS)
def test_a_catalogue_counts_as_its_language_does(language: str, domain: str) -> None:
    catalogue = catalogues.ours(language, domain)

    form_of = c2py(catalogue.plural_expr)
    kind_of = Locale.parse(language).plural_form
    pairs = {(form_of(number), kind_of(number)) for number in range(1000)}

    assert len(pairs) == len({form for form, _ in pairs}) == len({kind for _, kind in pairs})
    assert len(pairs) == catalogue.num_plurals


def test_no_sentence_was_left_in_english() -> None:
    same = [
        (language, source)
        for language, domain, message in every_message()
        for source, form in forms_of(message)
        if source == form and source not in ALIKE[language] and WORD.search(no_code(source))
    ]

    assert same == []


def test_arabic_is_punctuated_as_arabic() -> None:
    for language, domain, message in every_message():
        for _, form in forms_of(message):
            if language == "ar":
                assert not set(no_code(form)) & set(",;?"), (domain, form)


def test_spanish_opens_its_questions_and_exclamations() -> None:
    for language, domain, message in every_message():
        for _, form in forms_of(message):
            if language == "es":
                assert len(re.findall(r"\w\?", no_code(form))) == form.count("¿"), (domain, form)
                assert len(re.findall(r"\w!", no_code(form))) == form.count("¡"), (domain, form)


@pytest.mark.parametrize(
    ("language", "familiar"),
    [
        ("de", r"\b(du|dich|dir|dein|deine|deinem|deinen|deiner|deines)\b"),
        ("es", r"\b(tú|tu|tus|ti|contigo|te|vosotros|vuestro|vuestra)\b"),
    ],
)
def test_people_are_addressed_formally(language: str, familiar: str) -> None:
    for where, domain, message in every_message():
        for _, form in forms_of(message):
            if where == language:
                assert not re.search(familiar, form, re.IGNORECASE), (domain, form)


@pytest.mark.parametrize("language", SHIPPED)
@pytest.mark.parametrize("domain", DOMAINS)
def test_a_catalogue_says_whether_a_native_speaker_read_it(language: str, domain: str) -> None:
    file = catalogues.TRANSLATIONS / language / "LC_MESSAGES" / f"{domain}.po"
    if file.exists():
        assert re.search(
            r"^# Reviewed by a native speaker: (no|yes, .+)\.$", file.read_text(), re.M
        )


@pytest.mark.parametrize("language", SHIPPED)
def test_our_catalogue_explains_its_words(language: str) -> None:
    file = catalogues.TRANSLATIONS / language / "LC_MESSAGES" / "messages.po"
    comment = file.read_text().partition("msgid")[0]

    for word in ("account", "registration", "confirmation", "approval", "rejection", "suspension"):
        assert re.search(rf"^#   {word}\b", comment, re.M), word


def test_sources_are_whole_sentences_with_named_placeholders() -> None:
    for message in catalogues.template():
        for source in [message.id] if isinstance(message.id, str) else message.id:
            assert source == source.strip(), source
            assert "\n" not in source, source
            assert not re.search(r"%[sd]", source), source


@pytest.mark.parametrize("language", ["en", *SHIPPED])
def test_one_thing_has_one_word(language: str) -> None:
    """The words of other products that mean what a word of the glossary means here."""
    catalogue = catalogues.template() if language == "en" else catalogues.ours(language)
    texts = [
        source if language == "en" else form
        for message in catalogue
        if message.id
        for source, form in forms_of(message)
    ]
    others = re.compile(OTHER_WORDS[language], re.IGNORECASE)

    assert [text for text in texts if others.search(no_code(text))] == []


def test_what_is_compiled_is_never_committed() -> None:
    ignored = (catalogues.TRANSLATIONS.parent / ".gitignore").read_text().splitlines()

    assert "*.mo" in ignored
