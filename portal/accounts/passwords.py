"""Passwords: what a password must be (M3). How it is spelled is decided in `spelling`.

Two sets of rules to choose from in the settings: with classes of characters, or by length alone
as the standards prefer (NIST SP 800-63B-4, 3.1.1.2; ASVS 6.2.5). Common passwords, those that
are easy to guess, one's own words and those of the house are refused by either.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l

from portal import settings
from portal.accounts import common_passwords, guessing
from portal.accounts.spelling import LONGEST, MAXIMUM, folded, normalize

__all__ = ["LONGEST", "MAXIMUM", "Personal", "Rule", "broken_rules", "normalize", "rules"]

LONGEST_WORD = 320  # of what a person's own words may cost
SHORTEST_WORD = 3  # shorter ones stand in too many others


@dataclass(frozen=True)
class Personal:
    """What the password must not be made of: the person's own name, username and address."""

    full_name: str = ""
    username: str = ""
    email: str = ""

    def words(self) -> list[str]:
        """Their parts of three characters and more, spelled as passwords are, and folded."""
        name, username, email = (
            folded(part[:LONGEST_WORD]) for part in (self.full_name, self.username, self.email)
        )
        parts = re.split(r"[\s@._+-]+", f"{name} {username} {email}")
        whole = (name, username, email, email.partition("@")[0])
        return sorted({part for part in (*parts, *whole) if len(part) >= SHORTEST_WORD})


@dataclass(frozen=True)
class Rule:
    """One rule: its name in the browser's live list, its sentence, its check."""

    key: str
    sentence: Any
    holds: Callable[[str, Personal], bool]


def rules() -> list[Rule]:
    """Every rule that is in force, in the order in which a person reads them."""
    ours = settings.current().passwords
    return [
        Rule(
            "length",
            _l(
                "%(minimum)s to %(maximum)s characters.",
                minimum=ours.shortest,
                maximum=MAXIMUM,
            ),
            lambda password, _person: ours.shortest <= len(password) <= MAXIMUM,
        ),
        *(_classes() if ours.rules == "classes" else []),
        Rule(
            "personal",
            _l("Not your own name, username or address, nor the name of this site."),
            _is_impersonal,
        ),
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


def house_words() -> list[str]:
    """What the portal and the house behind it are called (ASVS 6.1.2, 6.2.11).

    The name of the site, the hosts that people know from its address and its mails, and what
    the operator added: products, and other names of the organisation.
    """
    ours = settings.current()
    hosts = (ours.public_host, ours.mail.sender.rpartition("@")[2])
    labels = [label for host in hosts for label in host.split(".")[:-1]]
    names = [ours.site.name, *re.split(r"[\s._+-]+", ours.site.name), *ours.passwords.house_words]
    words = {folded(name.strip()[:LONGEST_WORD]) for name in (*names, *labels)}
    return sorted(word for word in words if len(word) >= SHORTEST_WORD and not word.isdecimal())


def _classes() -> list[Rule]:
    return [
        Rule("lower", _l("A lower-case letter."), lambda p, _: any(c.islower() for c in p)),
        Rule("upper", _l("An upper-case letter."), lambda p, _: any(c.isupper() for c in p)),
        Rule("digit", _l("A digit."), lambda p, _: any(c.isdigit() for c in p)),
        Rule("special", _l("A special character, such as ! or a space."), _has_special),
    ]


def _has_special(password: str, _person: Personal) -> bool:
    return any(not character.isalnum() for character in password)


def _is_impersonal(password: str, person: Personal) -> bool:
    """Not made of such words: what is left beside them must still be a password."""
    rest = whole = folded(password)
    for word in sorted({*person.words(), *house_words()}, key=len, reverse=True):
        rest = rest.replace(word, "")
    return rest == whole or len(rest) >= settings.current().passwords.shortest


def _is_hard_to_guess(password: str, person: Personal) -> bool:
    if common_passwords.is_common(password):
        return False
    score = guessing.score(password, [*person.words(), *house_words()])
    return score >= settings.current().passwords.minimum_strength
