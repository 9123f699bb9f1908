"""People for tests, made by the domain: no test can describe a state nobody can reach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import time_machine
from sqlalchemy import select

from portal import clock
from portal.accounts import access, staff_invitation
from portal.accounts.access import AccessLevel
from portal.accounts.approval import approve, reject
from portal.accounts.confirmation import note_confirmed
from portal.accounts.registration import Application, register
from portal.accounts.roles import Role
from portal.accounts.suspension import suspend
from portal.accounts.user import Communication, User
from portal.agents.catalogue import Agent
from portal.database import db, transaction
from portal.security.passwords import hashed

PASSWORD = "Sturdy-lantern 42"


@dataclass(frozen=True)
class Person:
    """What a test needs to know to sign somebody in."""

    username: str
    password: str = PASSWORD


class People:
    """Everybody in one test."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers

    def user(
        self,
        *,
        username: str = "",
        email: str = "",
        full_name: str = "",
        language: str = "en",
        reason: str = "",
        communication: Communication = Communication.IMPORTANT,
        confirmed: bool = False,
        approved: str | bool = False,
        rejected: str | bool = False,
        suspended: bool = False,
        for_an_hour: bool = False,
    ) -> User:
        """An account as far along its life as asked for; `approved` may name a level.

        `for_an_hour`: whatever was decided can no longer be undone, and so may be known.
        """
        if for_an_hour:
            with time_machine.travel(clock.now() - timedelta(hours=1)):
                return self.user(
                    username=username,
                    email=email,
                    full_name=full_name,
                    language=language,
                    reason=reason,
                    communication=communication,
                    approved=approved,
                    rejected=rejected,
                )
        number = next(self._numbers)
        username = username or f"person{number}"
        with transaction():
            user = self._applicant(
                username,
                email=email,
                full_name=full_name or f"Person {number}",
                language=language,
                reason=reason,
                communication=communication,
            )
            if confirmed or approved or rejected or suspended:
                note_confirmed(user)
            if approved or suspended:
                wanted = approved if isinstance(approved, str) else "standard"
                approve(user, by=None, level=level(wanted))
            if rejected:
                reject(user, by=None, reason=rejected if isinstance(rejected, str) else "")
            if suspended:
                suspend(user, by=None)
        return user

    def _applicant(
        self,
        username: str,
        *,
        email: str = "",
        full_name: str = "Person",
        language: str = "en",
        reason: str = "",
        communication: Communication = Communication.IMPORTANT,
    ) -> User:
        user = register(
            Application(
                full_name=full_name,
                username=username,
                email=email or f"{username}@example.org",
                password_hash=password_hash(),
                language=language,
                time_zone="",
                communication=communication,
                reason=reason,
                terms_version="1",
            )
        )
        assert user is not None
        return user

    def crowd(self, size: int, *, confirmed: bool = True) -> list[int]:
        """The ids of as many who registered, made in one go; `confirmed` for who waits."""
        with transaction():
            users = [self._applicant(f"person{next(self._numbers)}") for _ in range(size)]
            for user in users if confirmed else []:
                note_confirmed(user)
            db.session.flush()
            return [user.id for user in users]

    def staff(self, role: str, *, username: str = "") -> User:
        """A member of staff, who came in by an invitation."""
        number = next(self._numbers)
        username = username or f"{role}{number}"
        with transaction():
            wanted = db.session.scalars(select(Role).filter_by(name=role)).one()
            token = staff_invitation.invite(role=wanted)
            invitation = staff_invitation.find(token)
            assert invitation is not None
            return staff_invitation.accept(
                invitation,
                full_name=f"{role.capitalize()} {number}",
                username=username,
                email=f"{username}@example.org",
                password_hash=password_hash(),
                language="en",
            )


def person(user: User) -> Person:
    """How this user signs in."""
    assert user.username is not None
    return Person(user.username)


def level(name: str) -> AccessLevel:
    """An access level by its name."""
    return next(found for found in access.levels() if found.name == name)


def an_agent(
    name: str = "Translator", *, requires: str = "standard", enabled: bool = True
) -> Agent:
    """An agent in the catalogue."""
    with transaction():
        agent = Agent(
            name=name,
            description=f"What {name} does.",
            url="https://agents.example.org/" + name.lower(),
            kind="agent",
            enabled=enabled,
            access_level=level(requires),
        )
        db.session.add(agent)
    return agent


@cache
def password_hash() -> str:
    """The hash of everybody's password; one for all, because hashing is slow on purpose."""
    return hashed(PASSWORD)
