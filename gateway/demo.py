"""``countersign demo``: the sandbox EHR and the gateway on this machine, in front of nobody but who tries them.

In: nothing but DRAFTER in the environment. Out: two addresses and what to try. The state folder is thrown away at the
start and at the end; Ctrl-C ends both. The sandbox is another program: it is started, never imported.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from gateway.errors import ConfigurationError, ModelError
from gateway.front.supervisor import ServeError, serve
from gateway.models.catalogue import Kind, read_catalogue
from gateway.models.commands import pull_entries
from gateway.models.installed import find_installed, is_present
from gateway.settings import ROOT, Settings, read_settings

EHR_PORT, GATEWAY_PORT = 9000, 8000
SANDBOX_NEEDS = ("jinja2", "python_multipart")  # the extra `sandbox` of pyproject.toml
DRAFTERS = ("auto", "model", "outline")
START_SECONDS, STOP_SECONDS = 20.0, 5.0
STATE = ROOT / "build" / "demo-state"
SAMPLE = ROOT / "gateway" / "sandbox" / "samples" / "dictation.flac"


def run_demo(announce: Callable[[str], None]) -> None:
    """Run until SIGINT or SIGTERM.

    Raises:
        ServeError: a port is taken, or the sandbox did not start.
        ConfigurationError: a file of ``config/`` or a variable is wrong.
    """
    settings = _read_demo_settings()
    _require_sandbox()
    _require_ports()  # before anything is pulled, and before another demo's state could be thrown away
    _pull_missing(settings, announce)
    with _throw_away(STATE), _run_sandbox() as sandbox:
        told = False

        def look_after() -> None:
            nonlocal told
            if sandbox.poll() is not None:
                raise ServeError("demo.sandbox", "The sandbox EHR has ended: its reason stands above.")
            if not told and _answers(GATEWAY_PORT, "/health"):
                told = True
                announce(describe_demo(settings))

        serve(settings, announce=announce, while_running=look_after)
    announce("Stopped; everything of the demo is thrown away.")


def describe_demo(settings: Settings) -> str:
    """Where to open it and what to try."""
    sample = f"\n     Drop in the spoken sample {SAMPLE.relative_to(ROOT)}." if SAMPLE.exists() else ""
    return (
        f"\nThe sandbox EHR:  http://127.0.0.1:{EHR_PORT}\n"
        f"Countersign:      http://localhost:{GATEWAY_PORT}  (opened from the EHR)\n\n"
        f"{_describe_models(settings)}\n\n"
        "Try:\n"
        "  1. Open the EHR, choose a patient of today's schedule, press Open Countersign.\n"
        f"  2. Choose Dictate or Type, make a draft, decide each section, file it.{sample}\n"
        "  3. Back in the EHR the note stands as an unsigned draft: press Sign.\n"
        "  4. Try a patient who refused, or has nothing on file.\n\n"
        "Ctrl-C stops both and throws everything away."
    )


def _describe_models(settings: Settings) -> str:
    text = None if settings.drafter == "outline" else find_installed(settings, Kind.TEXT)
    speech = find_installed(settings, Kind.SPEECH)
    outline = "no text model is used" if settings.drafter == "outline" else "no text model is installed"
    lines = [
        f"Drafts are written by {text.name}." if text else f"Drafts only arrange what was said or typed: {outline}.",
        f"Dictation is heard by {speech.name}." if speech else "Dictation is off: no speech model is installed.",
    ]
    if not speech or (not text and settings.drafter != "outline"):
        lines.append("`countersign models pull` gets the models.")
    return "\n".join(lines)


def _read_demo_settings() -> Settings:
    drafter = os.environ.get("DRAFTER", "")
    if drafter not in ("", *DRAFTERS):
        raise ConfigurationError("environment", "DRAFTER", f"must be one of {', '.join(DRAFTERS)}")
    settings = read_settings(
        state_dir=STATE,
        host="127.0.0.1",
        port=GATEWAY_PORT,
        public_url=f"http://localhost:{GATEWAY_PORT}",
        database_url="",
        drafter=drafter or read_settings().drafter,
    )
    try:
        _describe_models(settings)
    except ModelError as error:
        raise ServeError(
            "demo.models", f"{error.public} Or try it without: DRAFTER=outline countersign demo."
        ) from error
    return settings


def _require_sandbox() -> None:
    """Raises:
    ServeError: the extra that the sandbox needs is not installed.
    """
    if not all(importlib.util.find_spec(name) for name in SANDBOX_NEEDS):
        raise ServeError("demo.sandbox", "The sandbox EHR is not installed: pip install 'countersign[sandbox]'.")


def _require_ports() -> None:
    """Raises:
    ServeError: one of the two is taken.
    """
    for port in (EHR_PORT, GATEWAY_PORT):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise ServeError(
                    "demo.port",
                    f"Port {port} can't be listened on ({error.strerror}), and the demo needs it: stop what uses it, "
                    "another demo perhaps, and run this again.",
                ) from error


def _pull_missing(settings: Settings, announce: Callable[[str], None]) -> None:
    """Pull the small models on the first run; where they can't be had, say so and go on without."""
    if settings.drafter == "outline":
        return
    catalogue = read_catalogue(settings.config_dir)
    missing = [entry for entry in catalogue.preferred if not is_present(entry, settings.models)]
    if not missing:
        return
    size_bytes = sum(entry.size_bytes for entry in missing)
    announce(f"The first run pulls the small models, {size_bytes / 1e9:.1f} GB (DRAFTER=outline does without).")
    try:
        pull_entries(missing, settings)
    except ModelError as error:
        announce(f"{error.public} The demo goes on without.")


@contextlib.contextmanager
def _throw_away(folder: Path) -> Iterator[None]:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _run_sandbox() -> Iterator["subprocess.Popen[bytes]"]:
    """The sandbox EHR, once it answers; ended however this ends.

    Raises:
        ServeError: it did not start.
    """
    command = [sys.executable, "-m", "gateway.sandbox", "--port", str(EHR_PORT)]
    command += ["--gateway", f"http://localhost:{GATEWAY_PORT}"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(EHR_PORT, "/"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServeError("demo.sandbox", "The sandbox EHR could not be started: its reason stands above.")
            time.sleep(0.1)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(port: int, path: str) -> bool:
    """Whether a server on this machine says yes to a plain GET."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        return connection.recv(64).split(b" ")[1:2] in ([b"200"], [b"302"], [b"303"], [b"307"])
    return False
