"""The demo: sixty invented people and a month of history, made by the portal's own steps.

Nothing is written past the domain: whatever the demo shows, the portal can reach.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

from flask import Flask
from sqlalchemy import select

from portal import clock
from portal.accounts.passwords import Personal, broken_rules
from portal.accounts.user import User
from portal.database import db, transaction
from portal.demo import cast, post
from portal.demo.cast import Cast, Person
from portal.demo.story import Story
from portal.logs import unheard
from portal.security.passwords import hashed

Progress = Callable[[int, int], None]

# Easy to read aloud and to type: no 0 O 1 l I.
_LETTERS = "abcdefghijkmnpqrstuvwxyz"
_DIGITS = "23456789"


class NotEmpty(RuntimeError):
    """The database already knows people; the demo is for one that knows nobody."""


@dataclass(frozen=True)
class SignIn:
    """How to sign in as one of the people, and who they are in the story."""

    part: str
    username: str
    password: str


@dataclass(frozen=True)
class DemoResult:
    """What was made, and how to sign in to see it. The password is kept nowhere else."""

    people: int
    agents: int
    sign_ins: tuple[SignIn, ...]

    def lines(self) -> list[tuple[str, str]]:
        """The same as lines for a terminal, each with a short label."""
        return [
            ("Password", f"{self.sign_ins[0].password}    made for this start, for each of these:"),
            *(("Sign in", f"{who.username:<20} {who.part}") for who in self.sign_ins),
        ]


def seed(app: Flask, progress: Progress | None = None) -> DemoResult:
    """Fill an empty, migrated database with people, agents and what happened in a month.

    The same people and choices each time; the moments are counted back from now, and the one
    password is made anew. `progress` hears how many of how many things are done.

    Raises:
        NotEmpty: somebody has an account here.
    """
    with app.app_context():
        if db.session.scalar(select(User.id).limit(1)) is not None:
            raise NotEmpty("This database already holds accounts; the demo needs an empty one.")
        everybody = cast.read()
        password = _fresh_password(everybody)
        known, unknown = hashed(password), hashed(secrets.token_urlsafe(24))

        def hash_of(person: Person) -> str:
            return known if person.part else unknown

        with unheard():
            _play(Story(everybody, clock.now(), hash_of), progress or _silently)
        return DemoResult(
            people=len(everybody.staff) + len(everybody.people),
            agents=len(everybody.openings),
            sign_ins=tuple(
                SignIn(person.part, person.username, password)
                for person in (*everybody.staff, *everybody.people)
                if person.part
            ),
        )


def _play(story: Story, progress: Progress) -> None:
    events = story.events()
    settled = 0
    for number, event in enumerate(events, start=1):
        with clock.at(event.at), nullcontext() if event.commits else transaction():
            event.do()
        settled = post.settle(settled, refused=_refused(story), now=story.now)
        progress(number, len(events))


def _refused(story: Story) -> dict[tuple[int, str], str]:
    return {
        (story.ids[person.username], kind): error
        for person in story.cast.people
        for kind, error in person.refused.items()
        if person.username in story.ids
    }


def _fresh_password(everybody: Cast) -> str:
    """A password that nobody has had, and that keeps the rules for everybody who gets it."""
    while True:
        groups = [
            "".join(secrets.choice(_LETTERS) for _ in range(4)) + secrets.choice(_DIGITS)
            for _ in range(3)
        ]
        password = "-".join([groups[0].capitalize(), *groups[1:]])
        if not any(
            broken_rules(password, Personal(person.name, person.username, person.email))
            for person in (*everybody.staff, *everybody.people)
            if person.part
        ):
            return password


def _silently(_done: int, _of: int) -> None:
    """Say nothing."""
