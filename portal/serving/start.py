"""Starting: `portal run`, as numbered steps from the settings to a page that answers."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from portal import settings
from portal.serving import folder, keys, migration, port
from portal.serving.cautions import cautions
from portal.serving.problems import Problem
from portal.serving.report import lines
from portal.serving.speaking import Steps, say
from portal.serving.supervisor import Supervisor
from portal.settings import ROOT, Settings

STEPS = 6
_START_WITHIN = 90


@dataclass(frozen=True)
class News:
    """What the children have reported while they started."""

    set_up: str | None = None
    web: bool = False
    worker: bool = False

    @property
    def ready(self) -> bool:
        """Whether both of them are at work."""
        return self.web and self.worker


@dataclass
class Prepared:
    """What the first steps leave for the others."""

    settings: Settings
    listener: socket.socket
    steps: Steps
    notes: list[tuple[str, str]] = field(default_factory=list)


def run(environ: Mapping[str, str]) -> int:
    """Serve until told to stop. Returns the exit code: 1 when something had to be given up.

    Raises:
        SettingsError, Problem: what has to be changed before the portal can start.
    """
    prepared = prepare(environ, Steps(STEPS))
    return serve(prepared, environ)


def prepare(environ: Mapping[str, str], steps: Steps) -> Prepared:
    """Take the steps that come before the first process: a database at the newest revision."""
    with steps.step("Settings") as step:
        ours = settings.preview(environ)
        step.note = _set_by_hand(ours)
    with steps.step("Instance folder") as step:
        folder.prepare(ours.instance)
        step.note = str(ours.instance)
    with steps.step("Secrets") as step:
        step.note = keys.make(ours, environ)
        ours = settings.load(environ)
    with steps.step("Port") as step:
        listener = port.listen(ours)
        step.note = ours.bind
    with steps.step("Database") as step:
        step.note = migration.bring_up(ours)
    return Prepared(ours, listener, steps)


def serve(prepared: Prepared, environ: Mapping[str, str]) -> int:
    """Start web server and worker, say where the portal is, and stay until the end."""
    ours = prepared.settings
    supervisor = Supervisor(stop_within=ours.server.stop_within_seconds)
    try:
        with prepared.steps.step("Web server and worker") as step:
            news = _start_both(supervisor, prepared.listener, _for_children(ours, environ))
            step.note = "ready" if news.ready else "stopped"
        if news.ready:
            _banner(prepared, news)
            supervisor.wait()
    finally:
        code = _end(supervisor)
    return code


def _start_both(
    supervisor: Supervisor, listener: socket.socket, environ: Mapping[str, str]
) -> News:
    report, far_end = os.pipe()
    socket_number = listener.fileno()
    web = _module("web", f"--report={far_end}", f"--listener={socket_number}")
    worker = _module("worker", f"--report={far_end}")
    supervisor.start("web server", web, environ=environ, pass_fds=(far_end, socket_number))
    supervisor.start("worker", worker, environ=environ, pass_fds=(far_end,))
    os.close(far_end)
    listener.close()
    try:
        return _await_ready(supervisor, report)
    finally:
        os.close(report)


def _await_ready(supervisor: Supervisor, report: int) -> News:
    news, received = News(), b""
    deadline = time.monotonic() + _START_WITHIN
    while not (news.ready or supervisor.told_to_stop or supervisor.fallen):
        left = deadline - time.monotonic()
        if left <= 0:
            raise Problem(f"The portal was not ready after {_START_WITHIN} seconds.")
        more, received = lines(received + supervisor.wait(reading=report, seconds=left))
        news = replace(news, **more)
    return news


def _end(supervisor: Supervisor) -> int:
    fallen = supervisor.fallen
    if supervisor.told_to_stop:
        say("Stopping: what is under way is finished first. Again to stop at once.")
    for child in fallen:
        say(f"The {child.name} ended ({child.how}).", color="red", error=True)
    in_order = supervisor.stop()
    if supervisor.told_to_stop and not fallen:
        say("Stopped.")
        return 0 if in_order else 1
    if fallen:
        others = [child.name for child in supervisor.children if child not in fallen]
        also = f"The {' and the '.join(others)} was stopped too. " if others else ""
        say(
            f"{also}The reason is in the lines above; `portal doctor` looks for more.",
            color="red",
            error=True,
        )
    return 1


def _banner(prepared: Prepared, news: News) -> None:
    ours = prepared.settings
    url = ours.public_url
    say()
    say(f"The portal is ready after {prepared.steps.elapsed:.1f} s.", color="green")
    say()
    say(f"  Open      {url}/")
    if news.set_up:
        say(f"  Set up    {news.set_up}")
        say("            creates the first administrator; works once, for an hour")
    if ours.mailbox_enabled:
        say(f"  Mail      {url}/dev/mailbox")
        say("            no mail server is set: letters stay there")
    for label, text in prepared.notes:
        say(f"  {label:<8}  {text}")
    say(f"  Data      {ours.instance}")
    say("  Stop      Ctrl-C")
    say()
    for caution in cautions(ours):
        say(f"  Note: {caution}", color="yellow")


def _set_by_hand(ours: Settings) -> str:
    variables = sorted({origin for origin in ours.origins.values() if origin.startswith("PORTAL_")})
    return ", ".join(["settings.toml", *variables])


def _module(name: str, *arguments: str) -> list[str]:
    # -P: the folder one happens to stand in is no place to import from.
    parent = f"--parent={os.getpid()}"
    return [sys.executable, "-P", "-m", f"portal.serving.{name}", parent, *arguments]


def _for_children(ours: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), environ.get("PYTHONPATH")]))
    own = {"PORTAL_INSTANCE": str(ours.instance), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    return {**environ, **own}
