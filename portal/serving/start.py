"""Starting: `portal run`, as numbered steps from the settings to a page that answers."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from flask import Flask
from werkzeug.utils import import_string

from portal import logs, settings
from portal.logs import SecurityEvent, note
from portal.serving import first_run, folder, keys, migration, port
from portal.serving.cautions import cautions
from portal.serving.problems import Problem
from portal.serving.speaking import Steps, say
from portal.serving.supervisor import Supervisor
from portal.settings import Settings

STEPS = 7
WEB = "web server"
WORKER = "worker"
_START_WITHIN = 90


@dataclass
class Prepared:
    """What the first steps leave for the others."""

    settings: Settings
    claim: BinaryIO  # the folder is ours while it is open
    listener: socket.socket
    steps: Steps
    notes: list[tuple[str, str]] = field(default_factory=list)


def run(environ: Mapping[str, str]) -> int:
    """Serve until told to stop. Returns the exit code: 1 when something had to be given up.

    Raises:
        SettingsError, Problem: what has to be changed before the portal can start.
    """
    return serve(prepare(environ, Steps(STEPS)))


def prepare(environ: Mapping[str, str], steps: Steps) -> Prepared:
    """Take the steps that come before the first process: a database at the newest revision."""
    with steps.step("Settings") as step:
        ours = settings.preview(environ)
        step.note = _set_by_hand(ours)
    with steps.step("Instance folder") as step:
        folder.prepare(ours.instance)
        claim = folder.claim(ours.instance)
        step.note = str(ours.instance)
    with steps.step("Secrets") as step:
        step.note = keys.make(ours, environ)
        ours = settings.load(environ)
    with steps.step("Port") as step:
        listener = port.listen(ours)
        step.note = ours.bind
    with steps.step("Database") as step:
        step.note = migration.bring_up(ours)
    return Prepared(ours, claim, listener, steps)


def serve(prepared: Prepared) -> int:
    """Start web server and worker, say where the portal is, and stay until the end."""
    ours = prepared.settings
    logs.use(ours)
    with folder.in_use(ours.instance):
        with prepared.steps.step("Application") as step:
            # Loaded once, here: the processes that follow are copies of this one.
            site: Flask = import_string("wsgi:create_site")(ours)
            set_up = first_run.set_up_link(site)
            step.note = "loaded"
        supervisor = Supervisor(stop_within=ours.server.stop_within_seconds)
        try:
            with prepared.steps.step("Web server and worker") as step:
                ready = _start_both(supervisor, site, prepared.listener)
                step.note = "ready" if ready else "stopped"
            if ready:
                _banner(prepared, set_up)
                note(SecurityEvent.STARTED, **in_force(ours))
                supervisor.wait()
        finally:
            code = _end(supervisor)
            note(SecurityEvent.STOPPED, code=code)
    return code


def in_force(ours: Settings) -> dict[str, Any]:
    """What a reader of the log has to know of the settings: names and numbers, never a secret."""
    return {
        "variables": _variables(ours),
        "https": ours.is_https,
        "proxy_hops": ours.server.proxy_hops,
        "workers": ours.server.workers,
        "limits": ours.limits.enabled,
        "redis": bool(ours.redis.url),
        "mail": ours.mail.effective_transport,
        "cautions": len(cautions(ours)),
    }


def _start_both(supervisor: Supervisor, site: Flask, listener: socket.socket) -> bool:
    """Start the children, and wait until each has said that it is at work."""
    from portal.serving import web, worker  # with the application, which they import

    me, number = os.getpid(), listener.fileno()
    ear, mouth = os.pipe()

    def tell(name: str) -> None:
        with contextlib.suppress(OSError):  # a later process: nobody listens any more
            os.write(mouth, f"{name}\n".encode())

    def serve() -> None:
        os.close(ear)
        web.serve_for(me, site, number, lambda: tell(WEB))

    def work() -> int:
        os.close(ear)
        return worker.work_for(me, site, lambda: tell(WORKER))

    supervisor.start(WEB, serve)
    listener.close()
    supervisor.start(WORKER, work)
    os.close(mouth)
    with open(ear, "rb"):
        return _all_ready(supervisor, ear)


def _all_ready(supervisor: Supervisor, ear: int) -> bool:
    names = {child.name for child in supervisor.children}
    heard = b""
    deadline = time.monotonic() + _START_WITHIN
    while not names <= set(heard.decode().splitlines()):
        if supervisor.told_to_stop or supervisor.fallen:
            return False
        left = deadline - time.monotonic()
        if left <= 0:
            raise Problem(f"The portal was not ready after {_START_WITHIN} seconds.")
        heard += supervisor.wait(reading=ear, seconds=left)
    return True


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


def _banner(prepared: Prepared, set_up: str | None) -> None:
    ours = prepared.settings
    url = ours.public_url
    say()
    say(f"The portal is ready after {prepared.steps.elapsed:.1f} s.", color="green")
    say()
    say(f"  Open      {url}/")
    if set_up:
        say(f"  Set up    {set_up}")
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
    return ", ".join(["settings.toml", *_variables(ours)])


def _variables(ours: Settings) -> list[str]:
    return sorted({origin for origin in ours.origins.values() if origin.startswith("PORTAL_")})
