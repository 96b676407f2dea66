"""`countersign serve` with its real children: what dies is started again, and nothing is left when it stops."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import psutil
import pytest

from gateway.settings import ROOT

pytestmark = pytest.mark.processes


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def start(port, tmp_path):
    started = []

    def start(**given):
        (tmp_path / "run").mkdir(mode=0o700, exist_ok=True)
        environment = {
            **os.environ,
            "COUNTERSIGN_STATE_DIR": str(tmp_path / "state"),
            "COUNTERSIGN_RUN_DIR": str(tmp_path / "run"),
            "COUNTERSIGN_PUBLIC_URL": f"http://localhost:{port}",
            "COUNTERSIGN_DRAFTER": "outline",
            **given,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve", "--port", str(port)],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def is_ready(port):
    with contextlib.suppress(OSError):
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).status == 200
    return False


def until(holds, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def child_of(process, part):
    for child in psutil.Process(process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if part in child.cmdline():
                return child
    return None


def test_what_dies_is_started_again_and_nothing_is_left_at_the_end(start, port, tmp_path):
    process = start()
    until(lambda: is_ready(port))
    for part in ("gateway.app", "gateway.front.forkserver"):
        before = child_of(process, part)
        before.kill()
        until(lambda part=part, before=before: (now := child_of(process, part)) is not None and now.pid != before.pid)
        until(lambda: is_ready(port))
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    assert list((tmp_path / "run").iterdir()) == []
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


def test_a_killed_supervisor_takes_its_children_with_it(start, port):
    process = start()
    until(lambda: is_ready(port))
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children), 20)


def test_a_used_port_is_one_sentence(start, port):
    with socket.socket() as used:
        used.bind(("127.0.0.1", port))
        used.listen()
        assert_one_sentence(start(), str(port))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"COUNTERSIGN_STATE_DIR": "/proc/nowhere"}, "/proc/nowhere"),
        ({"COUNTERSIGN_CONFIG_DIR": "/nowhere"}, "/nowhere"),
        ({"COUNTERSIGN_PAGE_DIR": "/nowhere"}, "page_dir"),
        ({"COUNTERSIGN_VISIT_HOURS": "never"}, "visit_hours"),
        ({"COUNTERSIGN_RUN_DIR": "/dev/shm/" + "x" * 100}, "too long"),
        ({"COUNTERSIGN_DATABASE_URL": "nonsense"}, "database_url"),
    ],
)
def test_what_is_wrong_is_one_sentence(start, given, named):
    assert_one_sentence(start(**given), named)
    with contextlib.suppress(OSError):
        os.rmdir("/dev/shm/" + "x" * 100)


def assert_one_sentence(process, named):
    _, said = process.communicate(timeout=60)
    sentences = [line for line in said.splitlines() if line.startswith("countersign: ")]
    assert process.returncode == 1
    assert any(named in sentence for sentence in sentences), said
    assert "Traceback" not in said
