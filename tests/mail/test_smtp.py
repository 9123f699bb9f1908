"""SMTP: letters leave over verified TLS or not at all."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask

from portal.database import db
from portal.mail import delivery, lease, pauses, smtp
from portal.mail.mail import Mail, MailState
from tests.mail.authority import Authority
from tests.mail.server import HOST, PASSWORD, USERNAME, MailServer


def outcome(mail: Mail) -> tuple[MailState, str | None]:
    """Where the mail stands and why no mail leaves, if so."""
    db.session.expire_all()
    pause = pauses.current()
    return mail.state, pause.reason if pause else mail.last_error


def test_starttls_is_used_and_the_password_goes_only_through_it(
    app: Flask,
    post: Callable[..., Mail],
    authority: Authority,
    deliver_to: Callable[..., None],
) -> None:
    with MailServer(starttls=authority.context_for(HOST), sign_in=True) as server:
        deliver_to(server, security="starttls", username=USERNAME, password=PASSWORD)
        mail = post()

        delivery.deliver(mail.id)

        assert outcome(mail) == (MailState.DELIVERED, None)
        assert server.signed_in == [USERNAME]


def test_when_somebody_takes_the_offer_of_starttls_out_no_mail_leaves(
    app: Flask, post: Callable[..., Mail], deliver_to: Callable[..., None]
) -> None:
    with MailServer(sign_in=True) as server:
        deliver_to(server, security="starttls", username=USERNAME, password=PASSWORD)
        mail = post()

        delivery.deliver(mail.id)

        assert outcome(mail) == (MailState.WAITING, "no_encryption")
        assert (server.letters, server.signed_in) == ([], [])


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize("fault", ["another name", "another authority"])
def test_a_certificate_that_is_not_the_servers_gets_no_password_and_no_mail(
    app: Flask,
    post: Callable[..., Mail],
    authority: Authority,
    deliver_to: Callable[..., None],
    security: str,
    fault: str,
) -> None:
    certificate = authority.context_for("mail.example.org" if fault == "another name" else HOST)
    how: dict[str, Any] = {security: certificate}
    with MailServer(sign_in=True, **how) as server:
        trusted = {} if fault == "another name" else {"ca_file": ""}
        deliver_to(server, security=security, username=USERNAME, password=PASSWORD, **trusted)
        mail = post()

        delivery.deliver(mail.id)

        assert outcome(mail) == (MailState.WAITING, "untrusted")
        assert (server.letters, server.signed_in) == ([], [])


def test_an_unencrypted_server_on_this_machine_is_used_where_the_settings_say_so(
    app: Flask, post: Callable[..., Mail], deliver_to: Callable[..., None]
) -> None:
    with MailServer() as server:
        deliver_to(server, security="none")
        mail = post()

        delivery.deliver(mail.id)

        assert outcome(mail) == (MailState.DELIVERED, None)


def test_a_server_that_says_nothing_is_left_after_the_timeout(
    app: Flask,
    post: Callable[..., Mail],
    mail_server: MailServer,
    deliver_to: Callable[..., None],
) -> None:
    deliver_to(mail_server, timeout_seconds=1)
    mail_server.manners.greeting_after = 10
    mail = post()
    began = time.monotonic()

    delivery.deliver(mail.id)

    assert time.monotonic() - began < 9
    state, reason = outcome(mail)
    assert state is MailState.WAITING
    assert reason in ("disconnected", "unreachable")


def test_a_server_that_thinks_long_about_a_finished_letter_is_waited_for(
    app: Flask,
    post: Callable[..., Mail],
    mail_server: MailServer,
    deliver_to: Callable[..., None],
) -> None:
    """Whoever hangs up then sends it twice."""
    deliver_to(mail_server, timeout_seconds=1)
    mail_server.manners.data_after = 2
    mail = post()

    delivery.deliver(mail.id)

    assert outcome(mail) == (MailState.DELIVERED, None)


def test_a_server_that_never_comes_to_an_end_is_left_before_the_lease_ends(
    app: Flask,
    post: Callable[..., Mail],
    deliver_to: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One byte at a time no answer is ever too late, but the whole conversation is."""
    assert lease.LEASE.total_seconds() > smtp.OPEN_WITHIN + smtp.SEND_WITHIN
    monkeypatch.setattr(smtp, "OPEN_WITHIN", 1)
    with dripping() as server:
        deliver_to(server, security="none")
        mail = post()
        began = time.monotonic()

        delivery.deliver(mail.id)

        assert time.monotonic() - began < 20
        assert outcome(mail)[0] is MailState.WAITING


def test_the_greeting_names_the_public_host_and_not_the_machine(
    app: Flask,
    post: Callable[..., Mail],
    mail_server: MailServer,
    deliver_to: Callable[..., None],
) -> None:
    deliver_to(mail_server)
    delivery.deliver(post().id)

    with app.app_context():
        assert smtp._own_name() == "[127.0.0.1]"
    assert socket.gethostname().encode() not in mail_server.letters[0].content


def test_certificates_are_verified_and_old_protocols_refused(
    app: Flask, mail_server: MailServer, deliver_to: Callable[..., None]
) -> None:
    deliver_to(mail_server)

    context = app.extensions["mailman"].get_connection().ssl_context

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


@contextmanager
def dripping() -> Iterator[Any]:
    """A server that greets, and then answers one byte every tenth of a second, for ever."""
    listening = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def drip() -> None:
        visitor, _ = listening.accept()
        with visitor:
            visitor.sendall(b"220 hello\r\n")
            while not done.wait(0.1):
                try:
                    visitor.sendall(b"2")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()

    class Server:
        port = listening.getsockname()[1]

    try:
        yield Server
    finally:
        done.set()
        thread.join(5)
        listening.close()
