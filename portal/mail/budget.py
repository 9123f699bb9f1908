"""The budget: how much mail one mailbox gets in a day, so that nobody is flooded (ASVS 2.4.1).

What anybody can cause by a form has one budget, and every other kind of mail has its own: whatever
strangers ask for, a notice that a password was changed is not held back.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import (
    Index,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    delete,
    exists,
    func,
    select,
)
from sqlalchemy.orm import Mapped, mapped_column

from portal import clock, settings
from portal.database import Model, UtcDateTime, db, folded
from portal.fingerprints import LENGTH, fingerprint

DAY = timedelta(days=1)

# What anybody can cause by typing an address into a form.
ASKED = "asked"
ASKED_BY_ANYBODY = frozenset(
    {
        "confirmation",
        "confirmation_again",
        "already_registered",
        "username_taken",
        "password_reset",
        "address_change",
    }
)

# The links by which somebody gets in. Strangers who use up the budget must not keep the owner
# from them: one goes out all the same where none that works is in the mailbox already.
WAYS_IN = frozenset({"confirmation", "confirmation_again", "password_reset"})
BETWEEN_WAYS_IN = timedelta(minutes=30)

# Tell colleagues what waits, each as often as they chose.
UNCOUNTED = frozenset({"registrations_waiting", "registrations_overdue", "digest"})

# Mailboxes in which dots mean nothing.
_WITHOUT_DOTS = ("gmail.com", "googlemail.com")


class Spending(Model):
    """One mail to one mailbox, for as long as it counts. The address itself is not kept."""

    __tablename__ = "mail_spendings"
    __table_args__ = (
        Index("ix_mail_spendings_mailbox_budget_at", "mailbox", "budget", "at"),
        Index("ix_mail_spendings_at", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    mailbox: Mapped[str] = mapped_column(folded(LENGTH))
    budget: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Until when another one of its kind is not needed: its link works.
    serves_until: Mapped[datetime] = mapped_column(UtcDateTime)


def has_room(recipient: str | None, kind: str) -> bool:
    """Whether one more mail of this kind may go to this address now.

    One question, the same for every address; nobody (None) costs as much. Two transactions at
    the same moment do not see each other's mail, and may each take the last room.
    """
    if kind in UNCOUNTED:
        return True
    now, mailbox, budget = clock.now(), _mailbox(recipient), _budget(kind)
    most = _most(budget)
    asked = {
        "mailbox": mailbox,
        "budget": budget,
        "since": now - DAY,
        "most": most,
        "kind": kind,
        "now": now,
    }
    with db.session.no_autoflush:
        count, is_served = db.session.execute(_SPENT, asked).one()
    return count < most or (kind in WAYS_IN and not is_served)


def _spent() -> Select[int, bool]:
    """How much was spent, as far as that matters, and whether one of the kind still serves."""
    here = and_(
        Spending.mailbox == bindparam("mailbox"),
        Spending.budget == bindparam("budget"),
        Spending.at > bindparam("since"),
    )
    spent = select(Spending.id).where(here).limit(bindparam("most", type_=Integer)).subquery()
    serving = exists().where(
        here, Spending.kind == bindparam("kind"), Spending.serves_until > bindparam("now")
    )
    return select(select(func.count()).select_from(spent).scalar_subquery(), serving)


_SPENT = _spent()  # built once, because every mail needs it


def spend(recipient: str | None, kind: str, *, expires_at: datetime | None) -> None:
    """Count a mail, in the caller's transaction."""
    if kind in UNCOUNTED:
        return
    now = clock.now()
    db.session.add(
        Spending(
            mailbox=_mailbox(recipient),
            budget=_budget(kind),
            kind=kind,
            at=now,
            serves_until=max(expires_at or now, now + BETWEEN_WAYS_IN),
        )
    )


def purge() -> None:
    """Forget what counts no more, in the caller's transaction."""
    db.session.execute(
        delete(Spending).where(Spending.at <= clock.now() - DAY),
        execution_options={"synchronize_session": False},
    )


def _budget(kind: str) -> str:
    return ASKED if kind in ASKED_BY_ANYBODY else kind


def _most(budget: str) -> int:
    mail = settings.current().mail
    return mail.most_asked_a_day if budget == ASKED else mail.most_of_a_kind_a_day


def _mailbox(recipient: str | None) -> str:
    """The fingerprint of the mailbox behind an address: all its spellings and tags are one.

    Nobody has one of their own each time, so that what is done for nobody never adds up.
    """
    if recipient is None:
        return secrets.token_hex(LENGTH // 2)
    local, _, domain = recipient.lower().rpartition("@")
    mailbox = local.partition("+")[0] or local
    if domain in _WITHOUT_DOTS:
        mailbox, domain = mailbox.replace(".", ""), _WITHOUT_DOTS[0]
    return fingerprint(f"{mailbox}@{domain}", of="mailbox")
