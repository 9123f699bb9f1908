"""`make bench`: pages against a bare answer, sign-ins against the hashing alone, lists by size,
many approved at once against writing their letters alone, and a session against its person.

python -m benchmarks [--accounts 10000] [--seconds 3] [--database URL]
"""

from __future__ import annotations

import argparse
import platform
import tempfile
from functools import partial
from pathlib import Path

import flask_migrate
from cryptography.fernet import Fernet

from benchmarks import bulks, sessions
from benchmarks.measuring import Figure, rate
from benchmarks.people import ADMINISTRATOR, APPLICANTS, fill, make_administrator, password_of
from benchmarks.visits import Visitor, bare_application
from portal import clock, settings
from portal.accounts import guessing
from portal.security.passwords import hashed
from portal.settings import Settings
from wsgi import create_site


def main() -> None:
    """Measure everything once, and print one table."""
    wanted = _arguments()
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
        site = create_site(_settings(Path(folder), wanted.database))
        with site.app_context():
            flask_migrate.upgrade()
            make_administrator()
            fill(wanted.accounts)
            ceiling = rate(lambda: hashed(password_of(ADMINISTRATOR)), wanted.seconds)
            many = bulks.figures(wanted.seconds) + sessions.figures(wanted.seconds)
        figures = _figures(site, wanted.seconds, ceiling) + many
    print(f"{clock.now().date()} · {platform.python_version()} · {platform.machine()}")
    print(f"{wanted.accounts} accounts on {'SQLite' if not wanted.database else 'PostgreSQL'}\n")
    print("\n".join(figure.line() for figure in figures))


def _figures(site: object, seconds: float, ceiling: float) -> list[Figure]:
    visitor, staff = Visitor(site), Visitor(site)
    bare = rate(Visitor(bare_application()).sees("/"), seconds)
    staff.sign_in(ADMINISTRATOR)
    searched = "/admin/accounts/?q="
    pages = [
        ("sign-in page", visitor.sees("/login")),
        ("registration page", visitor.sees("/register")),
        ("home, signed in", staff.sees("/")),
        ("queue, first page", staff.sees("/admin/registrations/")),
        ("accounts, first page", staff.sees("/admin/accounts/")),
        ("accounts, a rare fragment", staff.sees(f"{searched}ant7@")),
        ("accounts, a common fragment", staff.sees(f"{searched}example")),
    ]
    figures = [Figure("a bare answer", bare, bare, "bare")]
    figures += [Figure(name, rate(see, seconds), bare, "bare") for name, see in pages]
    figures.append(Figure("a hash alone", ceiling, ceiling, "hash"))
    sign_in = Visitor(site).signs_in_again_and_again(ADMINISTRATOR)
    figures.append(Figure("sign-ins", rate(sign_in, seconds), ceiling, "hash"))
    usual, worst = "Sturdy-lantern 42", "1|7!+4@([{<69$5" + "aS" * 56
    for name, password in (("judging a usual password", usual), ("judging the worst", worst)):
        judged = rate(partial(guessing.score, password), seconds)
        figures.append(Figure(name, judged, ceiling, "hash"))
    register = Visitor(site).registers_again_and_again(APPLICANTS)
    figures.append(Figure("registrations", rate(register, seconds), ceiling, "hash"))
    return figures


def _settings(folder: Path, database: str) -> Settings:
    return settings.load(
        {
            "PORTAL_SECRET_KEY": Fernet.generate_key().decode(),
            "PORTAL_PASSWORD_SALT": Fernet.generate_key().decode(),
            "PORTAL_OUTBOX_KEY": Fernet.generate_key().decode(),
            "PORTAL_LIMITS_ENABLED": "false",
            "PORTAL_SECOND_FACTOR_REQUIRED_OF": "",  # staff go straight to their pages
            "PORTAL_REGISTRATION_MOST_WAITING": "0",
            "PORTAL_REGISTRATION_MOST_AN_HOUR": "0",
            **({"PORTAL_DATABASE_URL": database} if database else {}),
        },
        instance=folder,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--accounts", type=int, default=10_000, help="how many there are already")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each figure takes")
    parser.add_argument("--database", default="", help="an empty PostgreSQL database to fill")
    return parser.parse_args()


if __name__ == "__main__":
    main()
