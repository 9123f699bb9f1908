"""The web server: what its log keeps to itself, and what it refuses before the site is asked."""

from __future__ import annotations

import http.client
import json
import socket
import tomllib
from contextlib import ExitStack
from typing import Any

import pytest

from portal.serving.access_log import masked
from tests.serving.running import Portal, running, until

pytestmark = pytest.mark.enable_socket


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/confirm/WyJhYmMi.x-y_z", "/confirm/***"),
        ("/reset/token", "/reset/***"),
        ("/change-email/token/", "/change-email/***/"),
        ("/setup/token", "/setup/***"),
        ("/prefix/setup/token", "/prefix/setup/***"),
        ("/status/token", "/status/***"),
        ("/status/token/withdrawal", "/status/***/withdrawal"),
        ("/status/withdrawal", "/status/withdrawal"),
        ("/confirm/done", "/confirm/done"),
        ("/reset/sent", "/reset/sent"),
        ("/confirm", "/confirm"),
        ("/login", "/login"),
        ("/a\n[forged]\x1b[2J", "/a%0A[forged]%1B[2J"),
    ],
)
def test_the_log_keeps_tokens_and_control_characters_out(path: str, logged: str) -> None:
    assert masked(path) == logged


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory):
    """One portal for all of these, with two threads and little patience."""
    environ = {"PORTAL_SERVER_THREADS": "2", "PORTAL_SERVER_RECEIVE_WITHIN_SECONDS": "1"}
    with running(tmp_path_factory.mktemp("web"), environ=environ) as portal:
        yield portal.until_ready()


def logged(portal: Portal) -> list[dict[str, Any]]:
    """The lines of its log; what it says to whoever started it is none."""
    return [json.loads(line) for line in portal.output.splitlines() if line.startswith("{")]


def portal_secrets(portal: Portal) -> list[str]:
    """What it made at its first start."""
    (kept,) = portal.log.parent.rglob("secrets.toml")
    return list(tomllib.loads(kept.read_text("utf-8")).values())


def raw(portal: Portal, request: bytes) -> bytes:
    """Send bytes, and give the answer."""
    with socket.create_connection(("127.0.0.1", portal.port), timeout=30) as connection:
        connection.sendall(request)
        return connection.makefile("rb").read()


