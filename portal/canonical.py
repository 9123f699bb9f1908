"""One spelling for what must be unique or findable, however it was typed.

The database compares these spellings and nothing else, so that no collation decides who
somebody is (the record of look-alike take-overs is in docs/security.md).
"""

import unicodedata

from email_validator import EmailNotValidError, validate_email

# Normalising costs the square of a run of combining signs (seconds for 30,000): nothing
# that is longer than what it stands for could be is normalised at all.
LONGEST_ADDRESS = 320
LONGEST_USERNAME = 128
LONGEST_NAME = 600


def email(address: str) -> str:
    """The spelling under which an address is unique: NFC, lower case, ASCII domain.

    Anything that is no address comes back folded, so that looking it up finds nobody.
    """
    folded = unicodedata.normalize("NFC", address.strip()[:LONGEST_ADDRESS])
    try:
        parts = validate_email(
            folded,
            check_deliverability=False,
            allow_smtputf8=True,
            test_environment=True,
        )
    except EmailNotValidError:
        return folded.casefold()[:254]
    return f"{unicodedata.normalize('NFC', parts.local_part).lower()}@{parts.ascii_domain.lower()}"


def username(name: str) -> str:
    """The spelling under which a username is unique: NFKC, case folded, without word joiners.

    Mails put joiners into a name that a mail program could make a link of.
    """
    spelled = unicodedata.normalize("NFKC", name.strip()[:LONGEST_USERNAME])
    return spelled.replace("\u2060", "").casefold()


def search_text(*parts: str) -> str:
    """What a search looks in: the parts, folded as `search_term` folds what is typed."""
    return " ".join(search_term(part) for part in parts)


def search_term(typed: str) -> str:
    """What somebody typed into a search box, as the searchable text is spelled."""
    plain = typed[:LONGEST_NAME].replace("\0", "")
    return " ".join(unicodedata.normalize("NFKC", plain).casefold().split())
