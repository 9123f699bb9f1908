"""Takes the screenshots of the README from a demo that it starts and stops itself.

make setup && .venv/bin/python docs/screenshots/make.py [NAME …]

Needs Chromium, and fonts for the scripts of the demo's names (Debian: fonts-noto-core and
fonts-noto-cjk). Where pngquant is there, the pictures become a third of the size. Without
names it takes all of them.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from tests import needs  # noqa: E402 - the checkout has to be on the path before

LARGEST = 150_000  # bytes; the README loads them all
WIDE = ViewportSize(width=1160, height=760)
LISTS = ViewportSize(width=1400, height=860)  # where a queue has room to be a table
NARROW = ViewportSize(width=720, height=800)
STARTS_WITHIN = 180.0

# Invented, as everybody in the demo.
NEW = {
    "full_name": "Zeynep Arslan",
    "username": "zeynep",
    "email": "zeynep.arslan@ankara.example.org",
    "password": "Quiet-harbour 58 lamps",
    "password_again": "Quiet-harbour 58 lamps",
    "reason": "I plan the exhibitions and write in three languages.",
}


@dataclass(frozen=True)
class Demo:
    """A demo that runs, and the password of its people."""

    url: str
    password: str


@dataclass
class Camera:
    """Opens windows for people of the demo, and keeps pictures of them."""

    browser: Browser
    demo: Demo
    wanted: set[str]

    def window(self, who: str = "", size: ViewportSize = WIDE, **options: Any) -> Page:
        """A window of somebody's own, signed in as `who`."""
        context = self.browser.new_context(
            viewport=size, base_url=self.demo.url, reduced_motion="reduce", **options
        )
        page = context.new_page()
        if who:
            page.goto("/login")
            page.locator("input[name=identity]").fill(who)
            page.locator("input[name=password]").fill(self.demo.password)
            page.locator("main form button.button--primary").click()
            page.wait_for_url(lambda url: "/login" not in url)
        return page

    def keep(self, page: Page, name: str) -> None:
        """Write what the window shows to a file, unless others were asked for."""
        if self.wanted and name not in self.wanted:
            return
        page.evaluate("document.fonts.ready")
        file = HERE / f"{name}.png"
        page.screenshot(path=file, animations="disabled", caret="hide")
        _reduce(file)
        size = file.stat().st_size
        print(f"{name:<16}{size / 1000:7.1f} kB")
        if size > LARGEST:
            sys.exit(f"{file} is larger than {LARGEST / 1000:.0f} kB: show less of the page.")


def somebody_registers(camera: Camera) -> None:
    """From the form to the status page, as the README tells it."""
    page = camera.window(size=NARROW)
    page.goto("/register")
    for field, text in NEW.items():
        page.locator(f"[name={field}]").fill(text)
    page.locator("[name=accept_terms]").check()
    page.locator("h1").scroll_into_view_if_needed()
    camera.keep(page, "register")

    page.locator("main form button.button--primary").click()
    page.wait_for_url("**/register/sent")
    camera.keep(page, "check-mail")

    letter = _letter(page)
    camera.keep(page, "mailbox")

    page.goto(letter)
    camera.keep(page, "confirm")
    page.locator("main form button.button--primary").click()
    page.wait_for_url("**/confirm/done")


def people_wait_and_work(camera: Camera) -> None:
    """The status page, the first page, and the account."""
    camera.keep(_at(camera.window("max.gross", NARROW, locale="de-DE"), "/status"), "status")
    page = camera.window("amara.diallo")
    camera.keep(_at(page, "/"), "home")
    camera.keep(_at(page, "/account"), "account")


