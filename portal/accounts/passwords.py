"""Passwords: what a password must be, and how it is kept (M3, M7).

Decided once, because it cannot change later: NFKC, 8 to 128 code points, Flask-Security's
double hash (HMAC-SHA512 with a secret, then argon2id).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask_babel import lazy_gettext as _l
from zxcvbn import zxcvbn

from portal import settings

MAXIMUM = 128
LONGEST_WORD = 320  # of what a person's own words may cost
LONGEST = 4 * MAXIMUM  # as typed: room for four signs to a character

# zxcvbn's time grows fast with length (4 s for 69 characters); this much is judged.
_JUDGED = 24


@dataclass(frozen=True)
class Personal:
    """What the password must not be made of: the person's own name, username and address."""

    full_name: str = ""
    username: str = ""
    email: str = ""

    def words(self) -> list[str]:
        """Their parts of three characters and more, spelled as passwords are, and folded."""
        name, username, email = (
            normalize(part[:LONGEST_WORD]).casefold()
            for part in (self.full_name, self.username, self.email)
        )
        parts = re.split(r"[\s@._+-]+", f"{name} {username} {email}")
        whole = (name, username, email, email.partition("@")[0])
        return sorted({part for part in (*parts, *whole) if len(part) >= 3})


@dataclass(frozen=True)
class Rule:
    """One rule: its name in the browser's live list, its sentence, its check."""

    key: str
    sentence: Any
    holds: Callable[[str, Personal], bool]


def normalize(password: str) -> str:
    """The spelling that is judged and hashed: NFKC (NIST SP 800-63B-4, 3.1.1.2).

    What is far too long to be a password comes back as it is, to be refused for its length:
    normalising costs the square of a run of combining signs.
    """
    return unicodedata.normalize("NFKC", password) if len(password) <= LONGEST else password


def rules() -> list[Rule]:
    """Every rule, in the order in which a person reads them."""
    minimum = settings.current().passwords.minimum_length
    return [
        Rule(
            "length",
            _l(
                "%(minimum)s to %(maximum)s characters.",
                minimum=minimum,
                maximum=MAXIMUM,
            ),
            lambda password, _person: minimum <= len(password) <= MAXIMUM,
        ),
        Rule(
            "lower",
            _l("A lower-case letter."),
            lambda p, _: any(c.islower() for c in p),
        ),
        Rule(
            "upper",
            _l("An upper-case letter."),
            lambda p, _: any(c.isupper() for c in p),
        ),
        Rule("digit", _l("A digit."), lambda p, _: any(c.isdigit() for c in p)),
        Rule("special", _l("A special character, such as ! or a space."), _has_special),
        Rule("personal", _l("Not your own name, username or address."), _is_impersonal),
        Rule(
            "guessable",
            _l("Not a common password, and not easy to guess."),
            _is_hard_to_guess,
        ),
    ]


def broken_rules(password: str, person: Personal) -> list[Rule]:
    """The rules that a password breaks, all at once; empty when it is good.

    The last rule costs up to a few dozen milliseconds, and is asked only when the length holds.
    """
    spelled = normalize(password)
    ordered = rules()
    if not ordered[0].holds(spelled, person):
        return [rule for rule in ordered[:-1] if not rule.holds(spelled[:MAXIMUM], person)] or [
            ordered[0]
        ]
    return [rule for rule in ordered if not rule.holds(spelled, person)]


def is_common(password: str) -> bool:
    """Whether the whole password, folded, is among the commonest 30,000 (ASVS 6.2.4)."""
    folded = password.casefold()
    return any(guess in _common_passwords() for guess in _decorations_removed(folded))


def _has_special(password: str, _person: Personal) -> bool:
    return any(not character.isalnum() for character in password)


def _is_impersonal(password: str, person: Personal) -> bool:
    """Not made of one's own words: what is left beside them must still be a password."""
    rest = folded = password.casefold()
    for word in sorted(person.words(), key=len, reverse=True):
        rest = rest.replace(word, "")
    return rest == folded or len(rest) >= settings.current().passwords.minimum_length


def _is_hard_to_guess(password: str, person: Personal) -> bool:
    if is_common(password):
        return False
    site = settings.current().site.name
    judged = zxcvbn(password[:_JUDGED], user_inputs=[*person.words(), site.casefold()])
    return bool(judged["score"] >= settings.current().passwords.minimum_strength)


def _decorations_removed(folded: str) -> Iterator[str]:
    yield folded
    yield folded.strip("0123456789!?.,;:-_#*+$ ")


@cache
def _common_passwords() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= 4)
