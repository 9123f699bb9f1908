"""Walking the whole site: every address, everybody who may come, and what a visit changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from sqlalchemy import select
from werkzeug.routing import Rule

from portal import links
from portal.accounts import staff_invitation
from portal.accounts.access import AccessLevel
from portal.accounts.roles import Role
from portal.accounts.user import User
from portal.database import db, transaction
from portal.desk import bulk_asking, note, saved_filter
from portal.desk.bulk import Deed
from portal.mail.mail import Mail
from tests.people import People, an_agent, person


@dataclass
class Site:
    """The site with something in it: people in every status, an agent, links that work."""

    app: Flask
    people: People
    values: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    # Somebody who waits for a decision, and what of these values is somebody's own.
    waiting: int = 0
    own: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def furnished(cls, app: Flask, people: People) -> Site:
        """Something behind every address, so that none is empty-handed when it is asked for."""
        applicant, member = people.user(), people.user(approved=True)
        waiting = people.user(confirmed=True)
        people.user(rejected="No room")
        people.user(suspended=True)
        last_level = db.session.scalars(
            select(AccessLevel).order_by(AccessLevel.rank.desc())
        ).first()
        assert last_level is not None
        site = cls(app, people, waiting=waiting.id)
        site.values = {
            "agent_id": an_agent(requires="guest").id,
            "user_id": member.id,
            "level_id": last_level.id,
            "role_id": _role().id,
            "text_id": 1,
            "note_id": _note(member),
            "filter_id": _filter(member),
            "bulk_id": _bulk(member),
            "letter_id": 1,
            "passkey_id": 1,
            "session_id": 1,
            "filename": "css/portal.css",
        }
        site.tokens = {
            "pages.confirm": links.confirmation(applicant, ticket=_ticket_of(applicant)),
            "pages.not_me": links.not_me(applicant, ticket=_ticket_of(applicant)),
            "pages.reset": links.password_reset(member),
            "pages.alarm": links.alarm(member, str(member.email)),
            "pages.confirm_email_change": links.change_of_address(member, "moved@example.org"),
            **{
                f"pages.{page}_by_link": links.absolute(
                    f"pages.{page}_by_link", token=links.status(waiting).rpartition("/")[2]
                )
                for page in ("status", "answer", "proof_code", "new_address", "withdrawal")
            },
            "pages.setup": _invitation(),
        }
        return site

    def rules(self, method: str) -> list[Rule]:
        """Every address that takes this method."""
        return [rule for rule in self.app.url_map.iter_rules() if method in (rule.methods or ())]

    def address(self, rule: Rule, who: str = "") -> str:
        """A path under this rule that leads to something: where that has an owner, of theirs."""
        if rule.endpoint in self.tokens:
            return self.tokens[rule.endpoint].partition("8000")[2]
        adapter = self.app.url_map.bind("127.0.0.1:8000")
        values = self.values | self.own.get(who, {})
        return adapter.build(rule.endpoint, {n: values[n] for n in rule.arguments})

    def arrivals(self, new_browser: Callable[[], Any]) -> dict[str, Any]:
        """A browser of each of EVERYBODY, signed in once for a whole walk."""
        browsers = {}
        for who, make in EVERYBODY.items():
            browsers[who] = new_browser()
            if make is None:
                continue
            user = make(self.people)
            if user.roles:
                self.own[who] = {"filter_id": _filter(user)}
            browsers[who].sign_in(person(user))
        # The staff among them came in by invitations, and a new one ends those before.
        self.tokens["pages.setup"] = _invitation()
        return browsers


def _role() -> Role:
    return db.session.scalars(select(Role).filter_by(name="reviewer")).one()


def _invitation() -> str:
    with transaction():
        return links.absolute("pages.setup", token=staff_invitation.invite(role=_role()))


def _note(member: User) -> int:
    with transaction():
        written = note.write(member, by=member, text="Sits next door")
    return written.id


def _filter(member: User) -> int:
    with transaction():
        saved = saved_filter.save("tab=asked", name="Asked", by=member)
    db.session.flush()
    return saved.id


def _bulk(member: User) -> int:
    with transaction():
        return bulk_asking.ask(Deed.REJECTION, [member.id], by=member, reason="No room").id


def _ticket_of(user: User) -> str:
    """The ticket of the mail with which somebody may confirm."""
    found = select(Mail.ticket).where(Mail.user_id == user.id, Mail.kind == "confirmation")
    return db.session.scalars(found).one() or ""


# Who comes, and how they are made.
EVERYBODY: dict[str, Callable[[People], User] | None] = {
    "visitor": None,
    "pending": lambda people: people.user(confirmed=True),
    "rejected": lambda people: people.user(rejected="No room"),
    "approved": lambda people: people.user(approved=True),
    "reviewer": lambda people: people.staff("reviewer"),
    "manager": lambda people: people.staff("manager"),
    "administrator": lambda people: people.staff("administrator"),
}


def arrive(browser: Any, people: People, who: str) -> Any:
    """Sign this browser in as somebody of this kind."""
    make = EVERYBODY[who]
    if make is not None:
        browser.sign_in(person(make(people)))
    return browser


def everything_kept() -> dict[str, str]:
    """One mark for each table of the database; it changes when any row of it does."""
    db.session.rollback()
    db.session.expire_all()
    marks = {}
    for table in db.metadata.sorted_tables:
        rows = sorted(repr(tuple(row)) for row in db.session.execute(select(table)))
        marks[table.name] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    db.session.rollback()
    return marks
