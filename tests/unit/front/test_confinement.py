"""What code that took a visit's process over could do: each thing is tried inside a real one, and fails."""

import json
import os
import socket
import subprocess

import pytest

from gateway.front import environment as environments
from gateway.front.environment import forks_socket, make_bare_environment, make_environment
from gateway.front.forking import start_process
from gateway.settings import ROOT, read_settings
from gateway.visit.confinement import can_limit_calls, landlock_version
from tests.unit.front.conftest import run_fork_server
from tests.unit.front.test_forking import ask, purge

pytestmark = pytest.mark.processes
needs_landlock = pytest.mark.skipif(landlock_version() == 0, reason="this kernel has no Landlock")
needs_filter = pytest.mark.skipif(not can_limit_calls(), reason="no call filter is written for this processor")
DENIED, FORBIDDEN = "Permission denied", "Operation not permitted"


@pytest.fixture
async def process(fork_server, run_dir):
    process = await start_process(run_dir, "v1", "test")
    yield process
    await purge(process)


async def attempt(process, what, given):
    return (await ask(process, "POST", f"/api/try/{what}", content=str(given))).json()["outcome"]


@needs_landlock
@pytest.mark.parametrize("name", ["site.key", "audit.key", "keys/es384.jwk.json", "ledger.jsonl", "countersign.db"])
async def test_it_reads_no_key_and_no_ledger(process, tmp_path, name):
    (tmp_path / "keys").mkdir()
    (tmp_path / name).write_text("secret")
    assert await attempt(process, "read", tmp_path / name) == DENIED


@needs_landlock
async def test_it_reads_no_configuration_no_folder_and_no_other_process(process, run_dir, fork_server):
    for path in (ROOT / "config" / "gateway.toml", ROOT / "pyproject.toml", "/etc/passwd", "/etc/hostname"):
        assert await attempt(process, "read", path) == DENIED, path
    for path in (run_dir, ROOT, "/", "/proc", "/tmp"):
        assert await attempt(process, "list", path) == DENIED, path
    for pid in (fork_server.pid, os.getpid()):
        for name in ("environ", "mem", "maps"):
            assert await attempt(process, "read", f"/proc/{pid}/{name}") == DENIED, (pid, name)


async def test_it_reads_the_programs_own_code(process):
    assert await attempt(process, "read", ROOT / "gateway" / "errors.py") == "done"
    assert await attempt(process, "read", json.__file__) == "done"


async def test_it_writes_nothing_anywhere(process, tmp_path, run_dir):
    there = tmp_path / "there"
    there.write_text("kept")
    for path in (tmp_path / "new", there, run_dir / "new", "/tmp/new", "/dev/shm/new", ROOT / "gateway" / "new"):
        assert await attempt(process, "write", path) in (DENIED, "File too large", FORBIDDEN), path
    assert await attempt(process, "memory-file", "x") == "File too large"
    if landlock_version():
        for what in ("append", "cut", "remove", "write"):
            assert await attempt(process, what, there) == DENIED
        assert there.read_text() == "kept"
        assert not any(path.exists() for path in (tmp_path / "new", run_dir / "new"))
    assert not (ROOT / "gateway" / "new").exists()


@needs_filter
async def test_it_starts_no_process_that_could_outlive_it(process):
    for what, given in (("run", "/bin/true"), ("fork", "")):
        assert await attempt(process, what, given) == FORBIDDEN
    assert await attempt(process, "call", 435) == "Function not implemented"  # clone3: glibc then uses clone
    for number in (425, 438):  # io_uring_setup, pidfd_getfd
        assert await attempt(process, "call", number) == FORBIDDEN


async def test_it_reaches_no_network_twice_over(process):
    assert await attempt(process, "network", "127.0.0.1") in (FORBIDDEN, "Network is unreachable")


@pytest.mark.skipif(landlock_version() < 6, reason="Landlock before version 6 keeps no signals in")
async def test_it_signals_nobody(process, fork_server):
    for pid in (fork_server.pid, os.getpid(), os.getppid()):
        assert await attempt(process, "signal", pid) == FORBIDDEN


async def test_it_can_not_talk_to_another_visit_or_have_one_started(process, run_dir):
    other = await start_process(run_dir, "v2", "test")
    try:
        assert await attempt(process, "connect", other.browser_socket) == "hung up"
        assert await attempt(process, "fork-server", forks_socket(run_dir)) == "refused"
        assert (await ask(other, "GET", "/api/view")).status_code == 200
    finally:
        await purge(other)


