"""Openings: that a mailed link was looked at, by a person as it seems or by a robot (B3)."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import ForeignKey, Index, String, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from portal import clock
from portal.database import Model, UtcDateTime, db, transaction
from portal.mail.mail import Mail

log = logging.getLogger(__name__)

MOST = 20  # looks at one mail that are kept; whoever looks more often says nothing new
AT_ONCE = timedelta(seconds=1)
PATIENCE = timedelta(milliseconds=250)  # a page does not wait for this


class Sign(StrEnum):
    """What speaks for a robot."""

    HEAD = "head"
    AT_ONCE = "at_once"
    SCANNER = "scanner"
    PREFETCH = "prefetch"
    # Weak: a person who opens the link on another device brings none either.
    NO_COOKIES = "no_cookies"

    @property
    def label(self) -> Any:
        """The words for it that staff read."""
        return _LABELS[self]


class Looker(StrEnum):
    """Who looked, as far as one can tell."""

    PERSON = "person"
    UNSURE = "unsure"
    ROBOT = "robot"


_LABELS = {
    Sign.HEAD: _l("asked whether the page is there, and did not read it"),
    Sign.AT_ONCE: _l("looked several times within a second"),
    Sign.SCANNER: _l("goes by the name of a scanner"),
    Sign.PREFETCH: _l("fetched the page before anybody asked for it"),
    Sign.NO_COOKIES: _l("brought no cookies"),
}

# What mail scanners, previews and programs call themselves. Browsers of people do not.
_SCANNERS = re.compile(
    r"bot\b|crawl|spider|scan|preview|proxy|prefetch|monitor|headless|phantom"
    r"|proofpoint|mimecast|barracuda|safelinks|urldefense|fireeye|symantec|messagelabs|sophos"
    r"|trendmicro|ironport|cisco|forcepoint|zscaler|mailguard|virustotal|checkpoint|cloudmark"
    r"|facebookexternalhit|whatsapp|skype|slack|telegram|discord|embedly"
    r"|curl|wget|python|urllib|httpx|aiohttp|libwww|perl|java/|okhttp|go-http|ruby|node|axios|php"
    r"|powershell|winhttp|postman",
    re.IGNORECASE,
)


class MailOpening(Model):
    """One look at the link of a mail. `signs` are what speaks for a robot, empty for a person."""

    __tablename__ = "mail_openings"
    __table_args__ = (Index("ix_mail_openings_mail_id_at", "mail_id", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    mail_id: Mapped[int] = mapped_column(ForeignKey("mails.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    signs: Mapped[str] = mapped_column(String(80), default="")

    @property
    def seen(self) -> set[Sign]:
        """The signs. One that this version does not know counts for nothing."""
        return {Sign(name) for name in self.signs.split() if name in set(Sign)}

    @property
    def looker(self) -> Looker:
        """Who looked, as far as one can tell."""
        if self.seen - {Sign.NO_COOKIES}:
            return Looker.ROBOT
        return Looker.UNSURE if self.seen else Looker.PERSON

    def add(self, sign: Sign) -> None:
        """Note one more sign."""
        self.signs = " ".join(sorted(self.seen | {sign}))


@dataclass
class Looks:
    """The looks at one mail: since when which kind of looker did, and what gave robots away."""

    first: dict[Looker, datetime] = field(default_factory=dict)
    signs: set[Sign] = field(default_factory=set)

    @property
    def reasons(self) -> list[Any]:
        """Why a robot was taken for one, in words and always in the same order."""
        return [sign.label for sign in Sign if sign in self.signs]


def note(ticket: str, *, method: str, cookies: bool, agent: str, prefetch: bool = False) -> None:
    """Write down a look at the link of a mail. Commits; never fails the page that is looked at.

    The one thing that a GET or a HEAD writes: nobody's account, and at most `MOST` rows a
    mail, so that a page costs no write however often it is asked for. What looked is not kept,
    only what speaks for a robot. A database that is busy is not waited for.
    """
    if not ticket:
        return
    try:
        if _is_worth_noting(ticket):
            with transaction(patience=PATIENCE):
                _note(ticket, _signs(method, cookies, agent, prefetch))
    except SQLAlchemyError as trouble:
        db.session.rollback()
        log.warning("a look at a mailed link was not noted (%s)", type(trouble).__name__)


def mark_used(ticket: str) -> None:
    """Note that somebody did what the link of this mail is for. Again changes nothing."""
    if ticket:
        _mark_used(Mail.ticket == ticket)


def mark_newest_used(user_id: int, kinds: Sequence[str]) -> None:
    """The same for the newest mail of these kinds: the one whose code works."""
    newest = (
        select(Mail.id)
        .where(Mail.user_id == user_id, Mail.kind.in_(kinds))
        .order_by(Mail.posted_at.desc(), Mail.id.desc())
        .limit(1)
    )
    _mark_used(Mail.id == newest.scalar_subquery())


def looks(mail_ids: Sequence[int]) -> dict[int, Looks]:
    """The looks at these mails, those that nobody looked at left out. One query."""
    found: dict[int, Looks] = {}
    if not mail_ids:
        return found
    query = select(MailOpening).where(MailOpening.mail_id.in_(mail_ids)).order_by(MailOpening.at)
    for opening in db.session.scalars(query):
        of_mail = found.setdefault(opening.mail_id, Looks())
        of_mail.first.setdefault(opening.looker, opening.at)
        if opening.looker is Looker.ROBOT:
            of_mail.signs |= opening.seen
    return found


def _is_worth_noting(ticket: str) -> bool:
    """Whether there is such a mail, and room for one more look at it."""
    counted = (
        select(func.count(MailOpening.id))
        .where(MailOpening.mail_id == Mail.id)
        .correlate(Mail)
        .scalar_subquery()
    )
    number = db.session.scalar(select(counted).select_from(Mail).where(Mail.ticket == ticket))
    return number is not None and number < MOST


def _note(ticket: str, signs: set[Sign]) -> None:
    # Locked, so that looks at the same moment see each other.
    of_mail = select(Mail.id).where(Mail.ticket == ticket).with_for_update(key_share=True)
    mail_id = db.session.scalar(of_mail)
    if mail_id is None:
        return
    now = clock.now()
    before = db.session.scalars(select(MailOpening).where(MailOpening.mail_id == mail_id)).all()
    if len(before) >= MOST:
        return
    moments_ago = [opening for opening in before if abs(now - opening.at) < AT_ONCE]
    for opening in moments_ago:
        opening.add(Sign.AT_ONCE)
    look = MailOpening(mail_id=mail_id, at=now, signs="")
    for sign in signs | ({Sign.AT_ONCE} if moments_ago else set()):
        look.add(sign)
    db.session.add(look)


def _signs(method: str, cookies: bool, agent: str, prefetch: bool) -> set[Sign]:
    found = {
        Sign.HEAD: method == "HEAD",
        Sign.SCANNER: not agent.strip() or _SCANNERS.search(agent[:400]) is not None,
        Sign.PREFETCH: prefetch,
        Sign.NO_COOKIES: not cookies,
    }
    return {sign for sign, speaks in found.items() if speaks}


def _mark_used(which: Any) -> None:
    db.session.execute(
        update(Mail).where(which, Mail.used_at.is_(None)).values(used_at=clock.now()),
        execution_options={"synchronize_session": False},
    )
