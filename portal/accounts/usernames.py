"""Usernames: what a username may be."""

from __future__ import annotations

import re

from flask_babel import lazy_gettext as _l

from portal import canonical
from portal.errors import StepRefused

MINIMUM, MAXIMUM = 3, 32

# ASCII only, so that no two names look alike (security.md section 3; UTS 39).
_ALLOWED = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.ASCII)

# Names that would let somebody pass for the house or for one of its mailboxes (RFC 2142).
RESERVED = frozenset(
    [
        "abuse",
        "admin",
        "administrator",
        "anonymous",
        "api",
        "billing",
        "bot",
        "contact",
        "daemon",
        "everyone",
        "guest",
        "help",
        "hostmaster",
        "info",
        "login",
        "mail",
        "mailer-daemon",
        "me",
        "moderator",
        "news",
        "no-reply",
        "nobody",
        "noc",
        "noreply",
        "null",
        "office",
        "operator",
        "owner",
        "portal",
        "postmaster",
        "root",
        "sales",
        "secretary",
        "security",
        "service",
        "staff",
        "superuser",
        "support",
        "sysadmin",
        "system",
        "team",
        "test",
        "undefined",
        "user",
        "usenet",
        "webmaster",
        "www",
    ]
)

# What a digit looks like, and what makes no other name to the eye.
_READINGS = [{}, *(str.maketrans("0134578", f"o{one}eastb") for one in "il")]
_SEPARATORS = str.maketrans("", "", "._-")
_RESERVED_BARE = frozenset(name.translate(_SEPARATORS) for name in RESERVED)


def checked(typed: str) -> str:
    """The username as it is kept: NFKC, lower case.

    Raises:
        StepRefused: with the sentence that says what to do.
    """
    name = canonical.username(typed)
    if not MINIMUM <= len(name) <= MAXIMUM:
        raise StepRefused(
            _l(
                "Choose a username of %(minimum)s to %(maximum)s characters.",
                minimum=MINIMUM,
                maximum=MAXIMUM,
            )
        )
    if not _ALLOWED.fullmatch(name):
        raise StepRefused(
            _l(
                "Use only the letters a to z, digits, dots, hyphens and underscores. "
                "Begin and end with a letter or digit."
            )
        )
    if _is_reserved(name):
        raise StepRefused(_l("This username is reserved. Choose another one."))
    return name


def _is_reserved(name: str) -> bool:
    """Whether a name is one of the house, or reads like one: supp0rt, ad.min, r00t_."""
    return any(_bare(name.translate(reading)) in _RESERVED_BARE for reading in _READINGS)


def _bare(name: str) -> str:
    return name.translate(_SEPARATORS)


def username_taken() -> StepRefused:
    """What somebody reads who asks for a name that another account has."""
    return StepRefused(_l("This username is taken. Choose another one."), field="username")
