"""Asks the fork server for a visit's process.

In: a visit's id and its EHR's. Out: ``VisitProcess``: the process by its pidfd, the lifeline's writing end, the path
of the socket it listens on; or the fork server's own sentence of why there is none. The socket is bound here and passed
on, so that it takes connections before the process runs.
"""

import asyncio
import contextlib
import json
import os
import socket
from datetime import datetime
from pathlib import Path

from gateway.errors import VisitError
from gateway.front.environment import forks_socket
from gateway.visit.purge import Remains

ANSWER_SECONDS = 5.0
START_SECONDS = 30.0  # for a fork server that is still loading its weights
RETRY_SECONDS = 0.1
BACKLOG = 64


class NotStarted(VisitError):
    """No process was forked; the fork server says why, and the clinician who opened the visit reads it."""

    status = 503


class VisitProcess:
    """A running visit process. ``ended`` is set when it has ended, however it did."""

    def __init__(self, visit_id: str, pid: int, pidfd: int, lifeline: int, connection: socket.socket, run_dir: Path):
        self.visit_id = visit_id
        self.pid = pid
        self.ended = asyncio.Event()
        self.browser_socket = run_dir / f"{visit_id}.browser.sock"
        self.ehr_socket = run_dir / f"{visit_id}.ehr.sock"
        self._pidfd = pidfd
        self._lifeline = lifeline
        self._connection = connection
        asyncio.get_running_loop().add_reader(pidfd, self._see_end)

    def _see_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        self.ended.set()

    def read_exit_status(self) -> int | None:
        """What the fork server said of its end; None where it has not (yet) said anything."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            self._connection.setblocking(False)
            return int(json.loads(self._connection.recv(4096))["ended"])
        return None

    def give_up(self, opened_at: datetime) -> Remains:
        """Hand over what is left of the visit to be purged; this object no longer owns it."""
        asyncio.get_running_loop().remove_reader(self._pidfd)
        self._connection.close()
        sockets = (self.browser_socket, self.ehr_socket)
        return Remains(self.visit_id, self.pid, self._pidfd, self._lifeline, sockets, opened_at)


async def start_process(run_dir: Path, visit_id: str, site_id: str) -> VisitProcess:
    """Have a visit's process forked.

    Raises:
        VisitError: the fork server is not there, has no room for another visit, or could not fork.
    """
    listener = _listen(run_dir / f"{visit_id}.browser.sock")
    reading, writing = os.pipe2(os.O_CLOEXEC)
    request = json.dumps({"visit": visit_id, "site": site_id}).encode() + b"\n"
    try:
        connection = await _reach_fork_server(run_dir)
        try:
            pid, pidfd = await asyncio.to_thread(_ask, connection, request, (listener.fileno(), reading))
        except BaseException:
            connection.close()
            raise
    except BaseException:
        os.close(writing)
        (run_dir / f"{visit_id}.browser.sock").unlink(missing_ok=True)
        raise
    finally:
        os.close(reading)
        listener.close()
    return VisitProcess(visit_id, pid, pidfd, writing, connection, run_dir)


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _unstarted(f"socket errno {error.errno}") from error
    return listener


async def _reach_fork_server(run_dir: Path) -> socket.socket:
    """Connect, waiting for a fork server that is still starting."""
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while True:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(ANSWER_SECONDS)
        try:
            connection.connect(str(forks_socket(run_dir)))
            return connection
        except OSError as error:
            connection.close()
            if asyncio.get_running_loop().time() > deadline:
                raise _unstarted(f"fork server errno {error.errno}") from error
            await asyncio.sleep(RETRY_SECONDS)


def _ask(connection: socket.socket, request: bytes, descriptors: tuple[int, int]) -> tuple[int, int]:
    """Blocks, not long; the new process's pid and pidfd."""
    try:
        socket.send_fds(connection, [request], list(descriptors))
        line, received, _, _ = socket.recv_fds(connection, 4096, 1)
        answer = json.loads(line)
    except (OSError, ValueError) as error:
        raise _unstarted(type(error).__name__) from error
    match answer, received:
        case {"pid": int(pid)}, [pidfd]:
            os.set_inheritable(pidfd, False)
            return pid, pidfd
        case {"error": str(sentence), "code": str(code)}, []:
            raise NotStarted(code, sentence, "refused by the fork server")
    for number in received:
        os.close(number)
    raise _unstarted("not an answer of the fork server")


def _unstarted(detail: str) -> NotStarted:
    return NotStarted(
        "visit.start", "The visit could not be started. Wait a moment and open Countersign again from the EHR.", detail
    )
