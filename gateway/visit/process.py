"""One visit's process, from the fork to its exit: no network, no files, no core, no child; ends with the front.

In: the listening socket and the reading end of the front's lifeline, both passed on by the fork server, and the
composition that builds the visit's ASGI app. It hears nobody but the front. It never returns: whatever happens ends
in ``os._exit``, because ending the process is how a visit is purged. Linux only.
"""

import asyncio
import ctypes
import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, Protocol

import uvicorn

from gateway.errors import CountersignError, ModelError
from gateway.models.memory import Running
from gateway.models.slots import SlotFiles, open_slot_files, slots_folder
from gateway.settings import Settings
from gateway.visit.confinement import drop_capabilities, limit_calls, limit_resources, restrict_files
from gateway.visit.peer import read_peer, talk_only_to
from gateway.visit.web_socket import MAX_MESSAGE_BYTES, ForgetfulSocket

log = logging.getLogger("countersign.visit")

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h
PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38  # linux/prctl.h
EXIT_LEFT, EXIT_NO_NAMESPACE, EXIT_FAILED = 0, 70, 71
LEAVE_SECONDS = 0.5  # for the answers that are on their way
TRIAL_SECONDS = 600  # for the largest weights from the slowest disk

AsgiApp = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class VisitRoom:
    """What a visit's process is given to build its app from.

    Attributes:
        ehr_socket: the front's broker for this visit: ``/fhir/*``, ``/ledger`` and ``/ended``.
        shared: what the composition loaded before the fork (the text model's weights), or None.
        leave: ends the process, soon.
        slots: this visit's own way to the compute slots of the machine, opened before it can open no file any more.
    """

    visit_id: str
    site_id: str
    ehr_socket: Path
    settings: Settings
    shared: object | None
    leave: Callable[[], None]
    slots: SlotFiles | None = None


class Composition(Protocol):
    """What builds visits: a module with these four functions."""

    def prepare_visits(self, settings: Settings) -> object | None:
        """Load, once and before any fork, what visits share; starts no thread."""
        ...

    def list_readable(self, shared: object | None) -> Iterable[Path]:
        """The files and folders that a visit opens after the fork; called before it."""
        ...

    def require_room(self, shared: object | None, running: Iterable[Running]) -> None:
        """Ask, before each fork, whether this machine has the memory for one more visit beside those that run.

        Raises:
            CountersignError: it has not; the sentence is for who opens the visit.
        """
        ...

    def compose_visit(self, room: VisitRoom) -> AsgiApp:
        """Build one visit's app, inside its own process."""
        ...


class NamespaceRefused(OSError):
    """This kernel does not let a process give up its network."""


def run_visit(
    composition: Composition,
    room: VisitRoom,
    listener: socket.socket,
    lifeline: int,
    *,
    readable: Iterable[Path],
    devices: Collection[Path] = (),
    accept_network: bool,
) -> NoReturn:
    """Become the visit: called in the forked child, with one thread.

    Args:
        listener: the bound and listening Unix socket that the front relays the browser's requests to.
        lifeline: a pipe's reading end; when the front is gone it reads as ended, and so does this process.
        readable: what it may open; nothing else, and nothing to write.
        devices: a GPU's, which it may use; see ``restrict_files``.
        accept_network: go on where the kernel refuses the namespaces (the site's own decision).
    """
    try:
        close_inherited(keep={listener.fileno(), lifeline})
        slots = open_slot_files(slots_folder(room.ehr_socket.parent))
        restore_signals()
        _confine(room.visit_id, readable, devices, accept_network)
        threading.Thread(target=_end_with_front, args=(lifeline,), name="lifeline", daemon=True).start()
        asyncio.run(_serve(composition.compose_visit(replace(room, slots=slots)), listener))
    except BaseException as error:  # noqa: BLE001 - nothing may run on in a forked child; its text may be a patient's
        log.error("visit.process.failed visit=%s error=%s", room.visit_id, type(error).__name__)
        os._exit(EXIT_FAILED)
    os._exit(EXIT_LEFT)


