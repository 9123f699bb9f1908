"""Passwords (M3): each rule on the server, all at once, in one spelling, never slow."""

import unicodedata

import pytest

from portal.accounts import passwords
from portal.accounts.passwords import Personal

pytestmark = pytest.mark.usefixtures("app")

GOOD = "Sturdy-lantern 42"


def broken(password: str, **known: str) -> set[str]:
    return {rule.key for rule in passwords.broken_rules(password, Personal(**known))}


def test_a_good_password_breaks_no_rule():
    assert broken(GOOD) == set()


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("xK7!pQz", "length"),
        ("STURDY-LANTERN 42", "lower"),
        ("sturdy-lantern 42", "upper"),
        ("Sturdy-lantern xy", "digit"),
        ("Sturdylantern42", "special"),
        ("Passw0rd!", "guessable"),
        ("Aa1!Aa1!", "guessable"),
        ("Qwertz123!", "guessable"),
    ],
)
def test_a_password_is_told_which_rule_it_breaks(password, rule):
    assert rule in broken(password)


def test_every_broken_rule_is_said_at_once():
    assert {"lower", "upper", "special"} <= broken("12345678")


def test_any_script_has_lower_and_upper_case_and_digits():
    assert broken("Маяк-над-морем ٤٢ъ") == set()


@pytest.mark.parametrize(
    "common",
    ["Password1!", "PASSWORD123!", "Letmein1!", "!!Trustno1!!", "Football7?", "Iloveyou2."],
)
def test_a_common_password_stays_common_with_decorations(common):
    assert "guessable" in broken(common)


@pytest.mark.parametrize(
    "password",
    ["Ada.Lovelace1!", "Lovelace-1815", "Aadalove!1", "ada@example.org1A!", "EXAMPLE-Lovelace1a"],
)
def test_a_password_is_not_made_of_ones_own_name_or_address(password):
    known = {"full_name": "Ada Lovelace", "username": "adalove", "email": "ada@example.org"}

    assert "personal" in broken(password, **known) or "guessable" in broken(password, **known)


def test_ones_own_name_may_stand_in_a_password_that_is_long_enough_without_it():
    assert broken("Ada rows 7 boats to Malta", full_name="Ada Lovelace") == set()


def test_a_name_in_two_unicode_spellings_is_the_same_name():
    name = unicodedata.normalize("NFD", "Zoë Brontë")

    assert "personal" in broken("Zoë-Brontë1!x", full_name=name)


@pytest.mark.parametrize("length", [8, 64, 73, 128])
def test_lengths_from_8_to_128_code_points_are_taken(length):
    password = ("xK7!pQz9-wR4 " * 10)[:length]

    assert "length" not in broken(password)


@pytest.mark.parametrize("length", [0, 7, 129, 5000])
def test_shorter_and_longer_ones_are_refused_with_the_length_as_the_reason(length):
    password = ("xK7!pQz9-wR4 " * 400)[:length]

    assert "length" in broken(password)


def test_length_is_counted_in_code_points_after_normalisation():
    decomposed = unicodedata.normalize("NFD", "É" * 125 + "a1!")

    assert len(decomposed) > passwords.MAXIMUM
    assert "length" not in broken(decomposed)


def test_sixty_four_emoji_are_long_enough():
    assert "length" not in broken("🐝" * 61 + "aA1")


def test_two_unicode_spellings_of_a_password_are_one_password():
    composed = unicodedata.normalize("NFC", "Zürich-Brücke 7")
    decomposed = unicodedata.normalize("NFD", composed)

    assert composed != decomposed
    assert passwords.normalize(composed) == passwords.normalize(decomposed)


@pytest.mark.settings(PORTAL_PASSWORDS_MINIMUM_LENGTH="15")
def test_an_operator_may_ask_for_longer_passwords():
    assert "length" in broken("xK7!pQz9-wR4")
    assert "length" not in broken("xK7!pQz9-wR4 mmm")


HOUSE = {
    "PORTAL_SITE_NAME": "Lindgren & Söhne",
    "PORTAL_PUBLIC_URL": "https://desk.kattegat.example",
    "PORTAL_MAIL_SERVER": "mail.example.org",
    "PORTAL_MAIL_SENDER": "portal@post.brattvag.example",
    "PORTAL_PASSWORDS_HOUSE_WORDS": "Fjordlicht, Nachtzug 7",
}


@pytest.mark.settings(**HOUSE)
@pytest.mark.parametrize(
    "password",
    [
        "Lindgren2026!",
        "Lindgren & Söhne 1",
        "Kattegat:2026",
        "Brattvag#77a",
        "Nachtzug 7!",
        "Fjordlicht1!",
    ],
)
def test_a_password_is_not_made_of_what_the_house_is_called(password):
    """ASVS 6.1.2, 6.2.11: the organisation, its products, its hosts."""
    assert "personal" in broken(password)


@pytest.mark.settings(**HOUSE)
def test_the_name_of_the_house_may_stand_in_a_password_that_is_long_enough_without_it():
    assert broken("Lindgren rows 7 boats to Malta") == set()


BY_LENGTH = pytest.mark.settings(PORTAL_PASSWORDS_RULES="length")


@BY_LENGTH
@pytest.mark.parametrize(
    "password",
    ["quiet otters read maps", "крутые горы и тихие реки", "三十二羽の鶴が冬の湖を静かに渡る"],
)
def test_by_length_alone_any_fifteen_characters_will_do(password):
    assert broken(password) == set()


@BY_LENGTH
@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("xK7!pQz9-wR4 m", "length"),
        ("passwordpassword", "guessable"),
        ("aaaaaaaaaaaaaaaa", "guessable"),
        ("portal portal portal", "personal"),
    ],
)
def test_by_length_alone_short_and_common_ones_are_refused_all_the_same(password, rule):
    assert rule in broken(password)


@BY_LENGTH
def test_the_rules_that_are_shown_are_those_in_force():
    rules = passwords.rules()

    assert [rule.key for rule in rules] == ["length", "personal", "guessable"]
    assert str(rules[0].sentence) == "15 to 128 characters."


@pytest.mark.settings(PORTAL_PASSWORDS_RULES="length", PORTAL_PASSWORDS_MINIMUM_LENGTH="20")
def test_by_length_alone_an_operator_may_ask_for_more_than_fifteen():
    assert str(passwords.rules()[0].sentence) == "20 to 128 characters."
