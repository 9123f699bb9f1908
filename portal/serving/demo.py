"""The demo: a throw-away instance full of people, which never touches anything real."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
from werkzeug.utils import import_string

from portal.serving import start
from portal.serving.problems import Problem
from portal.serving.speaking import Steps
from portal.settings.sources import MAY_HOLD_PASSWORD, SECRETS, variable

if TYPE_CHECKING:
    from portal.demo import DemoResult
    from portal.settings import Settings

# Wherever the settings point, a demo writes to its own folder and tells nobody.
_OWN = {
    "PORTAL_DATABASE_URL": "",
    "PORTAL_REDIS_URL": "",
    "PORTAL_MAIL_TRANSPORT": "mailbox",
    "PORTAL_MAIL_SERVER": "",
    "PORTAL_MAIL_SECURITY": "tls",
    "PORTAL_WEBHOOK_URL": "",
    "PORTAL_PASSWORDS_BREACH_CHECK_URL": "",
    "PORTAL_PUBLIC_URL": "",
    "PORTAL_SERVER_PROXY_HOPS": "0",
    # Whoever tries it out looks at the desk first; anybody may set a second factor up.
    "PORTAL_SECOND_FACTOR_REQUIRED_OF": "",
}


def run(environ: Mapping[str, str], folder: Path | None) -> int:
    """Make a demo, fill it and serve it. Its folder goes in the end, unless one was named."""
    with _folder(folder) as place:
        own = environment(environ, place)
        steps = Steps(start.STEPS + 1)
        prepared = start.prepare(own, steps)
        if not prepared.settings.is_loopback:
            raise Problem("A demo is for this machine only: set PORTAL_BIND to 127.0.0.1:8000.")
        with steps.step("People") as step:
            made = _fill(prepared.settings)
            step.note = f"{made.people} of them, {made.agents} agents and apps"
        prepared.notes.extend(made.lines())
        prepared.notes.append(
            ("Second step", "asked of nobody here; a portal of your own asks its staff for one")
        )
        return start.serve(prepared)


def _fill(ours: Settings) -> DemoResult:
    """Let the people in, with a bar where somebody watches."""
    from portal.database import db
    from portal.demo import seed

    site = import_string("wsgi:create_site")(ours)
    with click.progressbar(
        length=1, label="        People", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:

        def tell(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        made = seed(site, tell)
    with site.app_context():
        db.engine.dispose()  # web server and worker are forked from here, and share no connection
    return made


def environment(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Keep of an environment what a demo may have: nothing that leads to anything real."""
    secrets = {variable(name) for name in SECRETS}
    files = {variable(name) for name in MAY_HOLD_PASSWORD} | secrets
    left_out = secrets | {f"{name}_FILE" for name in files}
    kept = {name: value for name, value in environ.items() if name not in left_out}
    return kept | _OWN | {"PORTAL_INSTANCE": str(folder)}


@contextlib.contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    if named is not None:
        if named.exists() and any(named.iterdir()):
            raise Problem(f"{named} is not empty. A demo needs a folder of its own.")
        yield named.absolute()
        return
    # Until the supervisor listens, a SIGTERM would end this process and leave the folder behind.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    place = Path(tempfile.mkdtemp(prefix="portal-demo-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
