"""``python -m gateway.sandbox``: an EHR on this machine to try Countersign against."""

import argparse
import asyncio
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from gateway.sandbox.app import create_sandbox
from gateway.sandbox.fhir.client import FhirRefused
from gateway.sandbox.fhir.connection import BreakableServer
from gateway.sandbox.settings import SandboxSettings

HOST = "127.0.0.1"

_AFTER = """\
It answers on 127.0.0.1 only and holds invented patients in memory; stop it with Ctrl-C and they are gone.
  /       the clinician's chart: schedule, notes, consents, Open Countersign, Sign
  /fhir   FHIR R4, behind SMART App Launch 2.2 (/fhir/.well-known/smart-configuration)

examples:
  python -m gateway.sandbox
  python -m gateway.sandbox --port 9001 --gateway http://localhost:8001
  python -m gateway.sandbox --fhir http://127.0.0.1:8080/fhir     a HAPI server as the record

Open Countersign as localhost and this as 127.0.0.1: then the frame is as cross-site as in a real EHR.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the sandbox until SIGINT or SIGTERM; 1 if it can't start."""
    given = _read_arguments(arguments)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, given.port))
        except OSError:
            words = f"Port {given.port} is in use. Stop what uses it, or choose another with --port."
            print(words, file=sys.stderr)
            return 1
        port = listener.getsockname()[1]
        settings = SandboxSettings(
            origin=f"http://{HOST}:{port}",
            gateway_url=given.gateway.rstrip("/"),
            fhir_url=(given.fhir or "").rstrip("/"),
            faults=given.faults,
            prefix="sandbox-" if given.fhir else "",
            plant_at_start=False,
        )
        return asyncio.run(_serve(settings, listener))


async def _serve(settings: SandboxSettings, listener: socket.socket) -> int:
    """Plants the seed, serves until a signal, and lets open requests end."""
    application = create_sandbox(settings)
    try:
        await application.state.sandbox.plant()
    except FhirRefused as refused:
        where = f"The FHIR server at {settings.fhir_url}" if settings.fhir_url else "The sandbox's own record"
        advice = "Check its address, and that it lets anybody write, then start again."
        print(f"{where} did not take the invented patients (status {refused.status}). {advice}", file=sys.stderr)
        return 1
    config = uvicorn.Config(
        BreakableServer(application), log_level="warning", access_log=False, timeout_graceful_shutdown=3
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.handle_exit, number, None)
    print(f"Sandbox EHR: {settings.origin}  (FHIR at {settings.origin}/fhir)", flush=True)
    await server.serve(sockets=[listener])
    return 0


class _Server(uvicorn.Server):
    """A server whose signals are handled here: being told to stop is no failure, so the exit status is 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m gateway.sandbox",
        description="A sandbox EHR: SMART authorization, FHIR R4 and a chart, with invented patients.",
        epilog=_AFTER,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=_read_port, default=9000, help="the port to listen on (9000; 0: any free one)")
    parser.add_argument(
        "--gateway",
        type=_read_url,
        default="http://localhost:8000",
        metavar="URL",
        help="where Countersign is opened (http://localhost:8000)",
    )
    parser.add_argument(
        "--fhir",
        type=_read_url,
        metavar="URL",
        help="another FHIR R4 server as the record; the invented patients are put there under ids sandbox-…",
    )
    parser.add_argument(
        "--faults", action="store_true", help="for tests: let the EHR misbehave on request (/_faults, /_policy)"
    )
    return parser.parse_args(arguments)


def _read_port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError("a port is a number up to 65535")
    return int(text)


def _read_url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError("an address begins with http:// or https://")
    return text


if __name__ == "__main__":
    sys.exit(main())
