"""Addresses: what an e-mail address must be to be kept and mailed."""

from __future__ import annotations

import unicodedata

from email_validator import EmailNotValidError, validate_email
from flask_babel import lazy_gettext as _l

from portal import canonical
from portal.errors import StepRefused


def checked(typed: str) -> str:
    """The address as it is kept: NFC, as typed before the @, the domain in lower case.

    Nothing is looked up: whether mail arrives is what the confirmation shows.

    Raises:
        StepRefused: with the sentence that says what an address looks like.
    """
    refused = StepRefused(_l("Enter an e-mail address like name@example.org."))
    if len(typed) > canonical.LONGEST_ADDRESS:
        raise refused
    address = unicodedata.normalize("NFC", typed.strip())
    if len(address) > 254 or address.count("@") != 1:
        raise refused
    try:
        parts = validate_email(
            address,
            check_deliverability=False,
            allow_smtputf8=False,
            test_environment=True,
        )
    except EmailNotValidError as error:
        raise refused from error
    if len(parts.normalized) > 254:
        raise refused
    return parts.normalized
