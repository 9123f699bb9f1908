"""What people fill into the portal's forms."""

from __future__ import annotations

from tests.people import PASSWORD


def registration(**changed: str) -> dict[str, str]:
    """The registration form as Ada fills it in, but for what is changed."""
    return {
        "full_name": "Ada Lovelace",
        "username": "ada",
        "email": "ada@example.org",
        "password": PASSWORD,
        "password_again": PASSWORD,
        "communication": "important",
        "reason": "",
        "accept_terms": "y",
    } | changed


def new_password(password: str) -> dict[str, str]:
    """A new password, typed twice."""
    return {"password": password, "password_again": password}


def confirmation(password: str, **changed: str) -> dict[str, str]:
    """What somebody sends who confirms in another browser: corrections, and a password."""
    owner = {"full_name": "Ada Lovelace", "username": "ada", "reason": ""}
    return owner | new_password(password) | changed
