"""The story: what happened in the demo, as steps of the domain in the order of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import pairwise
from random import Random

from flask import current_app, g
from flask_security.utils import login_user
from sqlalchemy import select

from portal import settings
from portal.accounts import access, erasure, staff_invitation
from portal.accounts.access import AccessLevel, change_access_level
from portal.accounts.approval import approve, edit_reason, reject, reopen
from portal.accounts.confirmation import note_confirmed, resend_confirmation
from portal.accounts.registration import Application, register
from portal.accounts.roles import Role, change_roles
from portal.accounts.suspension import reinstate, suspend
from portal.accounts.user import Communication, User
from portal.agents.catalogue import Agent, edit_agent
from portal.database import db, locked
from portal.demo import moments
from portal.demo.cast import Cast, Opening, Person
from portal.demo.moments import DAY, HOUR, MINUTE, SECOND
from portal.desk import bulk_asking, bulk_round, note, question
from portal.desk.bulk import Deed
from portal.desk.undo import undo
from portal.security import known_devices

SEED = 20260
OPENED = 40 * DAY  # before now: when the staff began
MANY_AT_ONCE = 11 * DAY + 2 * HOUR  # before now: when a batch of registrations was approved
IN_BULK = "approved in bulk"
IN_BETWEEN = "approved meanwhile"  # by a colleague, while the worker came to the others

# With what everybody in the story signs in.
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

_LEVELS = {
    "guest": "What everybody may open who works with us.",
    "standard": "What most people need for their work.",
    "extended": "What holds figures, contracts and salaries.",
}


@dataclass(frozen=True)
class Event:
    """Something that happened, to be done in a transaction while the clock shows that moment.

    What `commits` by itself, as jobs do, is done without one.
    """

    at: datetime
    do: Callable[[], None]
    commits: bool = False


@dataclass
class Story:
    """A month of a portal that ends now. `events` come in the order of time."""

    cast: Cast
    now: datetime
    hash_of: Callable[[Person], str]
    ids: dict[str, int] = field(default_factory=dict)
    known: dict[tuple[str, str], str] = field(default_factory=dict)  # a cookie of each browser
    registered: list[datetime] = field(default_factory=list)
    random: Random = field(default_factory=lambda: Random(SEED))

    def events(self) -> list[Event]:
        """Everything that happened, oldest first."""
        everything = [*self._beginning(), *self._staff_at_work(), *self._many_at_once()]
        for person in self.cast.people:
            everything += self._life_of(person)
        return sorted(everything, key=lambda event: event.at)

    def _beginning(self) -> Iterator[Event]:
        """The staff come in, describe the levels, and fill the catalogue."""
        start = self.now - OPENED
        for number, person in enumerate(self.cast.staff):
            yield Event(start + number * HOUR, partial(self._join, person))
        yield Event(start + 5 * HOUR, self._describe_levels)
        for number, opening in enumerate(self.cast.openings):
            moment = start + DAY + number * 7 * MINUTE
            yield Event(moment, partial(self._add, opening))
            if not opening.enabled:
                moment = self.now - 20 * DAY - 3 * HOUR
                yield Event(moment, partial(self._switch_off, opening))

    def _staff_at_work(self) -> Iterator[Event]:
        for person in self.cast.staff:
            start = self.now - OPENED + DAY
            yield from self._signs_in(person, start, self.now - 25 * MINUTE, 12)

    def _many_at_once(self) -> Iterator[Event]:
        """A reviewer approves all who came from one event; one of them was approved meanwhile."""
        asked = self.now - MANY_AT_ONCE
        yield Event(asked, self._ask_for_many)
        yield Event(asked + 20 * SECOND, _work_them_off, commits=True)

    def _ask_for_many(self) -> None:
        wanted = {IN_BULK, IN_BETWEEN}
        people = [each for each in self.cast.people if wanted & set(each.life)]
        ids = [self.ids[person.username] for person in people]
        level = _level("standard")
        bulk_asking.ask(Deed.APPROVAL, ids, by=self._giver(level), level=level)

    def _life_of(self, person: Person) -> Iterator[Event]:
        registered = moments.of_registration(person, self.registered, self.random, self.now)
        self.registered.append(registered)
        times = self._fitted(person, moments.of_life(person, registered, self.random, self.now))
        yield Event(registered, partial(self._register, person))
        for word, (moment, following) in zip(
            person.life, pairwise([*times, self.now - 5 * MINUTE]), strict=True
        ):
            if word == IN_BULK:
                continue  # with the others
            if word.startswith("signs in"):
                count = int(word.rpartition(" ")[2])
                yield from self._signs_in(person, moment, following, count)
            else:
                yield Event(moment, partial(self._take, word, person))

    def _fitted(self, person: Person, times: list[datetime]) -> list[datetime]:
        """When each thing happened to somebody who was approved together with others."""
        for word, after in ((IN_BULK, 20 * SECOND), (IN_BETWEEN, 10 * SECOND)):
            if word in person.life:
                first = person.life.index(word)
                return times[:first] + [self.now - MANY_AT_ONCE + after] * len(times[first:])
        return times

    def _signs_in(
        self, person: Person, start: datetime, end: datetime, count: int
    ) -> Iterator[Event]:
        addresses = [self._network_address() for _ in range(2)]
        for moment in moments.between(start + MINUTE, end, count, person.zone, self.random):
            address = self.random.choices(addresses, weights=(4, 1))[0]
            yield Event(moment, partial(self._sign_in, person, address))

    def _network_address(self) -> str:
        """One of those that are reserved for examples (RFC 5737, RFC 3849)."""
        if self.random.random() < 0.2:
            return f"2001:db8::{self.random.randrange(1, 0xFFFF):x}"
        network = self.random.choice(("192.0.2", "198.51.100", "203.0.113"))
        return f"{network}.{self.random.randrange(1, 255)}"

    def _take(self, word: str, person: Person) -> None:
        """Take the step that a word in somebody's life stands for."""
        user = self._user(person)
        verb, _, rest = word.partition(" ")
        match verb:
            case "resent":
                resend_confirmation(user, by=self._staff("reviewer"))
            case "registered":
                register(self._application(person))
            case "confirmed":
                note_confirmed(user)
            case "reason":
                edit_reason(user, reason=f"{user.reason} We would start next week.")
            case "approved":
                level = _level("guest" if word == IN_BETWEEN else rest)
                approve(user, by=self._giver(level), level=level)
            case "rejected":
                by = self._staff("reviewer")
                reject(user, by=by, reason=person.said, tell=rest != "quietly")
                if rest == "by mistake":
                    undo(user, by=by)
            case "asked":
                question.ask(user, by=self._staff("reviewer"), question=person.asks)
            case "answered":
                question.answer(user, text=person.answers)
            case "noted":
                note.write(user, by=self._staff("reviewer"), text=person.notes)
            case "reopened":
                reopen(user, by=self._staff("manager"))
            case "level":
                change_access_level(user, to=_level(rest), by=self._staff("manager"))
            case "role":
                role = db.session.scalars(select(Role).filter_by(name=rest)).one()
                change_roles(user, to=[role], by=self._staff("administrator"))
            case "suspended":
                suspend(user, by=self._staff("manager"), reason=person.said)
            case "reinstated":
                reinstate(user, by=self._staff("manager"))
            case "withdrawn":
                erasure.erase(user, by=user)
            case "erased":
                erasure.erase(user, by=self._staff("administrator"))
            case "forgotten":
                erasure.erase_unconfirmed()
            case _:
                raise ValueError(f"people.toml: nothing is known of {word!r}")

    def _register(self, person: Person) -> None:
        user = register(self._application(person))
        assert user is not None, f"people.toml: {person.username} is there twice"
        self.ids[person.username] = user.id

    def _application(self, person: Person) -> Application:
        return Application(
            full_name=person.name,
            username=person.username,
            email=person.email,
            password_hash=self.hash_of(person),
            language=person.language,
            time_zone=person.zone,
            communication=Communication(person.communication),
            reason=person.reason,
            terms_version=settings.current().site.terms_version,
            wished_level_id=_level(person.wish).id if person.wish else None,
            network_address=person.network,
            seconds_to_fill_in=person.seconds,
        )

    def _join(self, person: Person) -> None:
        role = db.session.scalars(select(Role).filter_by(name=person.part)).one()
        first = not self.ids
        token = staff_invitation.invite(
            role=role,
            email=person.email,
            username=person.username,
            by=None if first else self._staff("administrator"),
        )
        invitation = staff_invitation.find(token)
        assert invitation is not None
        user = staff_invitation.accept(
            invitation,
            full_name=person.name,
            username=person.username,
            email=person.email,
            password_hash=self.hash_of(person),
            language=person.language,
        )
        db.session.flush()
        self.ids[person.username] = user.id

    def _describe_levels(self) -> None:
        for level in access.levels():
            access.edit_level(
                level,
                name=level.name,
                rank=level.rank,
                description=_LEVELS.get(level.name, level.description),
                offered=True,
                by=self._staff("administrator"),
            )

    def _add(self, opening: Opening) -> None:
        self._edit(None, opening, enabled=True)

    def _switch_off(self, opening: Opening) -> None:
        agent = db.session.scalars(select(Agent).filter_by(name=opening.name)).one()
        self._edit(agent, opening, enabled=False)

    def _edit(self, agent: Agent | None, opening: Opening, *, enabled: bool) -> None:
        edit_agent(
            agent,
            name=opening.name,
            description=opening.description,
            url=opening.url,
            kind=opening.kind,
            enabled=enabled,
            access_level=_level(opening.level),
            by=self._staff("manager"),
        )

    def _sign_in(self, person: Person, address: str) -> None:
        """Sign somebody in as the sign-in page does once the password was right.

        At each address they have a browser of their own, which knows them from then on.
        """
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        browser = {"REMOTE_ADDR": address, "HTTP_USER_AGENT": AGENT}
        kept = {"Cookie": self.known.get((person.username, address), "")}
        with app.test_request_context(environ_base=browser, headers=kept):
            login_user(self._user(person), remember=False, authn_via=["password"])
            answer = app.process_response(app.response_class())
            g.pop("_login_user", None)
        name = settings.current().cookie_name(known_devices.COOKIE)
        for cookie in answer.headers.getlist("Set-Cookie"):
            if cookie.startswith(f"{name}="):
                self.known[person.username, address] = cookie.partition(";")[0]

    def _user(self, person: Person) -> User:
        user = locked(User, self.ids[person.username])
        assert user is not None
        return user

    def _staff(self, role: str) -> User:
        """Somebody of the staff with this role, not always the same."""
        candidates = [person for person in self.cast.staff if person.part == role]
        return self._user(self.random.choice(candidates))

    def _giver(self, level: AccessLevel) -> User:
        """Who gives this level: reviewers, as far as their role reaches."""
        reviewer = self._staff("reviewer")
        up_to = max(role.grants_up_to.rank for role in reviewer.roles if role.grants_up_to)
        return reviewer if level.rank <= up_to else self._staff("manager")


def _work_them_off() -> None:
    """Let the worker take the step on everybody, as it does when a bulk was asked for."""
    while bulk_round.work():
        pass


def _level(name: str) -> AccessLevel:
    return db.session.scalars(select(AccessLevel).filter_by(name=name)).one()
