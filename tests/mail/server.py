"""A real mail server on this machine, for tests: it takes letters, or behaves as badly as told."""

from __future__ import annotations

import asyncio
import ssl
import threading
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from types import TracebackType
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

HOST = "localhost"
USERNAME, PASSWORD = "portal", "a mail password"


@dataclass
class Manners:
    """How the server answers. Empty means: as a good server does.

    `data_after` is how long it thinks before it takes a letter, `yes_after` how long before it
    says that it has.
    """

    greeting_after: float = 0
    sender: str = ""
    recipients: dict[str, str] = field(default_factory=dict)
    data: str = ""
    data_after: float = 0
    yes_after: float = 0
    sign_in: str = ""
    hang_up_after_data: bool = False


@dataclass(frozen=True)
class Letter:
    """What arrived."""

    recipient: str
    content: bytes

    @property
    def parsed(self) -> EmailMessage:
        """The letter with its headers decoded."""
        return BytesParser(policy=policy.default).parsebytes(self.content)

    @property
    def message_id(self) -> str:
        """What tells a second copy from another letter."""
        return str(self.parsed["Message-ID"])


class MailServer:
    """Listens on a free port of this machine while the block runs."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None,
        sign_in: bool = False,
        port: int = 0,
    ) -> None:
        """`tls` encrypts from the first byte, `starttls` when asked; neither means in the clear."""
        self.letters: list[Letter] = []
        self.signed_in: list[str] = []
        self.connections = 0
        self.manners = Manners()
        self.port = port
        self.sign_in = sign_in
        self._tls, self._starttls = tls, starttls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mail server")
        self._server: asyncio.Server | None = None

    def __enter__(self) -> MailServer:
        """Open the doors."""
        self._thread.start()
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close them, and cut off who is still in."""
        self.close()
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def open(self) -> None:
        """Listen (again), on the same port as before."""
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Stop listening: who knocks now is refused."""
        if self._server is not None:
            self._loop.call_soon_threadsafe(self._server.close)
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop).result(5)
            self._server = None

    def has(self, number: int) -> bool:
        """Whether so many letters have arrived."""
        return len(self.letters) >= number

    def message_ids(self) -> list[str]:
        """The Message-ID of everything that arrived, in order."""
        return [letter.message_id for letter in self.letters]

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(
            self._visitor, "127.0.0.1", self.port, ssl=self._tls, reuse_address=True
        )

    async def _cancel_all(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _visitor(self) -> SMTP:
        self.connections += 1
        return _Visit(
            _Desk(self),
            hostname=HOST,
            tls_context=self._starttls,
            enable_SMTPUTF8=True,
            auth_require_tls=False,
            authenticator=self._authenticate,
            loop=self._loop,
            timeout=120,
        )

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        if self.manners.sign_in:
            return AuthResult(success=False, handled=False, message=self.manners.sign_in)
        name, password = data.login.decode(), data.password.decode()
        self.signed_in.append(name)
        return AuthResult(success=(name, password) == (USERNAME, PASSWORD), handled=False)


class _Visit(SMTP):
    """One conversation. Greets late when told to."""

    async def _handle_client(self) -> None:
        desk: _Desk = self.event_handler
        if desk.server.manners.greeting_after:
            await asyncio.sleep(desk.server.manners.greeting_after)
        await super()._handle_client()


class _Desk:
    """What the server says to each command; aiosmtpd finds these by their names."""

    def __init__(self, server: MailServer) -> None:
        self.server = server

    async def handle_MAIL(
        self, _smtp: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.server.sign_in and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if self.server.manners.sender:
            return self.server.manners.sender
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, _smtp: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.server.manners.recipients:
            return self.server.manners.recipients[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, smtp: SMTP, _session: Session, envelope: Envelope) -> str:
        manners = self.server.manners
        if manners.data_after:
            await asyncio.sleep(manners.data_after)
        if manners.data:
            return manners.data
        assert isinstance(envelope.content, bytes)
        self.server.letters.append(Letter(envelope.rcpt_tos[0], envelope.content))
        if manners.yes_after:
            await asyncio.sleep(manners.yes_after)
        if manners.hang_up_after_data:
            assert isinstance(smtp.transport, asyncio.Transport)
            smtp.transport.abort()
        return "250 Taken"