async def test_it_can_not_use_another_visits_way_to_the_ehr(visits, site, context, access, ehr):
    mine, others = await visits.start(site), await visits.start(site)
    await visits.open(mine, context, access)
    await visits.open(others, context, access)
    heard = await attempt(mine.process, "connect", others.process.ehr_socket)
    assert heard == "hung up"
    reply = (await ask(others.process, "GET", "/api/fhir/Patient/p1")).json()
    assert reply["status"] == 200


async def test_a_visit_hears_the_front_alone(process):
    """Another process of this user, outside every visit: the path's mode would let it in."""
    code = (
        "import socket, sys\n"
        "with socket.socket(socket.AF_UNIX) as one:\n"
        "    one.connect(sys.argv[1])\n"
        "    try:\n"
        "        one.sendall(b'GET /api/view HTTP/1.1\\r\\nhost: v\\r\\n\\r\\n')\n"
        "        print(len(one.recv(100)))\n"
        "    except ConnectionError:\n"
        "        print(0)\n"
    )
    asked = subprocess.run(
        ["python3", "-c", code, str(process.browser_socket)], capture_output=True, text=True, timeout=10, check=True
    )
    assert asked.stdout.strip() == "0"


async def test_a_front_that_is_not_the_expected_visits_hears_nobody(visits, site):
    held = await visits.start(site)
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.setblocking(False)
        stranger.connect(str(held.process.ehr_socket))
        reply = await ask_socket(stranger)
    assert reply == b""


async def ask_socket(connection):
    import asyncio

    loop = asyncio.get_running_loop()
    try:
        await loop.sock_sendall(connection, b"POST /ledger HTTP/1.1\r\nhost: v\r\ncontent-length: 0\r\n\r\n")
        return await asyncio.wait_for(loop.sock_recv(connection, 100), 5)
    except ConnectionError:
        return b""


# What is in its memory ----------------------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("ACME_CLIENT_SECRET", "hush-client")
    monkeypatch.setenv("PGPASSWORD", "hush-password")
    monkeypatch.setenv("COUNTERSIGN_POSTGRES", "postgresql://u:hush-tests@h/d")
    return read_settings(ROOT / "config", state_dir=tmp_path, database_url="postgresql://u:hush-url@h/d")


def test_the_front_is_given_the_clients_secrets_and_the_fork_server_none(settings, tmp_path):
    assert make_environment(settings, tmp_path)["ACME_CLIENT_SECRET"] == "hush-client"
    assert "hush" in make_environment(settings, tmp_path)["COUNTERSIGN_DATABASE_URL"]
    bare = make_bare_environment(settings, tmp_path)
    assert [name for name, value in bare.items() if "hush" in value] == []
    assert bare["COUNTERSIGN_DATABASE_URL"] == ""  # so that no file's value counts either
    assert bare["COUNTERSIGN_STATE_DIR"] == str(tmp_path)


async def test_no_secret_is_in_a_visits_memory(settings, own_run_dir, monkeypatch):
    """Its whole memory is searched, from outside, as root may."""
    secrets = [b"hush-client", b"hush-password", b"hush-url", b"hush-tests"]
    with run_fork_server(own_run_dir):
        process = await start_process(own_run_dir, "v1", "test")
        nature = (await ask(process, "GET", "/api/nature")).json()
        assert nature["database_url"] == ""
        assert "ACME_CLIENT_SECRET" not in nature["environment"]
        found = search_memory(process.pid, [*secrets, b"shared weights"])
        await purge(process)
    if found is None:
        pytest.skip("this user may not read another process's memory")
    assert found == {b"shared weights"}  # the search does find what is there


def search_memory(pid, words):
    found = set()
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory, open(f"/proc/{pid}/maps") as maps:
            for line in maps:
                place, rights = line.split()[:2]
                if not rights.startswith("rw"):
                    continue
                start, end = (int(part, 16) for part in place.split("-"))
                memory.seek(start)
                try:
                    held = memory.read(end - start)
                except OSError:
                    continue
                found |= {word for word in words if word in held}
    except PermissionError:
        return None
    return found


async def test_nothing_that_a_library_says_leaves_a_visit(own_run_dir, tmp_path):
    reading, writing = os.pipe()
    with run_fork_server(own_run_dir, log=writing):
        os.close(writing)
        process = await start_process(own_run_dir, "v1", "test")
        reply = await ask(process, "POST", "/api/say", content="what the patient said")
        assert reply.status_code == 500
        assert "patient said" not in reply.text
        await purge(process)
    said = os.read(reading, 1 << 20).decode()
    os.close(reading)
    assert "patient said" not in said
    assert "process.fault error=RuntimeError" in said


def test_every_variable_that_is_passed_on_is_known_to_hold_no_secret():
    assert not any(
        part in name
        for name in environments.PASSED_ON
        for part in ("SECRET", "TOKEN", "PASS", "COUNTERSIGN", "CREDENTIAL")
    )
