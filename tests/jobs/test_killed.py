"""Power cuts: whatever is killed at whatever moment, no mail and no account is lost."""

from __future__ import annotations

import http.client
import http.cookiejar
import itertools
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, update

from portal import clock
from portal.accounts.user import User
from portal.database import db, transaction
from portal.mail.mail import Mail
from tests.jobs.process import ROOT, Worker, until
from tests.mail.server import MailServer
from tests.people import PASSWORD

Environ = Callable[..., dict[str, str]]
Post = Callable[..., Mail]

MAILS_A_KILL = 5


@pytest.mark.long
@pytest.mark.both_databases
@pytest.mark.parametrize("kills", [100])
@pytest.mark.timeout(3600)
def test_killing_the_worker_loses_no_mail_and_sends_at_most_one_twice(
    app: Flask,
    database_kind: str,
    environ: Environ,
    mail_server: MailServer,
    post: Post,
    kills: int,
) -> None:
    mail_server.manners.yes_after = 0.02  # time enough to be killed between its yes and our mark
    addresses = (f"person{number}@example.org" for number in itertools.count())
    posted: list[str] = []

    for _ in range(kills):
        posted += [post(next(addresses)).message_id for _ in range(MAILS_A_KILL)]
        arrived_before_the_kill = partial(
            mail_server.has, len(mail_server.letters) + random.randrange(MAILS_A_KILL)
        )
        worker = Worker(environ(mail_server))
        try:
            until(arrived_before_the_kill, within=180)
            threading.Event().wait(random.uniform(0, 0.06))
        finally:
            worker.kill()
        two_minutes_pass()

    with Worker(environ(mail_server)):
        until(lambda: still_open() == 0, within=180)

    arrived = Counter(mail_server.message_ids())
    assert set(arrived) == set(posted), "a mail was lost"
    twice = [name for name, times in arrived.items() for _ in range(times - 1)]
    assert len(twice) <= kills
    for name in set(twice):
        copies = {one.content for one in mail_server.letters if one.message_id == name}
        assert len(copies) == 1  # whoever gets two sees that they are one
    print(f"{kills} kills, {len(posted)} mails, {len(twice)} twice")


@pytest.mark.long
@pytest.mark.parametrize("kills", [100])
@pytest.mark.both_databases
@pytest.mark.timeout(3600)
def test_killing_the_web_server_leaves_no_account_without_its_mail(
    app: Flask, database_kind: str, environ: Environ, tmp_path: Path, kills: int
) -> None:
    answered: list[str] = []
    problems: list[str] = []
    asked = itertools.count()

    for _ in range(kills):
        with Web(environ(PORTAL_LIMITS_ENABLED="false"), tmp_path) as web:
            stop = threading.Event()
            people = [
                threading.Thread(target=register, args=(web.url, asked, answered, problems, stop))
                for _ in range(4)
            ]
            for one in people:
                one.start()
            until(partial(longer, answered, len(answered)), within=180)
            threading.Event().wait(random.uniform(0, 0.2))
            web.kill()
            stop.set()
            for one in people:
                one.join(30)

    assert problems == []
    db.session.rollback()
    accounts = {user.username: user.id for user in db.session.scalars(select(User))}
    mails = Counter(db.session.scalars(select(Mail.user_id).where(Mail.kind == "confirmation")))
    assert set(mails) == set(accounts.values()), "an account without a mail, or the reverse"
    assert set(mails.values()) == {1}
    assert set(answered) <= set(accounts), "somebody was told it worked, and it had not"
    print(f"{kills} kills, {len(accounts)} accounts, {len(answered)} answered")


def longer(names: list[str], than: int) -> bool:
    """Whether a list has grown."""
    return len(names) > than


def two_minutes_pass() -> None:
    """What a dead worker held becomes free, without waiting for it."""
    with transaction():
        db.session.execute(
            update(Mail).where(Mail.lease_until.is_not(None)).values(lease_until=clock.now())
        )


def still_open() -> int:
    """How many mails are not delivered yet."""
    db.session.rollback()
    return len(db.session.scalars(select(Mail.id).where(Mail.is_open())).all())


def register(
    url: str,
    asked: itertools.count[int],
    answered: list[str],
    problems: list[str],
    stop: threading.Event,
) -> None:
    """Fill in the form again and again, as somebody new each time, until the server is gone."""
    while not stop.is_set():
        name = f"newcomer{next(asked)}"
        visitor = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        )
        try:
            page = visitor.open(f"{url}/register", timeout=20).read().decode()
            token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
            assert token, page
            fields = {
                "csrf_token": token[1],
                "full_name": "New Comer",
                "username": name,
                "email": f"{name}@example.org",
                "password": PASSWORD,
                "password_again": PASSWORD,
                "communication": "all",
                "accept_terms": "y",
            }
            data = urllib.parse.urlencode(fields).encode()
            with visitor.open(f"{url}/register", data, timeout=20) as answer:
                if answer.url.endswith("/register/sent"):
                    answered.append(name)
        except urllib.error.HTTPError as refusal:
            problems.append(f"{name}: {refusal.code}")
            return
        except (OSError, http.client.HTTPException):  # the server is gone
            return


class Web:
    """A real web server with one process of ours, to be killed."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        """Start it on a free port."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._log = (folder / "web.log").open("a")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "wsgi:app", "--threads", "8"),
                *("--workers", "1", "--bind", f"127.0.0.1:{port}"),
            ],
            env=environ | {"PORTAL_BIND": f"127.0.0.1:{port}"},
            cwd=ROOT,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def __enter__(self) -> Web:
        """Wait until it answers."""
        until(self._answers)
        return self

    def __exit__(self, *_problem: object) -> None:
        """Leave nothing behind."""
        self.kill()
        self._log.close()

    def kill(self) -> None:
        """End all of it at once, as a power cut would."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)

    def _answers(self) -> bool:
        assert self._process.poll() is None, "the web server ended by itself"
        try:
            urllib.request.urlopen(f"{self.url}/healthz", timeout=5).close()
        except OSError:
            time.sleep(0.05)
            return False
        return True
