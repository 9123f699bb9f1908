"""Whatever is typed: properties of names, addresses and passwords (ASVS 1.3, 2.2.1, 6.2)."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from portal import canonical
from portal.accounts import addresses, common_passwords, guessing, passwords, usernames
from portal.accounts.passwords import Personal
from portal.errors import StepRefused

# Halves of characters too, which come in by JSON and by broken clients.
ANYTHING = st.text(st.characters(), max_size=200)

# Letters of other scripts, or of none, that look like these.
LOOK_ALIKES = {
    "a": "аɑα𝐚ａᴀ",
    "c": "сϲ𝐜ｃ",
    "d": "ԁ𝐝ｄ",
    "e": "еｅ𝐞℮",
    "i": "іι𝐢ｉıⅰ",
    "l": "ⅼ𝐥ｌӏ",
    "m": "ⅿ𝐦ｍ",
    "n": "ո𝐧ｎ",
    "o": "оοօ𝐨ｏ〇",
    "p": "рρ𝐩ｐ",
    "r": "г𝐫ｒ",
    "s": "ѕ𝐬ｓ",
    "t": "т𝐭ｔ",
    "u": "υս𝐮ｕ",
    "x": "хχ𝐱ｘ",
    "y": "уү𝐲ｙ",
}
INVISIBLE = "\u200b\u200c\u200d\u2060\u00ad\ufeff\u202e\u2066\u180e\u034f\u3164\ufe0f"

GOOD_NAMES = st.from_regex(r"\A[a-z][a-z0-9]{1,14}[a-z]\Z")


def kept(typed: str) -> str | None:
    """The username that this would be, or None where it is refused."""
    try:
        return usernames.checked(typed)
    except StepRefused:
        return None


@pytest.fixture(autouse=True)
def _in_a_site(app):
    """Sentences and rules are those of a site."""


@given(ANYTHING)
def test_a_username_is_plain_or_refused(typed):
    name = kept(typed)

    if name is not None:
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,30}[a-z0-9]", name, re.ASCII)
        assert kept(name) == name == canonical.username(name)
        assert name not in usernames.RESERVED


@given(GOOD_NAMES, st.data())
def test_a_look_alike_of_a_name_is_that_name_or_none(name, data):
    """Two accounts whose names look the same cannot come to be."""
    places = [place for place, letter in enumerate(name) if letter in LOOK_ALIKES]
    assume(places)
    place = data.draw(st.sampled_from(places))
    other = data.draw(st.sampled_from(LOOK_ALIKES[name[place]]))
    assume(kept(name) == name)

    assert kept(name[:place] + other + name[place + 1 :]) in (None, name)


@given(GOOD_NAMES, st.integers(0, 15), st.sampled_from(INVISIBLE))
def test_an_invisible_sign_makes_no_other_name(name, place, sign):
    assume(kept(name) == name)

    assert kept(name[:place] + sign + name[place:]) in (None, name)


@given(st.sampled_from(sorted(usernames.RESERVED)), st.data())
def test_no_spelling_of_a_reserved_name_is_to_be_had(name, data):
    """In other cases and widths, with digits for letters, with signs between them or unseen."""
    place = data.draw(st.integers(1, max(1, len(name) - 1)))
    between = data.draw(st.sampled_from(["", ".", "-", "_", "._-", *INVISIBLE]))
    spelled = name[:place] + between + name[place:]
    digits = data.draw(st.sampled_from(["", "o0", "i1", "l1", "e3", "s5", "t7", "a4"]))
    if digits:
        spelled = spelled.replace(*digits)
    spelled = data.draw(st.sampled_from([spelled, spelled.upper(), _wide(spelled)]))

    assert kept(spelled) is None


def _wide(text: str) -> str:
    """The same in full-width letters."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


@given(ANYTHING)
@example("a" * 400 + "@example.org")
@example("a@b@c.example")
@example("\u0130@example.org")
def test_an_address_is_mailable_or_refused(typed):
    try:
        address = addresses.checked(typed)
    except StepRefused:
        return

    assert address.count("@") == 1
    assert len(address) <= 254
    assert address.isprintable()
    assert addresses.checked(address) == address


@given(
    st.from_regex(r"\A[a-zA-Z0-9]([a-zA-Z0-9.+_-]{0,20}[a-zA-Z0-9])?\Z"),
    st.sampled_from(["example.org", "Example.ORG", "m\u00fcller.example", "xn--mller-kva.example"]),
)
def test_an_address_has_one_owner_however_it_is_written(local, domain):
    assume(".." not in local)
    address = addresses.checked(f"{local}@{domain}")

    for spelled in (address, address.upper(), f" {local}@{domain}\t", address.swapcase()):
        assert canonical.email(spelled) == canonical.email(address)


@given(ANYTHING)
def test_whatever_is_looked_up_has_a_spelling_of_bounded_length(typed):
    """Signing in with it, or searching for it, finds somebody or nobody."""
    for spell in (canonical.email, canonical.username, canonical.search_term):
        assert len(spell(typed * 20)) <= 18 * canonical.LONGEST_NAME


@given(ANYTHING, ANYTHING, ANYTHING)
def test_a_password_is_judged_whatever_it_is(password, name, email):
    person = Personal(full_name=name, username=name[:40], email=email)

    broken = {rule.key for rule in passwords.broken_rules(password, person)}

    spelled = passwords.normalize(password)
    assert passwords.normalize(spelled) == spelled
    assert ("length" in broken) == (not 8 <= len(spelled) <= 128)


@given(st.text(min_size=8, max_size=60))
def test_two_unicode_spellings_of_a_password_break_the_same_rules(password):
    composed, apart = (unicodedata.normalize(form, password) for form in ("NFC", "NFD"))

    assert passwords.normalize(composed) == passwords.normalize(apart)


@given(
    st.sampled_from(["password", "dragon", "iloveyou", "letmein", "monkey", "superman"]),
    st.integers(0, 10**6),
    st.sampled_from(["", "!", "2026", "1!", "#77", " "]),
    st.sampled_from(["", "!", "_", "12"]),
)
def test_no_spelling_of_a_common_password_is_uncommon(word, case, after, before):
    spelled = "".join(c.upper() if case >> n & 1 else c for n, c in enumerate(word))

    assert common_passwords.is_common(before + spelled + after)


@given(st.text("1|7!+4@([{<69$50238%aA\u00e9", max_size=128))
def test_no_password_is_judged_beyond_the_bound(password):
    """What it costs is counted in look-ups, as test_guessing.py shows."""
    judged = guessing.beginning(password)

    assert password.startswith(judged)
    assert len(judged) >= min(len(password), 9)
    readings = guessing._readings("".join(sorted({*judged} & guessing._SIGNS)))
    assert guessing.pieces(len(judged), readings) <= guessing.MOST_PIECES


@given(st.from_regex(r"\A[A-Z][a-z]{4,9}\Z"), st.sampled_from(["1!", "2026!", "#1", "!!77"]))
def test_ones_own_name_with_trimmings_is_no_password(name, trimmings):
    person = Personal(full_name=f"Ada {name}", username=name.lower(), email="x@example.org")

    broken = {rule.key for rule in passwords.broken_rules(name + trimmings, person)}

    assert broken & {"personal", "length"}
