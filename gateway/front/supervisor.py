"""``countersign serve``: starts the fork server and the front, starts them again when they die, ends them together.

In: the settings. Out: two children, each started by exec with the environment that wiping and threads need, in
sessions of their own, so that Ctrl-C comes here alone and everything ends in order. The port is taken here and
passed on: a used one is said at once, and a front that is started again finds its callers waiting. It holds nothing
of any visit.
"""

import contextlib
import logging
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from gateway.ehr.site import read_sites
from gateway.errors import ConfigurationError, CountersignError
from gateway.front.environment import (
    EXIT_WRONG,
    forks_socket,
    guard_memory,
    is_swap_on,
    make_bare_environment,
    make_environment,
)
from gateway.retention import read_retention
from gateway.settings import Settings
from gateway.visit.confinement import can_limit_calls, landlock_version
from gateway.visit.process import can_give_up_network

log = logging.getLogger("countersign.supervisor")

COMPOSITION = "gateway.visit.composition"
FRONT = "gateway.app"
MAX_RESTARTS, RESTART_WINDOW_SECONDS = 5, 60.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 5.0
STOP_SECONDS = 8.0
WORDS_SECONDS = 2.0  # for the children's last words, once they have ended
TICK_SECONDS = 0.1
BACKLOG = 256
SOCKET_PATH_BYTES = 107  # sockaddr_un, less the final NUL
LONGEST_SOCKET_NAME = 40


class ServeError(CountersignError):
    """``serve`` can't start or can't go on."""