def test_the_log_of_a_request_names_the_page_but_no_token_query_or_referrer(
    portal: Portal,
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", portal.port)
    headers = {"Referer": f"http://127.0.0.1:{portal.port}/reset/from-hush"}
    connection.request("GET", "/setup/token-hush?email=query-hush", headers=headers)
    connection.getresponse().read()
    connection.close()

    until(lambda: '"path": "/setup/***"' in portal.output)

    (line,) = [line for line in logged(portal) if line.get("path") == "/setup/***"]
    assert line["event"] == "request"
    assert (line["method"], line["status"], line["where"]) == ("GET", 400, "127.0.0.1")
    assert len(line["request"]) == 16
    (refused,) = [each for each in logged(portal) if each.get("event") == "link.refused"]
    assert refused["request"] == line["request"]
    assert "hush" not in portal.output


def test_what_is_no_request_is_logged_without_what_it_said(portal: Portal) -> None:
    answer = raw(portal, b"GET /reset/hush-token\x1b[2J /x HTTP/9.9\r\n\r\n")

    assert b" 400 " in answer or b" 505 " in answer
    until(lambda: "Invalid" in portal.output)
    assert "hush" not in portal.output
    assert "\x1b" not in portal.output


def test_the_start_is_one_line_of_the_log_with_what_counts_of_the_settings(portal: Portal) -> None:
    until(lambda: "portal.started" in portal.output)
    (line,) = [line for line in logged(portal) if line["event"] == "portal.started"]

    assert line["https"] is False
    assert "PORTAL_SERVER_THREADS" in line["variables"]
    for secret in portal_secrets(portal):
        assert secret not in portal.output


def test_no_version_is_told(portal: Portal) -> None:
    answer = raw(portal, b"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")

    assert answer.startswith(b"HTTP/1.")
    for digit in range(10):
        assert b"gunicorn/%d" % digit not in answer
    assert b"Python" not in answer


@pytest.mark.parametrize(
    "header",
    [b"X-Forwarded-Proto: https", b"X-Forwarded-Ssl: on", b"X-Forwarded-Host: evil.example"],
)
def test_forwarding_headers_of_strangers_change_nothing(portal: Portal, header: bytes) -> None:
    answer = raw(
        portal, b"GET / HTTP/1.0\r\nHost: 127.0.0.1:%d\r\n%s\r\n\r\n" % (portal.port, header)
    )

    assert b"evil.example" not in answer
    assert b"https://" not in answer.partition(b"\r\n\r\n")[0]
    assert b"; Secure" not in answer


@pytest.mark.parametrize(
    ("request_head", "code"),
    [
        (b"GET /%s HTTP/1.1" % (b"a" * 5000), b"414"),
        (b"GET / HTTP/1.1\r\n" + b"\r\n".join(b"X-%d: 1" % n for n in range(80)), b"431"),
        (b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 20000, b"431"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", b"400"),
    ],
)
def test_oversized_and_ambiguous_requests_are_refused(
    portal: Portal, request_head: bytes, code: bytes
) -> None:
    answer = raw(portal, request_head + b"\r\nHost: 127.0.0.1\r\n\r\n")

    assert answer.split(b" ")[1] == code


CHUNK = b"10000\r\n" + b"identity=" + b"x" * (0x10000 - 9) + b"\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 1073741824\r\n\r\nidentity=",
        b"Content-Length: 99999999999999999999\r\n\r\nidentity=",
        b"Transfer-Encoding: chunked\r\n\r\n" + 5 * CHUNK,
    ],
    ids=["announced", "announced by a number that no machine has", "in pieces without an end"],
)
def test_a_body_that_is_too_large_is_refused_before_it_has_arrived(
    portal: Portal, body: bytes
) -> None:
    """Nobody waits for its end, and nobody counts a try or hashes a password for it (D12)."""
    head = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % portal.port
    kind = b"Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"

    answer = raw(portal, head + kind + body)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"This is too large" in answer


def test_a_form_that_comes_in_pieces_is_a_form(portal: Portal) -> None:
    """What Transfer-Encoding says is no way round what reads and checks forms."""
    head = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % portal.port
    kind = b"Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
    body = b"Transfer-Encoding: chunked\r\n\r\nc\r\nidentity=ada\r\n0\r\n\r\n"

    answer = raw(portal, head + kind + body)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"This form is too old" in answer, "it was read, and has no token"


def test_requests_that_do_not_arrive_hold_no_thread_and_fill_no_log(portal: Portal) -> None:
    """Slow Loris: as many as there are threads, with half a head and with half a body."""
    halves = [
        b"GET /healthz HTTP/1.1\r\nHost: 127.",
        b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\nidenti",
    ]
    with ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", portal.port), timeout=30))
            for _ in halves
        ]
        for connection, half in zip(slow, halves, strict=True):
            connection.sendall(half)

        assert portal.get("/healthz")[0] == 200
        answers = [connection.makefile("rb").read() for connection in slow]

    assert answers[0] == b""
    assert answers[1].startswith(b"HTTP/1.1 400 ")
    assert "Traceback" not in portal.output


def test_a_request_that_trickles_in_is_given_up_as_well(portal: Portal) -> None:
    """Each byte in time, and the whole too late."""
    with socket.create_connection(("127.0.0.1", portal.port), timeout=0.1) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")

        def is_given_up() -> bool:
            try:
                connection.sendall(b"x")
                return connection.recv(1) == b""
            except TimeoutError:
                return False
            except ConnectionError:
                return True

        until(is_given_up, seconds=15)
