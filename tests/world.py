"""One of everything, so that a test which walks over all pages finds none of them empty."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import time_machine
from flask import Flask

from portal import clock, i18n, links
from portal.accounts import alarm, denial, staff_invitation
from portal.accounts.access import AccessLevel
from portal.accounts.roles import Role
from portal.accounts.user import User
from portal.agents.catalogue import Agent
from portal.database import db, transaction
from portal.desk import bulk_asking, bulk_round, note, question, saved_filter
from portal.desk.bulk import Deed
from portal.desk.note import Note
from portal.desk.standard_text import StandardText
from portal.mail.mailbox import CapturedMail
from tests.i18n.crawler import addresses
from tests.people import PASSWORD, People, an_agent, level

# What answers with no page: files, and what machines ask.
NO_PAGES = {
    "static",
    "health.alive",
    "health.ready",
    "mailbox.part",
    "mailbox.source",
    "pages.passkey_options",
    "registrations.letter",
    "registrations.claims",
    "figures.export_reviewers",
    *(
        f"{part}.export"
        for part in (
            "registrations",
            "accounts",
            "figures",
            "access_levels",
            "agents",
            "texts",
            "mail",
            "audit_trail",
            "roles",
        )
    ),
}

NAME = "Zoë Quixote-Žižek"
REASON, REJECTION = "Zkq zkq.", "Zkq rjk."
NOTE = "Zkq nte."
NEW_ADDRESS = "zkq@example.org"


@dataclass
class World:
    """People of every status and role, and what stands in the addresses of their pages."""

    visitors: dict[str, User | None]
    samples: dict[str, list[object]]
    queries: dict[str, list[str]] = field(default_factory=dict)
    data: set[str] = field(default_factory=set)

    def addresses(self, app: Flask) -> list[str]:
        """Where a crawl goes."""
        return list(addresses(app, self.samples, queries=self.queries, besides=NO_PAGES))


def world_of(people: People, language: str) -> World:
    """Make people of every status and role, agents, and links in every state."""
    pending = people.user(confirmed=True, reason=REASON, full_name=NAME)
    approved = people.user(approved="guest", full_name=NAME)
    unconfirmed = people.user(full_name=NAME)
    rejected = people.user(rejected=REJECTION, full_name=NAME, for_an_hour=True)
    suspended = people.user(suspended=True, full_name=NAME)
    asked, answered = (people.user(confirmed=True, full_name=NAME) for _ in range(2))
    reviewer, administrator = people.staff("reviewer"), people.staff("administrator")
    near, far = an_agent("Zkqx", requires="guest"), an_agent("Qkzx", requires="extended")
    with transaction():
        for user in db.session.scalars(db.select(User)):
            user.language = language
        for offered in ("guest", "standard"):
            level(offered).offered = True
        for user in (asked, answered):
            question.ask(user, by=reviewer, question=REASON)
        question.answer(answered, text=REASON)

    everybody = [unconfirmed, pending, approved, rejected, suspended, administrator]
    return World(
        visitors={
            "nobody": None,
            "pending": pending,
            "rejected": rejected,
            "approved": approved,
            "reviewer": reviewer,
            "administrator": administrator,
        },
        samples={
            "pages.open_agent.agent_id": [near.id, far.id, 0],
            "agent_id": [near.id, 999],
            "level_id": [level("guest").id, level("extended").id, 999],
            "text_id": [1, 999],
            "filter_id": [_filter(reviewer), _filter(administrator), 999],
            "accounts.note_removal.user_id": [pending.id],
            "accounts.note_removal.note_id": _notes(pending, administrator),
            "role_id": [role.id for role in db.session.scalars(db.select(Role))],
            "accounts.account.user_id": [*(user.id for user in everybody), 999],
            "accounts.confirmation_by_hand.user_id": [unconfirmed.id, approved.id],
            "registrations.review.user_id": [*(user.id for user in everybody), 999],
            "user_id": [approved.id, suspended.id],
            "pages.confirm.token": [
                *(token(links.confirmation(user)) for user in (unconfirmed, approved, rejected)),
                expired(lambda: links.confirmation(unconfirmed)),
                "nonsense",
            ],
            "pages.not_me.token": [
                *(token(links.confirmation(user)) for user in (unconfirmed, approved)),
                _denied(people),
                "nonsense",
            ],
            "pages.reset.token": [
                token(links.password_reset(approved)),
                expired(lambda: links.password_reset(approved)),
                "nonsense",
            ],
            "pages.alarm.token": [
                *(_alarm(user) for user in (approved, suspended)),
                expired(lambda: links.alarm(approved, NEW_ADDRESS).removesuffix("/not-me")),
                _alarmed(people),
                "nonsense",
            ],
            "pages.confirm_email_change.token": [
                token(links.change_of_address(approved, NEW_ADDRESS)),
                token(links.change_of_address(approved, str(pending.email))),
                expired(lambda: links.change_of_address(approved, NEW_ADDRESS)),
                "nonsense",
            ],
            "pages.status_by_link.token": [
                *(
                    token(links.status(user))
                    for user in (unconfirmed, asked, answered, approved, rejected)
                ),
                "nonsense",
            ],
            "pages.new_address_by_link.token": [
                token(links.status(user)) for user in (unconfirmed, pending)
            ],
            "pages.withdrawal_by_link.token": [
                token(links.status(user)) for user in (pending, rejected)
            ],
            "pages.setup.token": [_invitation(), "nonsense"],
            "passkey_id": [999],
            "letter_id": [_letter(), 0],
            "bulk_id": [*_bulks([suspended.id, unconfirmed.id], reviewer), 999],
        },
        queries={
            "registrations.index": [
                "tab=asked",
                "tab=unconfirmed",
                "tab=decided&verdict=rejected",
                "q=qqq",
                "domain=example.org&language=en&level=1&mark=hasty&age=1&claimed=nobody",
                "cols=username,registered",
            ],
            "registrations.new_filter": ["language=de&mark=hasty"],
            "registrations.question": [f"ids={pending.id}", f"ids={rejected.id}"],
            "registrations.undo": [f"ids={approved.id}&ids={pending.id}"],
            "registrations.approval": [f"ids={pending.id}", f"ids={rejected.id}"],
            "registrations.rejection": [f"ids={pending.id}", f"ids={approved.id}"],
            "registrations.confirmation_mail": [f"ids={unconfirmed.id}", f"ids={approved.id}"],
            "registrations.bulk": [
                f"deed=approval&ids={pending.id}&ids={rejected.id}",
                f"deed=rejection&ids={pending.id}&ids={approved.id}",
                "deed=confirmation_mail&all=1&queue=tab%3Dunconfirmed",
            ],
            "registrations.reopening": [f"ids={rejected.id}&ids={pending.id}"],
            "accounts.index": ["status=suspended", "q=qqq", "sort=oldest"],
            "agents.index": ["q=qqq"],
            "mail.index": ["tab=failed", "tab=waiting", "q=qqq"],
            "audit_trail.index": ["action=account.approved", "since=then", "q=qqq", "account=1"],
            "mailbox.index": ["address=qqq"],
        },
        data=_data(),
    )


def kind_of(address: str) -> str:
    """The page at an address, whatever and whomever it is about."""
    return re.sub(r"[0-9]+", "#", address.partition("?")[0])


def _filter(by: User) -> int:
    with transaction():
        saved = saved_filter.save("tab=asked&language=de", name=NAME, by=by)
    return saved.id


def _notes(user: User, by: User) -> list[object]:
    """A note of one's own, one of somebody else, and none; they mention the reader."""
    with transaction():
        own = note.write(user, by=by, text=NOTE)
        other = note.write(user, by=user, text=f"{NOTE} @{by.username}")
    return [own.id, other.id, 999]


