"""The fork server: imports and weights loaded once, then one fork for each visit. One thread, always.

In, on ``forks.sock``: a JSON line ``{"visit": id, "site": id}`` with two descriptors (SCM_RIGHTS): the visit's
listening socket and the reading end of the front's lifeline. Out: ``{"pid": n}`` with a pidfd, or ``{"error": sentence,
"code": code}``; later, on the same connection, ``{"ended": exit status}``. Before each fork it asks whether there is
memory for one more. It sees no patient data: a launch reaches the visit over the visit's own socket. Nor does it see a
secret of the site: it is started by exec with ``front/environment``'s bare variables, reads its settings from these
alone, and takes requests from the front alone.
SIGTERM ends it and every visit.
"""

import gc
import importlib
import json
import logging
import os
import re
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn, cast

from gateway.ehr.site import read_sites
from gateway.errors import CountersignError
from gateway.front.environment import (
    EXIT_WRONG,
    RUN_DIR,
    end_with_parent,
    forks_socket,
    guard_memory,
    set_up_logging,
)
from gateway.models.memory import Running, read_own_bytes
from gateway.models.slots import remove_slot_files, slots_folder
from gateway.settings import Settings
from gateway.visit.confinement import can_limit_calls, landlock_version, list_gpu_devices
from gateway.visit.peer import read_peer
from gateway.visit.process import Composition, VisitRoom, leave_soon, run_visit, warm_up

log = logging.getLogger("countersign.forkserver")

MAX_LINE_BYTES = 4096
ASK_SECONDS = 2.0
ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
UNSTARTED = "The visit's process could not be started. Open Countersign again from the EHR."


def main(arguments: list[str]) -> int:
    """Run until SIGTERM. ``arguments``: the module that composes visits."""
    set_up_logging()
    end_with_parent(signal.SIGTERM)
    guard_memory()
    try:
        settings = Settings()  # checked by the supervisor; gateway.toml itself may hold the database's password
        composition = cast(Composition, importlib.import_module(arguments[0]))
        shared = composition.prepare_visits(settings)
        run_dir = Path(os.environ[RUN_DIR])
        site_id = next(iter(read_sites(settings.config_dir / "ehrs")), "")
        warm_up(composition, VisitRoom("warm-up", site_id, run_dir / "none.sock", settings, shared, leave_soon))
    except CountersignError as error:
        print(f"countersign: {error.public}", file=sys.stderr)
        return EXIT_WRONG
    if not landlock_version() or not can_limit_calls():
        log.warning("forkserver.confinement landlock=%d calls=%s", landlock_version(), can_limit_calls())
    ForkServer(composition, settings, shared, run_dir, composition.list_readable(shared)).serve()
    return 0


@dataclass(frozen=True, slots=True)
class _Child:
    """A visit that was forked: who asked for it, when (monotonic), and the memory that it began with."""

    connection: socket.socket
    forked_at: float
    own_bytes: int | None

    def tell(self, pid: int) -> Running:
        """How it stands now."""
        own = read_own_bytes(pid)
        grown = None if own is None or self.own_bytes is None else own - self.own_bytes
        return Running(time.monotonic() - self.forked_at, grown)