def try_confined(work: Callable[[], object], readable: Iterable[Path], devices: Collection[Path]) -> None:
    """Do something once in a child that is confined as a visit is, where a visit would fail at it later.

    Called with one thread; nothing of what ``work`` starts or takes is left in this process.

    Raises:
        CountersignError: the one that ``work`` raised.
        ModelError: the child did not live to the end of it.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            signal.alarm(TRIAL_SECONDS)
            _confine("trial", readable, devices, accept_network=True)  # the supervisor says where it can't
            work()
        except CountersignError as error:
            os.write(writing, json.dumps([error.code, error.public]).encode())
        except BaseException as error:  # noqa: BLE001 - nothing may run on in a forked child
            log.error("visit.trial.failed error=%s", type(error).__name__)
            os._exit(EXIT_FAILED)
        os._exit(EXIT_LEFT)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        said = answer.read()
    _, status = os.waitpid(pid, 0)
    if said:
        code, public = json.loads(said)
        raise ModelError(code, public)
    if os.waitstatus_to_exitcode(status) != EXIT_LEFT:
        raise ModelError(
            "model.gpu",
            "A visit can't use this machine's GPU: the driver did not bear what a visit is allowed to do, or it "
            "failed; set gpu_layers = 0 (docs/models.md, On a GPU).",
            f"status {status}",
        )


def _confine(name: str, readable: Iterable[Path], devices: Collection[Path], accept_network: bool) -> None:
    """Give up what a visit may not have; for good."""
    keep_words_in()
    limit_resources()
    try:
        give_up_network()
    except NamespaceRefused as error:
        log.error("visit.namespace.refused visit=%s errno=%s", name, error.errno)
        if not accept_network:
            os._exit(EXIT_NO_NAMESPACE)
    give_up_rights()
    restrict_files(readable, devices)  # the fork server says where the kernel can't
    limit_calls()


def warm_up(composition: Composition, room: VisitRoom) -> None:
    """Build a visit's app once before any fork and ask it for nothing, so that its children find every module loaded.

    Without it each visit spends 100 ms of its first 150 on imports that wait for a first use. Starts no thread.
    """
    app = composition.compose_visit(room)
    uvicorn.Config(app, log_config=None, access_log=False, ws=ForgetfulSocket).load()
    asyncio.run(_ask_for_nothing(app))


async def _ask_for_nothing(app: AsgiApp) -> None:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: object) -> None:
        """The answer is that there is nothing."""

    scope = {"path": "/nothing", "raw_path": b"/nothing", "query_string": b"", "headers": [], "http_version": "1.1"}
    await app({**scope, "type": "http", "method": "GET", "scheme": "http"}, receive, send)
    await app({**scope, "type": "websocket", "subprotocols": [], "scheme": "ws"}, receive, send)


def leave_soon() -> None:
    """End this process once the answers on their way are out."""
    asyncio.get_running_loop().call_later(LEAVE_SECONDS, os._exit, EXIT_LEFT)


def give_up_network() -> None:
    """Move this process (one thread) into a user and a network namespace of its own, where nothing is reachable.

    The loopback of the new namespace is down too: not even this machine's own ports can be reached.

    Raises:
        NamespaceRefused: the kernel or a container's rules do not allow it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise NamespaceRefused(number, os.strerror(number))


def give_up_rights() -> None:
    """No reading by others of this user (ptrace, /proc/pid/mem), no capabilities, no new privileges by exec."""
    libc = ctypes.CDLL(None, use_errno=True)
    drop_capabilities()
    for option, value in ((PR_SET_DUMPABLE, 0), (PR_SET_NO_NEW_PRIVS, 1)):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


def can_give_up_network() -> bool:
    """Whether this kernel allows it: tried in a child that ends at once. Called with one thread."""
    pid = os.fork()
    if pid == 0:
        try:
            give_up_network()
        except OSError:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) == 0


def close_inherited(keep: set[int]) -> None:
    """Close every file descriptor but the three standard ones and ``keep``; standard input becomes empty."""
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        if number > 2 and number not in keep:
            try:
                os.close(number)
            except OSError:
                continue  # the listing's own
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def keep_words_in() -> None:
    """Let nothing out on standard output and error but the log's own lines: what libraries print is free text."""
    lines = os.fdopen(os.dup(2), "w", buffering=1)
    for handler in logging.getLogger("countersign").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(lines)
    nothing = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nothing, number)
    os.close(nothing)


def restore_signals() -> None:
    """As a fresh process has them: the fork server's own handlers are not the visit's."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end_with_front(lifeline: int) -> None:
    """Wait until the front lets go of its end, then end everything at once, models in the middle of a word included."""
    while os.read(lifeline, 1):
        pass
    os._exit(EXIT_LEFT)


async def _serve(app: AsgiApp, listener: socket.socket) -> None:
    front, _ = read_peer(listener)  # it began to listen, then passed the socket on
    config = uvicorn.Config(
        app,
        http=talk_only_to(lambda pid: pid == front),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        ws=ForgetfulSocket,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=None,  # the kernel says when the front is gone
        timeout_keep_alive=3600,
        timeout_graceful_shutdown=1,
    )
    await uvicorn.Server(config).serve(sockets=[listener])