def _bulks(ids: list[int], by: User) -> list[object]:
    """One that is over and failed on everybody, and one that nobody has begun."""
    asked = []
    for deed in (Deed.APPROVAL, Deed.REJECTION):
        with transaction():
            found = level("guest") if deed is Deed.APPROVAL else None
            asked.append(bulk_asking.ask(deed, ids, by=by, level=found, reason=REJECTION).id)
        if deed is Deed.APPROVAL:
            while bulk_round.work():
                pass
    return list(asked)


def _denied(people: People) -> str:
    """What the link carries of somebody who said that it was not they."""
    link = token(links.confirmation(people.user(full_name=NAME)))
    denied = links.read_denial(link)
    assert denied is not None
    with transaction():
        denial.deny(denied)
    return link


def _alarm(user: User) -> str:
    """What the link "this was not me" of a notice carries."""
    return token(links.alarm(user, str(user.email)).removesuffix("/not-me"))


def _alarmed(people: People) -> str:
    """The same once it was used."""
    link = _alarm(people.user(approved=True, full_name=NAME))
    notice = links.read_alarm(link)
    assert notice is not None
    with transaction():
        alarm.raise_alarm(notice)
    return link


def token(link: str) -> str:
    """What a link carries at its end."""
    return link.rsplit("/", 1)[1]


def expired(link: Callable[[], str]) -> str:
    """What a link carries that was made too long ago."""
    with time_machine.travel(clock.now() - timedelta(days=9)):
        return token(link())


def _letter() -> int:
    content = f"To: {NEW_ADDRESS}\r\nSubject: zkq\r\n\r\nzkq\r\n".encode()
    with transaction():
        letter = CapturedMail(
            captured_at=clock.now(),
            recipient=NEW_ADDRESS,
            subject="zkq",
            message_id="<zkq@example.org>",
            content=content,
        )
        db.session.add(letter)
    return letter.id


def _invitation() -> str:
    with transaction():
        role = db.session.scalars(db.select(Role).filter_by(name="reviewer")).one()
        return staff_invitation.invite(role=role)


def _data() -> set[str]:
    """What people and rows are called: shown as it is, in every language."""
    words = {PASSWORD, REASON, REJECTION, NEW_ADDRESS, "zkq"}
    words |= {each.text for each in db.session.scalars(db.select(Note))}
    for user in db.session.scalars(db.select(User)):
        words |= {str(user.full_name), str(user.username), str(user.email)}
    for kind in (AccessLevel, Role, Agent):
        for row in db.session.scalars(db.select(kind)):
            words |= {str(row.name), str(row.description)}
    for text in db.session.scalars(db.select(StandardText)):
        words |= {text.name, *(variant.body for variant in text.variants)}
    with i18n.mail_locale(None):
        words |= {place for _, place in i18n.time_zone_menu()}
    return words - {"None", ""}
