"""Whether time tells strangers who has an account: each form, for somebody known and for nobody.

python -m benchmarks.enumeration [--pairs 200] [--standings approved ...] [--database URL]

Pairs are interleaved, so that what else the machine does weighs on both. A form passes where the
medians are within 5 % or 10 ms of each other (ASVS 6.3.8). It runs twice: mails kept, and with a
mail server that does not answer. Beside the time that a stranger sees stands what this process
spent itself (CPU), which counts on a machine that others use meanwhile.
"""

from __future__ import annotations

import argparse
import platform
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import flask_migrate
from cryptography.fernet import Fernet

from benchmarks.people import password_of
from benchmarks.visits import Visitor
from portal import clock, settings
from portal.accounts import access
from portal.accounts.approval import approve, reject
from portal.accounts.confirmation import note_confirmed
from portal.accounts.registration import Application, register
from portal.accounts.suspension import suspend
from portal.accounts.user import Communication
from portal.database import transaction
from portal.security.passwords import hashed
from portal.settings import Settings
from wsgi import create_site

STANDINGS = ("unconfirmed", "pending", "approved", "rejected", "suspended")
WRONG = "Nobody's lantern 7"
_WORDS = {True: "ok", False: "DIFFERS"}
_new = count(1)


@dataclass(frozen=True)
class Pair:
    """What one form took for somebody known and for nobody, in milliseconds."""

    form: str
    standing: str
    known: tuple[float, float]
    unknown: tuple[float, float]

    def passes(self, clock_used: int) -> bool:
        """Whether the difference is one that nobody can use: 0 by the wall, 1 by the CPU."""
        known, unknown = self.known[clock_used], self.unknown[clock_used]
        return abs(known - unknown) <= max(10.0, 0.05 * unknown)

    def line(self) -> str:
        """One row of the table."""
        known, unknown = self.known, self.unknown
        return (
            f"{self.form:<18}{self.standing:<13}{known[0]:>8.1f}{unknown[0]:>9.1f}"
            f"{known[0] - unknown[0]:>+8.1f}{known[0] / unknown[0]:>7.3f}"
            f"{known[1]:>8.1f}{unknown[1]:>8.1f}{known[1] / unknown[1]:>7.3f}"
            f"  {_WORDS[self.passes(0)]:<8}{_WORDS[self.passes(1)]}"
        )


def main() -> None:
    """Measure each form against each standing, with mail and without."""
    wanted = _arguments()
    print(f"{clock.now().date()} · {platform.python_version()} · {platform.machine()}")
    print(f"{wanted.pairs} pairs on {'PostgreSQL' if wanted.database else 'SQLite'}")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead_port = closed.getsockname()[1]
    smtp = {
        "PORTAL_MAIL_SERVER": "127.0.0.1",
        "PORTAL_MAIL_PORT": str(dead_port),
        "PORTAL_MAIL_SECURITY": "none",
    }
    for name, mail in (("mails kept", {}), ("mail server down", smtp)):
        print(f"\n{name}: medians in ms\n")
        print(
            f"{'form':<18}{'known as':<13}{'known':>8}{'unknown':>9}{'diff':>8}{'ratio':>7}"
            f"{'CPU':>8}{'CPU':>8}{'ratio':>7}  {'wall':<8}CPU"
        )
        with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
            site = create_site(_settings(Path(folder), wanted.database, mail))
            with site.app_context():
                if not wanted.database or name == "mails kept":
                    flask_migrate.upgrade()
                people = {standing: _somebody(standing) for standing in wanted.standings}
                mover = _somebody("approved")
            for pair in _pairs(site, wanted.pairs, people, mover):
                print(pair.line(), flush=True)


def _pairs(site: Any, pairs: int, people: dict[str, str], mover: str) -> Iterator[Pair]:
    for standing, somebody in people.items():
        forms = _forms(site, somebody, mover)
        for form, (known, unknown) in forms.items():
            yield _measured(form, standing, known, unknown, pairs)