class ForkServer:
    """Answers one request at a time; knows its children by pid until they have ended."""

    def __init__(
        self,
        composition: Composition,
        settings: Settings,
        shared: object | None,
        run_dir: Path,
        readable: Iterable[Path],
    ) -> None:
        self._composition = composition
        self._settings = settings
        self._shared = shared
        self._run_dir = run_dir
        self._readable = tuple(readable)
        self._children: dict[int, _Child] = {}
        self._going = True

    def serve(self) -> None:
        path = forks_socket(self._run_dir)
        path.unlink(missing_ok=True)
        woken, waker = socket.socketpair()
        woken.setblocking(False)
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _do_nothing)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        gc.collect()
        gc.freeze()  # a collection in a child must not touch, and so copy, what it shares with us
        with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as selector:
            listener.bind(str(path))
            listener.listen(64)
            selector.register(listener, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            log.info("forkserver.ready threads=%d weights=%s", _count_threads(), self._shared is not None)
            while self._going:
                for key, _ in selector.select():
                    if key.fileobj is listener:
                        self._answer(listener)
                    else:
                        _drain(woken)
                self._reap()
        path.unlink(missing_ok=True)
        remove_slot_files(slots_folder(self._run_dir))
        self._end_children()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._going = False

    def _answer(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.settimeout(ASK_SECONDS)
        try:
            self._take_request(connection)
        except CountersignError as error:
            log.warning("forkserver.refused code=%s visits=%d", error.code, len(self._children))
            _say(connection, {"error": error.public, "code": error.code})
            connection.close()
        except (OSError, ValueError, LookupError, TypeError) as error:
            log.error("forkserver.request.failed error=%s", type(error).__name__)
            _say(connection, {"error": UNSTARTED, "code": "visit.start"})
            connection.close()

    def _take_request(self, connection: socket.socket) -> None:
        """Read one request, ask for memory, fork, answer.

        Raises:
            CountersignError: there is no room for one more visit.
            OSError: the kernel refused, or the connection broke.
            ValueError: not a request, or not from the front.
        """
        descriptors: list[int] = []
        try:
            line, descriptors, _, _ = socket.recv_fds(connection, MAX_LINE_BYTES, 2)
            self._require_front(connection)
            visit_id, site_id = _read_request(line, descriptors)
            if _count_threads() != 1:
                raise ValueError("more than one thread: a fork could copy a held lock")
            self._reap()  # who has ended claims nothing
            self._composition.require_room(self._shared, [child.tell(pid) for pid, child in self._children.items()])
            forked_at, own_bytes = time.monotonic(), read_own_bytes(os.getpid())
            pid = os.fork()
            if pid == 0:
                self._become_visit(visit_id, site_id, *descriptors)
            self._children[pid] = _Child(connection, forked_at, own_bytes)
            pidfd = os.pidfd_open(pid)
            try:
                socket.send_fds(connection, [_line({"pid": pid})], [pidfd])
            finally:
                os.close(pidfd)
        finally:
            for number in descriptors:
                os.close(number)

    def _require_front(self, connection: socket.socket) -> None:
        """A visit has no use for another visit's process, and is of our own session; the front has one of its own.

        Raises:
            ValueError: it is a visit's request, or another user's.
        """
        pid, uid = read_peer(connection)
        if uid != os.getuid() or pid in self._children or os.getsid(pid) == os.getsid(0):
            raise ValueError("not from the front")

    def _become_visit(self, visit_id: str, site_id: str, listener: int, lifeline: int) -> NoReturn:
        room = VisitRoom(
            visit_id=visit_id,
            site_id=site_id,
            ehr_socket=self._run_dir / f"{visit_id}.ehr.sock",
            settings=self._settings,
            shared=self._shared,
            leave=leave_soon,
        )
        run_visit(
            self._composition,
            room,
            socket.socket(fileno=listener),
            lifeline,
            readable=self._readable,
            devices=list_gpu_devices() if self._settings.gpu_layers else (),
            accept_network=self._settings.accept_no_network_namespace,
        )

    def _reap(self) -> None:
        """Collect the children that have ended and tell who asked for them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            code = os.waitstatus_to_exitcode(status)
            log.info("forkserver.visit.ended pid=%d status=%d", pid, code)
            if child is not None:
                _say(child.connection, {"ended": code})
                child.connection.close()

    def _end_children(self) -> None:
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        for pid in list(self._children):
            os.waitpid(pid, 0)


def _read_request(line: bytes, descriptors: list[int]) -> tuple[str, str]:
    request = json.loads(line)
    visit_id, site_id = request["visit"], request["site"]
    if len(descriptors) != 2 or not (ID.fullmatch(visit_id) and ID.fullmatch(site_id)):
        raise ValueError("not a request for a visit")
    return visit_id, site_id


def _count_threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _line(message: dict[str, object]) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _say(connection: socket.socket, message: dict[str, object]) -> None:
    try:
        connection.sendall(_line(message))
    except OSError:
        return  # who asked is gone


def _drain(woken: socket.socket) -> None:
    try:
        while woken.recv(512):
            pass
    except BlockingIOError:
        return


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """The wake-up descriptor says it."""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