@dataclass(slots=True)
class _Child:
    """One of the two, and when it was started of late."""

    name: str
    command: list[str]
    environment: dict[str, str]
    marker: Path | None = None  # what says that it is ready; gone when it has died
    descriptors: tuple[int, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None
    starts: deque[float] = field(default_factory=deque)
    start_at: float = 0.0


def serve(
    settings: Settings,
    *,
    composition: str = COMPOSITION,
    front: str = FRONT,
    announce: Callable[[str], None] = print,
    while_running: Callable[[], None] = lambda: None,
) -> None:
    """Run until SIGINT or SIGTERM; returns once nothing of it is left.

    Args:
        composition: the module that composes visits.
        front: the module that runs the front on the descriptor it is given.
        while_running: called several times a second; what it raises ends everything.

    Raises:
        ConfigurationError: a file is missing or wrong.
        ServeError: the port is taken, a folder can't be written, or a child keeps dying.
    """
    guard_memory()
    check_start(settings)
    if is_swap_on():
        announce("Warning: this machine swaps; memory of a visit could reach its disk. Turn swap off (swapoff -a).")
    if not landlock_version():
        announce("Warning: this kernel has no Landlock; a visit's process could read files. Use Linux 5.13 or later.")
    if not can_limit_calls():
        announce("Warning: a visit's process could start others on this processor; use x86-64 or arm64.")
    with (
        _signals_become_flag() as is_over,
        _listen(settings) as listener,
        _make_run_dir(settings) as run_dir,
        _pass_words_on() as words,
    ):
        forks, python = forks_socket(run_dir), [sys.executable, "-m"]
        bare, full = make_bare_environment(settings, run_dir), make_environment(settings, run_dir)
        children = [
            _Child("fork server", [*python, "gateway.front.forkserver", composition], bare, forks),
            _Child("front", [*python, front, str(listener.fileno())], full, descriptors=(listener.fileno(),)),
        ]
        try:
            while not is_over():
                for child in children:
                    _keep_alive(child, words)
                while_running()
                time.sleep(TICK_SECONDS)
        finally:
            _stop([child.process for child in reversed(children) if child.process is not None])


def check_start(settings: Settings) -> None:
    """Everything that can be known to be wrong before anything is started.

    Raises:
        ConfigurationError, ServeError: with the one sentence to print.
    """
    if not settings.config_dir.is_dir():
        raise ConfigurationError(settings.config_dir, "", "is no folder: name it with COUNTERSIGN_CONFIG_DIR")
    if not read_sites(settings.config_dir / "ehrs"):
        folder = settings.config_dir / "ehrs"
        raise ConfigurationError(folder, "", "no EHR is configured: copy one of examples/ here and fill it in")
    read_retention(settings.config_dir)
    if not (settings.page_dir / "index.html").is_file():
        raise ConfigurationError(settings.page_dir, "page_dir", "the clinician's page is not there")
    _require_private_folder(settings.state)
    if not settings.accept_no_network_namespace and not can_give_up_network():
        raise ServeError(
            "serve.namespace",
            "This kernel or container does not let a visit's process give up its network: allow user namespaces, or "
            "accept that visits could reach the network with accept_no_network_namespace = true in gateway.toml.",
        )


def _require_private_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / f".probe-{secrets.token_hex(4)}"
        probe.touch(mode=0o600)
        probe.unlink()
    except OSError as error:
        raise ServeError(
            "serve.state",
            f"The folder {folder} can't be written ({error.strerror}): make it writable, or set another state_dir.",
        ) from error


@contextlib.contextmanager
def _signals_become_flag() -> Iterator[Callable[[], bool]]:
    """SIGINT and SIGTERM are noted, not raised, so that stopping is never cut short."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            raise ServeError(
                "serve.port",
                f"{settings.host}:{settings.port} can't be listened on ({error.strerror}): stop what uses it, or set "
                "another host or port.",
            ) from error
        listener.listen(BACKLOG)
        yield listener


@contextlib.contextmanager
def _make_run_dir(settings: Settings) -> Iterator[Path]:
    """A private folder for the sockets, in memory where there is one; gone at the end, unless the site named it."""
    try:
        if settings.run_dir is not None:
            folder = settings.run_dir.expanduser().absolute()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if stat.S_IMODE(folder.stat().st_mode) & 0o077:
                raise ServeError("serve.run", f"Others may enter the folder {folder}: set its mode to 0700.")
        else:
            folder = _memory_folder() / f"countersign-{os.getuid()}-{secrets.token_hex(6)}"
            folder.mkdir(mode=0o700)
    except OSError as error:
        raise ServeError(
            "serve.run", f"The run folder can't be made ({error.strerror}): set run_dir to a folder of your own."
        ) from error
    if len(os.fsencode(folder)) + LONGEST_SOCKET_NAME > SOCKET_PATH_BYTES:
        raise ServeError("serve.run", f"The path {folder} is too long for a Unix socket: set run_dir to a shorter one.")
    try:
        yield folder
    finally:
        if settings.run_dir is None:
            shutil.rmtree(folder, ignore_errors=True)


def _memory_folder() -> Path:
    for candidate in (os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm"):  # noqa: S108 - the folder made there is private
        if candidate and os.access(candidate, os.W_OK | os.X_OK):
            return Path(candidate)
    return Path("/tmp")  # noqa: S108 - as above; sockets leave nothing on a disk


@contextlib.contextmanager
def _pass_words_on() -> Iterator[int]:
    """A pipe for what the children say, passed on to standard error: a visit's process may write to no file, so its
    log lines reach one only through here."""
    reading, writing = os.pipe2(os.O_CLOEXEC)

    def pass_on() -> None:
        with open(reading, "rb", buffering=0) as said:
            while words := said.read(65536):
                with contextlib.suppress(OSError):  # nobody reads our own
                    os.write(2, words)

    passing = threading.Thread(target=pass_on, name="words", daemon=True)
    passing.start()
    try:
        yield writing
    finally:
        os.close(writing)
        passing.join(WORDS_SECONDS)


def _keep_alive(child: _Child, words: int) -> None:
    """Start a child that is not running, after a pause that grows; one that keeps dying ends everything.

    Raises:
        ServeError: it died too often.
    """
    now = time.monotonic()
    if child.process is not None:
        status = child.process.poll()
        if status is None:
            return
        child.process = None
        if child.marker is not None:
            child.marker.unlink(missing_ok=True)
        while child.starts and now - child.starts[0] > RESTART_WINDOW_SECONDS:
            child.starts.popleft()
        log.error("supervisor.died child=%s status=%d starts=%d", child.name, status, len(child.starts))
        if status == EXIT_WRONG or len(child.starts) >= MAX_RESTARTS:
            raise ServeError("serve.child", f"The {child.name} could not be kept running: its reason stands above.")
        child.start_at = now + min(FIRST_PAUSE_SECONDS * 2 ** (len(child.starts) - 1), LONGEST_PAUSE_SECONDS)
    if now < child.start_at:
        return
    child.starts.append(now)
    child.process = subprocess.Popen(
        child.command,
        env=child.environment,
        pass_fds=child.descriptors,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=words,
        stderr=words,
    )
    log.info("supervisor.started child=%s pid=%d", child.name, child.process.pid)


def _stop(processes: "list[subprocess.Popen[bytes]]") -> None:
    """The front first: it ends its visits in order; then the fork server, which kills what is left."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            log.error("supervisor.killed pid=%d", process.pid)
            process.kill()
            process.wait()