def staff_decide(camera: Camera) -> None:
    """The panel, by day and by night."""
    page = camera.window("ingrid.solheim")
    camera.keep(_at(page, "/admin/"), "dashboard")
    page.set_viewport_size(LISTS)
    camera.keep(_at(page, "/admin/registrations/"), "registrations")
    page.set_viewport_size(WIDE)
    page.get_by_role("link", name="佐藤 美咲", exact=True).click()
    camera.keep(page, "registration")
    page.locator("#reject summary").click()
    page.locator("#reject textarea").fill("Please ask the person who invited you to write to us.")
    page.get_by_role("button", name="Preview the mail").first.click()
    page.locator("#reject iframe").scroll_into_view_if_needed()
    camera.keep(page, "rejection")
    camera.keep(_at(page, "/admin/figures/"), "figures")
    many(camera)
    page = camera.window("tobias.engelhardt", color_scheme="dark", locale="de-DE")
    camera.keep(_at(page, "/admin/"), "dashboard-dark")
    page = camera.window("huda.mansour", LISTS, locale="ar")
    camera.keep(_at(page, "/admin/registrations/"), "registrations-arabic")


def many(camera: Camera) -> None:
    """One step on all that match, and how far it is."""
    page = _at(camera.window("ingrid.solheim"), "/admin/registrations/?tab=unconfirmed")
    for box in page.locator("tbody input[name=ids]").all():
        box.check()
    page.locator(".tick-bar").get_by_role("button").first.click()
    page.wait_for_load_state("load")
    page.locator("main form button.button--primary").click()
    page.wait_for_url(re.compile("/bulk/[0-9]+"))
    page.get_by_text("Finished on").wait_for()
    camera.keep(page, "bulk")


def _at(page: Page, path: str) -> Page:
    page.goto(path)
    return page


def _letter(page: Page) -> str:
    """Open the newest letter in the mailbox once it is there. Returns the link in it."""
    subject = page.get_by_role("row").filter(has_text=NEW["email"]).get_by_role("link").first
    _until(lambda: page.goto("/dev/mailbox") is not None and subject.is_visible())
    subject.click()
    page.wait_for_load_state("load")
    found = re.search(r"https?://[^\s\"<]+/confirm/[^\s\"<]+", _texts(page))
    assert found, "the letter has no link"
    return found[0]


def _texts(page: Page) -> str:
    return "\n".join(frame.content() for frame in page.frames)


@contextmanager
def running_demo() -> Iterator[Demo]:
    """A demo on a free port, from its banner to its end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        bind = f"127.0.0.1:{free.getsockname()[1]}"
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PORTAL_")}
    process = subprocess.Popen(  # noqa: S603 - the portal of this very checkout
        [ROOT / ".venv" / "bin" / "portal", "demo"],
        env={**environ, "PORTAL_BIND": bind, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Demo(f"http://{bind}", _password(process))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def _password(process: subprocess.Popen[str]) -> str:
    """Read the banner as far as the line that says how to stop."""
    password, said = "", []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        label, _, text = line.strip().partition(" ")
        if label == "Password":
            password = text.split()[0]
        if label == "Stop":
            return password
    sys.exit("The demo did not start:\n" + "".join(said))


def _reduce(file: Path) -> None:
    """Leave 256 colours, which is what these pages have, give or take the smoothing of letters."""
    pngquant = shutil.which("pngquant")
    if pngquant:
        command = [
            pngquant,
            "--force",
            "--strip",
            "--speed=1",
            f"--output={file}",
            "256",
            str(file),
        ]
        subprocess.run(command, check=True)  # noqa: S603 - our own file


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        if time.monotonic() > end:
            sys.exit("A mail did not arrive within a minute.")
        time.sleep(0.3)


def main(wanted: list[str]) -> None:
    """Take all pictures, or those of these names."""
    with running_demo() as demo, sync_playwright() as playwright:
        readiness = playwright.request.new_context(base_url=demo.url)
        _until(lambda: readiness.get("/readyz").ok)
        browser = playwright.chromium.launch(
            executable_path=needs.chromium(), args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        camera = Camera(browser, demo, set(wanted))
        people_wait_and_work(camera)
        staff_decide(camera)
        somebody_registers(camera)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
