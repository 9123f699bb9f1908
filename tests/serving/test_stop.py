"""Stopping: what is under way is finished, both processes end together, and nothing is left."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from tests.serving.running import Portal, alive, command, running, until, within

pytestmark = pytest.mark.enable_socket


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_web_server_and_worker(place: Path, number: signal.Signals) -> None:
    with running(place) as portal:
        family = portal.until_ready().family()

        # To the whole group, as a terminal does: the children are in groups of their own.
        os.killpg(portal.process.pid, number)

        assert portal.ended() == 0
        assert not [pid for pid in family if alive(pid)]
        assert "Stopped." in portal.output
        assert portal.output.count('"event": "portal.stopped"') == 1


def test_a_request_under_way_is_answered_and_then_both_processes_end(place: Path) -> None:
    with running(place) as portal:
        family = portal.until_ready().family()
        with socket.create_connection(("127.0.0.1", portal.port)) as slow:
            slow.sendall(
                b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n"
                b"\r\nidenti"
            )
            until(lambda: _is_taken(portal))

            portal.process.terminate()
            until(lambda: "Stopping" in portal.output)
            slow.sendall(b"ty=x")
            answer = slow.makefile("rb").read()

        assert answer.startswith(b"HTTP/1.1 400")  # no token in it; but an answer
        assert b"</html>" in answer
        assert portal.ended() == 0
        assert not [pid for pid in family if alive(pid)]
        assert "Stopped." in portal.output


@pytest.mark.parametrize(
    ("victim", "other"),
    [
        ("worker", "web server"),
        pytest.param("web server", "worker", marks=[pytest.mark.long]),
    ],
)
def test_when_one_dies_the_other_is_stopped_with_a_message(
    place: Path, victim: str, other: str
) -> None:
    with running(place) as portal:
        family = portal.until_ready().family()

        os.kill(portal.child(victim), signal.SIGKILL)

        assert portal.ended() == 1
        until(lambda: not [pid for pid in family if alive(pid)])
        assert f"The {victim} ended (killed by SIGKILL)." in portal.output
        assert f"The {other} was stopped too." in portal.output


@pytest.mark.long
def test_a_running_portal_replaces_a_web_process_that_dies_and_shares_its_folder_with_nobody(
    place: Path,
) -> None:
    file = within(place, "db", "backup").stdout.split(" ", 1)[0]
    with running(place) as portal:
        portal.until_ready()
        master = portal.child("web server")
        (process,) = portal.family() - {master, portal.child("worker")}

        os.kill(process, signal.SIGKILL)

        until(lambda: portal.family() - {master, portal.child("worker"), process})
        assert portal.get("/healthz")[0] == 200

        restored = within(place, "db", "restore", file)
        started = command(place, "run")

        assert portal.get("/healthz")[0] == 200

    assert (restored.returncode, started.returncode) == (1, 1)
    assert "Stop it first" in restored.stderr
    assert f"is running on {place / 'instance'} already" in started.stderr
    assert f"(process {portal.process.pid}). Stop it first" in started.stderr


@pytest.mark.long
def test_nothing_outlives_a_supervisor_that_is_killed(place: Path) -> None:
    with running(place) as portal:
        family = portal.until_ready().family()
        assert len(family) == 3

        portal.process.kill()
        portal.process.wait()

        until(lambda: not [pid for pid in family if alive(pid)], seconds=15)
    with running(place, port=portal.port) as again:
        again.until_ready()


@pytest.mark.long
def test_a_stop_during_the_start_leaves_nothing(place: Path) -> None:
    with running(place) as portal:
        until(lambda: "Application" in portal.output)

        portal.process.terminate()

        portal.ended()
        assert not portal.family()


def _is_taken(portal: Portal) -> bool:
    """Whether the web server has read what was sent to it so far."""
    wanted = f"0100007F:{portal.port:04X}"
    for row in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        local, _, connection, queues = row.split()[1:5]
        if local == wanted and connection == "01":
            return queues.endswith(":00000000")
    return False


@pytest.mark.long
def test_a_script_that_starts_it_in_the_background_can_interrupt_it(place: Path) -> None:
    ignoring = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]
    with running(place, prefix=ignoring) as portal:
        portal.until_ready()

        portal.process.send_signal(signal.SIGINT)

        assert portal.ended() == 0


@pytest.mark.long
def test_a_worker_by_itself_ends_in_order(place: Path) -> None:
    with running(place, "worker") as worker:
        until(lambda: "The worker is ready." in worker.output)

        worker.process.terminate()

        assert worker.ended() == 0
        assert "Traceback" not in worker.output
