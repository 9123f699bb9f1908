"""The demo: a throw-away instance full of people, which never touches anything real."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from werkzeug.utils import import_string

from portal.serving import start
from portal.serving.problems import Problem
from portal.serving.speaking import Steps
from portal.settings.sources import MAY_HOLD_PASSWORD, SECRETS, variable

Item = TypeVar("Item")
# `for person in progress(people, "People")` shows how far it is.
Progress = Callable[[Iterable[Item], str], Iterable[Item]]

# Wherever the settings point, a demo writes to its own folder and mails nobody.
_OWN = {
    "PORTAL_DATABASE_URL": "",
    "PORTAL_REDIS_URL": "",
    "PORTAL_MAIL_TRANSPORT": "mailbox",
    "PORTAL_MAIL_SERVER": "",
    "PORTAL_MAIL_SECURITY": "tls",
    "PORTAL_PUBLIC_URL": "",
    "PORTAL_SERVER_PROXY_HOPS": "0",
}


def run(environ: Mapping[str, str], folder: Path | None, progress: Progress[Item]) -> int:
    """Make a demo, fill it and serve it. Its folder goes in the end, unless one was named."""
    with _folder(folder) as place:
        own = _environment(environ, place)
        steps = Steps(start.STEPS + 1)
        prepared = start.prepare(own, steps)
        if not prepared.settings.is_loopback:
            raise Problem("A demo is for this machine only: set PORTAL_BIND to 127.0.0.1:8000.")
        with steps.step("People") as step:
            site = import_string("wsgi:create_site")(prepared.settings)
            step.note = "made"
            notes = _seed()(site, progress)
        prepared.notes.extend(notes or ())
        return start.serve(prepared)


def _seed() -> Callable[..., Iterable[tuple[str, str]] | None]:
    """Find `portal.demo.seed(site, progress)`, which gives lines for the banner: label and text."""
    seed: Callable[..., Iterable[tuple[str, str]] | None] | None
    seed = import_string("portal.demo:seed", silent=True)
    if seed is None:
        raise Problem("This installation has no demo: portal/demo is missing.")
    return seed


def _environment(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
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
    place = Path(tempfile.mkdtemp(prefix="portal-demo-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