def _forms(
    site: Any, somebody: str, mover: str
) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """Each form with what is typed for somebody known, and what is for nobody."""

    def both(path: str, *, signed_in: bool = False, **fields: Callable[[str], str]) -> Any:
        visitor = Visitor(site)
        if signed_in:
            visitor.sign_in(mover)
        send = visitor.submits(path)

        def ask(name: Callable[[], str]) -> Callable[[], object]:
            def once() -> None:
                who = name()
                send(**{key: value(who) for key, value in fields.items()})

            return once

        return ask(lambda: somebody), ask(lambda: f"nobody{next(_new)}")

    def address(name: str) -> str:
        return f"{name}@example.org"

    def text(value: str) -> Callable[[str], str]:
        return lambda _name: value

    password = "Lanterns & 42 doors"
    return {
        "sign-in, name": both("/login", identity=str, password=text(WRONG)),
        "sign-in, address": both("/login", identity=address, password=text(WRONG)),
        "registration": both(
            "/register",
            full_name=text("Olga Operations"),
            username=lambda _name: f"newcomer{next(_new)}",
            email=address,
            password=text(password),
            password_again=text(password),
            communication=text("important"),
            accept_terms=text("y"),
        ),
        "reset": both("/reset", email=address),
        "resend": both("/confirm", email=address),
        "code": both("/confirm/code", email=address, code=text("000000")),
        "change of address": both(
            "/change-email",
            signed_in=True,
            email=address,
            current_password=text(password_of(mover)),
        ),
    }


def _measured(
    form: str,
    standing: str,
    known: Callable[[], object],
    unknown: Callable[[], object],
    pairs: int,
) -> Pair:
    times: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for number in range(-3, pairs):
        for is_known in (number % 2 == 0, number % 2 != 0):
            wall, spent = time.perf_counter(), time.process_time()
            (known if is_known else unknown)()
            took = time.perf_counter() - wall, time.process_time() - spent
            if number >= 0:  # the first ones warm up
                times[is_known].append(took)
    return Pair(form, standing, _medians(times[True]), _medians(times[False]))


def _medians(times: list[tuple[float, float]]) -> tuple[float, float]:
    wall, spent = zip(*times, strict=True)
    return 1000 * statistics.median(wall), 1000 * statistics.median(spent)


def _somebody(standing: str) -> str:
    """Somebody whose account stands there; returns the username."""
    username = f"{standing}{next(_new)}"
    password_hash = hashed(password_of(username))
    with transaction():
        user = register(
            Application(
                full_name=username.capitalize(),
                username=username,
                email=f"{username}@example.org",
                password_hash=password_hash,
                language="en",
                time_zone="",
                communication=Communication.IMPORTANT,
                reason="",
                terms_version="1",
            )
        )
        assert user is not None
        if standing != "unconfirmed":
            note_confirmed(user)
        if standing in ("approved", "suspended"):
            approve(user, by=None, level=access.levels()[0])
        if standing == "rejected":
            reject(user, by=None, reason="")
        if standing == "suspended":
            suspend(user, by=None)
    return username


def _settings(folder: Path, database: str, mail: dict[str, str]) -> Settings:
    return settings.load(
        {
            "PORTAL_SECRET_KEY": Fernet.generate_key().decode(),
            "PORTAL_PASSWORD_SALT": Fernet.generate_key().decode(),
            "PORTAL_OUTBOX_KEY": Fernet.generate_key().decode(),
            "PORTAL_LIMITS_ENABLED": "false",
            "PORTAL_REGISTRATION_MOST_WAITING": "0",
            "PORTAL_REGISTRATION_MOST_AN_HOUR": "0",
            "PORTAL_MAIL_MOST_ASKED_A_DAY": "10000",
            "PORTAL_MAIL_MOST_OF_A_KIND_A_DAY": "10000",
            **mail,
            **({"PORTAL_DATABASE_URL": database} if database else {}),
        },
        instance=folder,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.enumeration")
    parser.add_argument("--pairs", type=int, default=200, help="how often each form is sent")
    parser.add_argument("--standings", nargs="+", choices=STANDINGS, default=STANDINGS)
    parser.add_argument("--database", default="", help="an empty PostgreSQL database to fill")
    return parser.parse_args()


if __name__ == "__main__":
    main()
