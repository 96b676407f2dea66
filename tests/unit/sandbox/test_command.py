"""``python -m gateway.sandbox`` as a person starts and stops it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "gateway.sandbox"]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*COMMAND, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def wait_for_origin(process: subprocess.Popen[str]) -> str:
    """The address that it prints, once it answers there."""
    assert process.stdout is not None
    origin = process.stdout.readline().split()[2]
    for _ in range(200):
        try:
            httpx.get(f"{origin}/fhir/metadata", timeout=5)
        except httpx.ConnectError:
            continue
        break
    return origin


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_starts_serves_and_stops_cleanly(how: signal.Signals) -> None:
    process = start("--port", "0")
    try:
        origin = wait_for_origin(process)
        assert origin.startswith("http://127.0.0.1:")
        assert "Ada Marlowe" in httpx.get(origin).text
        process.send_signal(how)
        _, errors = process.communicate(timeout=15)
        assert (process.returncode, errors) == (0, "")
    finally:
        end(process)
    with socket.socket() as again:
        assert again.connect_ex(("127.0.0.1", int(origin.rsplit(":", 1)[1]))) != 0


def test_a_used_port_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*COMMAND, "--port", port], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    assert done.stderr == f"Port {port} is in use. Stop what uses it, or choose another with --port.\n"


def test_a_record_that_does_not_answer_is_one_sentence() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/fhir"
        arguments = ["--port", "0", "--fhir", url]
        done = subprocess.run([*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        f"The FHIR server at {url} did not take the invented patients (status 502). "
        "Check its address, and that it lets anybody write, then start again.\n"
    )


def test_help_teaches() -> None:
    done = subprocess.run([*COMMAND, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    for word in ("--port", "--gateway", "--fhir", "--faults", "127.0.0.1", "examples:"):
        assert word in done.stdout


@pytest.mark.hapi
def test_another_server_can_be_the_record() -> None:
    process = start("--port", "0", "--fhir", os.environ["COUNTERSIGN_HAPI"])
    try:
        origin = wait_for_origin(process)
        assert "Ada Marlowe" in httpx.get(origin, timeout=30).text
        assert "Generalized anxiety disorder" in httpx.get(f"{origin}/patient/sandbox-ada-marlowe", timeout=30).text
        assert httpx.get(f"{origin}/fhir/Patient/sandbox-ada-marlowe").status_code == 401
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0
    finally:
        end(process)
