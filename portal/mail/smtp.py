"""SMTP: handing letters to a mail server over verified TLS, and understanding its answers."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import idna
from flask_mailman import EmailMessage
from flask_mailman.backends.smtp import EmailBackend as FlaskMailmanBackend

from portal import settings
from portal.connections import verified_tls
from portal.mail.trouble import (
    DeliveryProblem,
    Never,
    NotNow,
    ServerDown,
    ServerRefuses,
    Trouble,
)

# Together shorter than the lease of a mail, so that nobody else takes it up meanwhile.
OPEN_WITHIN = 40
SEND_WITHIN = 70
# A server may think for long about a finished letter. Who hangs up then gets it delivered twice.
ACCEPT_WITHIN = 60


class EmailBackend(FlaskMailmanBackend):
    """Flask-Mailman's backend, with certificates verified on both ways of encrypting.

    Raises a `DeliveryProblem` for whatever goes wrong.
    """

    connection: smtplib.SMTP | None

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """Trust the system's authorities, or only those in the settings' file."""
        return verified_tls(settings.current().mail.ca_file)

    def open(self) -> bool:
        """Connect, encrypt and sign in, unless that is done. Returns whether it was not."""
        if self.connection is not None:
            return False
        try:
            server = self._connect()
            with _deadline(server, OPEN_WITHIN):
                self._encrypt(server)
                self._sign_in(server)
        except BaseException:
            self.close()
            raise
        return True

    def close(self) -> None:
        """Say goodbye, if the server still listens."""
        connection, self.connection = self.connection, None
        if connection is not None:
            with suppress(OSError, smtplib.SMTPException), _deadline(connection, 5):
                connection.quit()
            connection.close()

    def _connect(self) -> smtplib.SMTP:
        arguments: dict[str, Any] = {"local_hostname": _own_name(), "timeout": self.timeout}
        if self.use_ssl:
            arguments["context"] = self.ssl_context
        with _understood(ServerDown):
            server: smtplib.SMTP = self.connection_class(self.host, self.port, **arguments)
        self.connection = server
        return server

    def _encrypt(self, server: smtplib.SMTP) -> None:
        with _understood(ServerDown):
            server.ehlo_or_helo_if_needed()
            if not self.use_tls:
                return
            if not server.has_extn("starttls"):
                # Somebody on the way may have taken the offer out: never go on in the clear.
                raise ServerDown(Trouble.NO_ENCRYPTION)
            server.starttls(context=self.ssl_context)
            server.ehlo()

    def _sign_in(self, server: smtplib.SMTP) -> None:
        if not self.username:
            return
        try:
            server.login(self.username, self.password or "")
        except smtplib.SMTPAuthenticationError as refusal:
            if refusal.smtp_code < 500:
                raise ServerDown(Trouble.SIGN_IN, refusal.smtp_code) from None
            raise ServerRefuses(Trouble.SIGN_IN, refusal.smtp_code) from None
        except (smtplib.SMTPServerDisconnected, smtplib.SMTPHeloError, OSError) as broken:
            raise _problem(ServerDown, broken) from None
        except smtplib.SMTPException:  # it offers no way to sign in, or none that we know
            raise ServerRefuses(Trouble.SIGN_IN) from None

    def _send(self, email_message: EmailMessage) -> bool:
        sender, _ = _envelope_address(settings.current().mail.sender)
        recipient, needs_utf8 = _envelope_address(email_message.recipients()[0])
        content = email_message.message().as_bytes(linesep="\r\n")
        server = self.connection
        assert server is not None
        if needs_utf8 and not server.has_extn("smtputf8"):
            raise Never(Trouble.ADDRESS)

        with _understood(NotNow), _deadline(server, SEND_WITHIN):
            _accepted_sender(*server.mail(sender, ["smtputf8"] if needs_utf8 else []))
            _accepted(*server.rcpt(recipient))
            _wait_for(server, max(ACCEPT_WITHIN, self.timeout))
            _accepted(*server.data(content))
            _wait_for(server, self.timeout)
        return True


def _accepted(code: int, _answer: bytes) -> None:
    if 200 <= code < 300:
        return
    if 500 <= code < 600:
        raise Never(Trouble.REFUSED, code)
    raise NotNow(Trouble.LATER, code)


def _accepted_sender(code: int, _answer: bytes) -> None:
    # The sender is the same in every mail, so a refusal concerns all of them, except where
    # it is about this mail's size or the shape of its address (RFC 1870, RFC 6531).
    if 500 <= code < 600 and code not in (552, 553, 555):
        raise ServerRefuses(Trouble.SENDER, code)
    _accepted(code, _answer)


@contextmanager
def _understood(kind: type[DeliveryProblem]) -> Iterator[None]:
    """Turn what sockets, TLS and the protocol raise into a problem of this kind."""
    try:
        yield
    except (OSError, smtplib.SMTPException) as broken:
        raise _problem(kind, broken) from None


def _problem(kind: type[DeliveryProblem], broken: Exception) -> DeliveryProblem:
    if isinstance(broken, ssl.SSLCertVerificationError):
        return kind(Trouble.UNTRUSTED)
    if isinstance(broken, smtplib.SMTPDataError) and broken.smtp_code >= 500:
        return Never(Trouble.REFUSED, broken.smtp_code)
    if isinstance(broken, smtplib.SMTPResponseException):
        code = broken.smtp_code
        return kind(Trouble.LATER, code if 200 <= code < 600 else None)
    if isinstance(broken, smtplib.SMTPServerDisconnected) or kind is NotNow:
        return kind(Trouble.DISCONNECTED)
    return kind(Trouble.UNREACHABLE)


def _wait_for(server: smtplib.SMTP, seconds: float) -> None:
    if server.sock is not None:
        server.sock.settimeout(seconds)


@contextmanager
def _deadline(server: smtplib.SMTP, seconds: float) -> Iterator[None]:
    """Hang up on a server that answers so slowly that no single answer is ever too late."""

    def hang_up() -> None:
        with suppress(OSError):
            if server.sock is not None:
                server.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _envelope_address(address: str) -> tuple[str, bool]:
    """An address as the server is told it, and whether that needs more than ASCII."""
    local_part, _, domain = address.rpartition("@")
    try:
        domain = idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        if not domain.isascii():
            raise Never(Trouble.ADDRESS) from None
    return f"{local_part}@{domain}", not local_part.isascii()


def _own_name() -> str:
    """What we call ourselves in the greeting. The machine's own name is nobody's business."""
    host = settings.current().public_host
    if ":" in host:
        return f"[IPv6:{host}]"
    return f"[{host}]" if host.replace(".", "").isdigit() else host
