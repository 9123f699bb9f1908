"""Reading the mail that a test's people got, as they would."""

from __future__ import annotations

import re

from portal.database import db
from portal.mail import outbox
from portal.mail.sealing import unseal


def link_in_last_mail(to: str, kind: str) -> str:
    """The path of the link in the newest waiting mail of a kind to an address."""
    db.session.expire_all()
    found = [mail for mail in outbox.waiting() if mail.recipient == to and mail.kind == kind]
    assert found, (
        f"no {kind} for {to}; there is {[(m.kind, m.recipient) for m in outbox.waiting()]}"
    )
    text = unseal(max(found, key=lambda mail: mail.id).body).text
    link = re.search(r"http://127\.0\.0\.1:8000(/\S+)", text)
    assert link is not None, text
    return link.group(1)


def kinds_to(address: str) -> list[str]:
    """The kinds of mail waiting for an address, oldest first."""
    db.session.expire_all()
    posted = sorted(outbox.waiting(), key=lambda mail: mail.id)
    return [mail.kind for mail in posted if mail.recipient == address]


def texts_to(address: str) -> str:
    """Everything that waits for an address, as it would be read: subjects, texts and HTML."""
    db.session.expire_all()
    letters = [unseal(mail.body) for mail in outbox.waiting() if mail.recipient == address]
    return "\n".join(
        part for letter in letters for part in (letter.subject, letter.text, letter.html)
    )
