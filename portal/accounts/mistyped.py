"""Mistyped: the address that somebody may have meant, where its domain is nearly a common one.

Only a suggestion, made from what was typed and nothing else: it is the same whoever is known
here, and whoever means what they typed goes on with it.
"""

from __future__ import annotations

from portal import settings

# The providers that most people in the world have a mailbox at, under the names they type.
COMMON = frozenset(
    {
        "gmail.com",
        "googlemail.com",
        "hotmail.com",
        "hotmail.co.uk",
        "hotmail.es",
        "hotmail.fr",
        "hotmail.de",
        "outlook.com",
        "outlook.de",
        "outlook.es",
        "outlook.fr",
        "live.com",
        "yahoo.com",
        "yahoo.co.uk",
        "yahoo.de",
        "yahoo.es",
        "yahoo.fr",
        "icloud.com",
        "protonmail.com",
        "proton.me",
        "t-online.de",
        "freenet.de",
        "posteo.de",
        "mailbox.org",
        "yandex.com",
        "yandex.ru",
    }
)
# Providers whose names lie close to those, and are no mistake.
_TRUE = frozenset({"ymail.com", "mail.com", "email.com", "fmail.com", "life.com", "love.com"})


def meant(address: str) -> str | None:
    """The address with the domain that was meant, as it seems; None where nothing is amiss.

    One sign too many, too few, another, or two swapped (Damerau 1964: four mistakes of five).
    """
    local, _at, typed = address.strip().lower().rpartition("@")
    known = COMMON | _ours()
    if not local or typed in known | _TRUE:
        return None
    near = (domain for domain in sorted(known) if _is_near(typed, domain))
    found = next(near, None)
    return f"{address.strip().rpartition('@')[0]}@{found}" if found else None


def _ours() -> frozenset[str]:
    """The domains that the organisation itself shows: those of its sender and its support."""
    mine = settings.current()
    shown = (mine.mail.sender, mine.site.support_email)
    return frozenset(each.rpartition("@")[2].strip("> ").lower() for each in shown if "@" in each)


def _is_near(typed: str, domain: str) -> bool:
    """Whether one slip of a finger makes the one of the other.

    Another country's domain of the same provider is none.
    """
    name, _dot, country = domain.partition(".")
    if typed.partition(".")[0] == name and len(country) == len(typed.partition(".")[2]) == 2:
        return False
    if len(typed) == len(domain):
        where = [at for at in range(len(domain)) if typed[at] != domain[at]]
        if len(where) == 1:
            return True
        first, last = where[0], where[-1]
        swapped = typed[first] == domain[last] and typed[last] == domain[first]
        return len(where) == 2 and last == first + 1 and swapped
    short, long = sorted((typed, domain), key=len)
    cut = (long[:at] + long[at + 1 :] for at in range(len(long)))
    return len(long) == len(short) + 1 and short in cut
