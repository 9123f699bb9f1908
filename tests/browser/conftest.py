"""A real Chromium in front of the whole site, served by a thread of the test process."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Error, Page, ViewportSize, expect, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from deploy.checks import roomy_memory
from portal.accounts.user import User
from portal.database import db
from portal.security.limits import limiter
from tests import needs
from tests.conftest import a_browser, a_site, make_settings
from tests.people import PASSWORD, People, person
from tests.world import World, world_of

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
# Playwright has Chromium keep on the disk what its processes share, because containers may have too
# little shared memory. Where there is enough of it, a page costs a tenth less.
OUT_OF_MEMORY = "--disable-dev-shm-usage"
# However busy the machine is; what does not come fails all the same.
expect.set_options(timeout=20_000)
PHONE = ViewportSize(width=320, height=640)
DESK = ViewportSize(width=1280, height=800)
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
WCAG_AND_MORE = (*WCAG, "best-practice")

# What judges a page comes from its own site: a browser compiles it once, not for every page.
AXE = "/axe.js"
CACHED = ("Cache-Control", "public, max-age=31536000, immutable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass
class Window:
    """One person's window: a page, and what it complained about."""

    page: Page
    site: str
    served: Flask
    complaints: list[str] = field(default_factory=list)
    may_be_used_again: bool = True

    def __post_init__(self) -> None:
        self.page.on("pageerror", self._note)
        self.page.on("console", self._hear)

    def open(self, address: str) -> None:
        """Go to an address of the site."""
        self.page.goto(self.site + address, wait_until="load")

    def press(self, button: str) -> None:
        """Press the button of this name in the page's own part, and wait for the answer."""
        with self.page.expect_navigation():
            self.page.get_by_role("main").get_by_role("button", name=button, exact=True).click()

    def sign_in(self, user: User) -> None:
        """Have the cookies of a browser that signed in: three pages less than to do it here."""
        elsewhere = a_browser(self.served)
        elsewhere.environ_base["HTTP_USER_AGENT"] = self.page.evaluate("navigator.userAgent")
        elsewhere.sign_in(person(user))
        for name, value in elsewhere.cookies().items():
            self.page.context.add_cookies([{"name": name, "value": value, "url": self.site}])

    def sign_in_as(self, username: str) -> None:
        """Sign in by the page, with what the name's owner types."""
        self.open("/login")
        self.page.get_by_label("Username or e-mail").fill(username)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.press("Sign in")

    def barriers(
        self, rules: Sequence[str] = WCAG_AND_MORE, *, contrast: bool = False
    ) -> list[str]:
        """What axe finds on the page as it is now: by these rules, or sets of rules.

        Contrast takes most of the time that axe takes. What colours there are is shown by a page
        of each kind in every theme, and in the long run by every page.
        """
        self.page.evaluate(
            """async address => {
                if ("axe" in window) return;
                const script = document.createElement("script");
                script.src = address;
                await new Promise((resolve, reject) => {
                    script.onload = resolve;
                    script.onerror = reject;
                    document.head.append(script);
                });
                script.remove();
            }""",
            AXE,
        )
        found = self.page.evaluate(
            """([runOnly, enabled]) => axe.run({
                runOnly, resultTypes: ["violations"], iframes: false, preload: false,
                rules: {"color-contrast": {enabled}},
            })""",
            [list(rules), contrast],
        )
        return [
            f"{violation['id']}: {node['html'][:160]}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def leave(self, viewport: ViewportSize) -> None:
        """Make it as good as new, for another test: nobody is signed in, nothing is listened to.

        The portal keeps nothing in a browser but cookies, and files that never change.
        """
        self.page.remove_listener("pageerror", self._note)
        self.page.remove_listener("console", self._hear)
        self.page.unroute_all(behavior="ignoreErrors")
        self.page.goto("about:blank")
        self.page.context.clear_cookies()
        self.page.set_viewport_size(viewport)

    def _note(self, error: Error) -> None:
        self.complaints.append(str(error))

    def _hear(self, message: Any) -> None:
        # An answer of 400 or 404 is what some pages are about, and who leaves a page while it asks
        # for something ends that.
        expected = ("Failed to load resource", "htmx:sendAbort", "htmx:afterRequest")
        if message.type == "error" and not message.text.startswith(expected):
            self.complaints.append(message.text)


@dataclass
class Door:
    """Where all sites of this process are served, one after another.

    To the browser they are one, so it keeps what it made of their files, and the process that did.
    """

    bind: str = ""
    site: Flask | None = None
    asked: list[str] = field(default_factory=list)
    axe: bytes = b""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer a request, as WSGI has it."""
        if environ["PATH_INFO"] == AXE:
            start_response("200 OK", [("Content-Type", "text/javascript"), CACHED])
            return [self.axe]
        if self.site is None:
            start_response("503 Service Unavailable", [])
            return []
        self.asked.append(environ["PATH_INFO"])
        return self.site(environ, start_response)


class Quiet(WSGIRequestHandler):
    """Answers without a line for each in the test's report."""

    def log_request(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, one for all tests of this process."""
    executable = needs.chromium()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=executable,
            args=FLAGS,
            ignore_default_args=[OUT_OF_MEMORY] if roomy_memory() else None,
        )
        yield started
        started.close()


@pytest.fixture(scope="session")
def door() -> Iterator[Door]:
    """A server whose site is the one of the test that runs."""
    door = Door(axe=needs.axe().encode())
    server = make_server("127.0.0.1", 0, door, threaded=True, request_handler=Quiet)
    door.bind = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield door
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def app(
    database_url: str, tmp_path: Path, chromium: Browser, door: Door, request: pytest.FixtureRequest
) -> Iterator[Flask]:
    """The whole site, whose mailed links lead to the thread that serves it."""
    environ = {"PORTAL_BIND": door.bind, "PORTAL_LIMITS_ENABLED": "false"}
    for mark in request.node.iter_markers("settings"):
        # Where passkeys are about, a name: browsers bind them to no address of numbers.
        port = door.bind.rpartition(":")[2]
        environ |= {name: value.replace("{port}", port) for name, value in mark.kwargs.items()}
    site = a_site(make_settings(tmp_path / "instance", database_url, **environ))
    with site.app_context():
        limiter.reset()
        yield site
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()


@pytest.fixture
def language() -> str:
    """What the people of `world` read, unless the test says otherwise."""
    return "en"


@pytest.fixture
def world(app: Flask, people: People, language: str) -> World:
    """One of everything."""
    return world_of(people, language)


@pytest.fixture
def asked(door: Door) -> list[str]:
    """The paths that the site was asked for, in order."""
    return door.asked


@pytest.fixture
def address(app: Flask, door: Door) -> Iterator[str]:
    """Where the site is served."""
    door.site = app
    door.asked.clear()
    yield f"http://{app.config['SERVER_NAME']}"
    door.site = None


@pytest.fixture(scope="session")
def left_windows() -> dict[str, list[Page]]:
    """Pages that earlier tests are done with, by the options of their windows."""
    return defaultdict(list)


@pytest.fixture
def new_window(
    chromium: Browser, address: str, app: Flask, left_windows: dict[str, list[Page]]
) -> Iterator[Callable[..., Window]]:
    """Windows, each with cookies of its own. Takes what Playwright's `new_context` takes.

    A process of Chromium's for each would be a third of what small tests cost. `unused`: one that
    has never been here, not even for another test.
    """
    mine: list[tuple[Window, dict[str, Any]]] = []

    def opened(*, unused: bool = False, **options: Any) -> Window:
        chosen = {"locale": "en-GB", "viewport": DESK, **options}
        left = left_windows[repr(chosen)]
        if unused or not left:
            context = chromium.new_context(**chosen)
            context.set_default_timeout(15_000)
            left.append(context.new_page())
        window = Window(left.pop(), address, app)
        mine.append((window, chosen))
        return window

    yield opened
    for window, chosen in mine:
        if window.may_be_used_again:
            window.leave(chosen["viewport"])
            left_windows[repr(chosen)].append(window.page)
        else:
            window.page.context.close()


@pytest.fixture
def window(new_window: Callable[..., Window]) -> Window:
    """A window on a desk."""
    return new_window()
