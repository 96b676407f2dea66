"""Real processes: forked by a real fork server, looked at from inside and outside."""

import asyncio
import contextlib
import os
import signal
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest

from gateway.errors import VisitError
from gateway.front import forking
from gateway.front.environment import forks_socket
from gateway.front.forking import start_process
from gateway.models.memory import SPARE_BYTES, VISIT_BYTES
from gateway.models.slots import slots_folder
from gateway.visit.purge import Settled, purge_visit

pytestmark = pytest.mark.processes


def now():
    return datetime.now(UTC)


async def ask(process, method, path, **given):
    transport = httpx.AsyncHTTPTransport(uds=str(process.browser_socket))
    async with httpx.AsyncClient(transport=transport, base_url="http://visit", timeout=10) as http:
        return await http.request(method, path, **given)


async def purge(process, **given):
    return await purge_visit(process.give_up(now()), "cancelled", settle(), clock=now, **given)


async def settle():
    return Settled()


def read_open_files(pid: int) -> list[str]:
    """Where its descriptors lead; one that is closed at that very moment is left out."""
    found = []
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(file))
    return found


async def test_a_visit_has_no_network_no_core_and_no_new_rights(fork_server, run_dir):
    process = await start_process(run_dir, "v1", "test")
    nature = (await ask(process, "GET", "/api/nature")).json()
    assert nature["no_new_privs"] == 1
    assert nature["dumpable"] == 0
    assert nature["rlimit_core"] == nature["rlimit_fsize"] == [0, 0]
    assert "perturb" in nature["environment"]["GLIBC_TUNABLES"]
    assert nature["environment"]["PYTHONMALLOC"] == "malloc"
    for kind in ("net", "user"):
        assert os.readlink(f"/proc/{process.pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapBnd"], 16) == 0
    # 0 1 2, the log, the listening socket, the lifeline, the loop's epoll and its pair, a connection; the slots' files
    open_files = read_open_files(process.pid)
    slots = [file for file in open_files if file.startswith(f"{slots_folder(run_dir)}/")]
    assert len(open_files) - len(slots) <= 11
    assert {os.path.getsize(file) for file in slots} == {0}
    await purge(process)


async def test_visits_share_what_was_loaded_before_the_fork(fork_server, run_dir):
    process = await start_process(run_dir, "v1", "test")
    assert (await ask(process, "GET", "/api/view")).json()["shared"] is True
    await purge(process)


async def test_closing_the_lifeline_ends_the_visit_and_the_receipt_says_so(fork_server, run_dir):
    process = await start_process(run_dir, "v1", "test")
    await ask(process, "GET", "/api/view")
    receipt = await purge(process)
    assert receipt.outcome == "cancelled"
    assert "has ended" in receipt.proof[0]
    assert not process.browser_socket.exists()
    await wait_until(lambda: not psutil.pid_exists(process.pid))


async def test_a_visit_that_hangs_is_killed(fork_server, run_dir):
    process = await start_process(run_dir, "v1", "test")
    await ask(process, "GET", "/api/view")
    os.kill(process.pid, signal.SIGSTOP)
    await wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
    receipt = await purge(process, patience_seconds=0.2)
    assert "killed" in receipt.proof[0]


async def test_a_busy_loop_does_not_outlive_its_lifeline(fork_server, run_dir):
    process = await start_process(run_dir, "v1", "test")
    hanging = asyncio.create_task(ask(process, "POST", "/api/hang"))
    await asyncio.sleep(0.3)
    receipt = await purge(process)
    assert "has ended" in receipt.proof[0]
    with pytest.raises(httpx.HTTPError):
        await hanging


async def test_a_killed_visit_is_noticed(fork_server, run_dir):
    process = await start_process(run_dir, "v1", "test")
    os.kill(process.pid, signal.SIGKILL)
    await asyncio.wait_for(process.ended.wait(), 2)
    await wait_until(lambda: process.read_exit_status() == -signal.SIGKILL)
    await purge(process)


async def test_twenty_visits_leave_no_process_and_no_socket(fork_server, run_dir):
    parent = psutil.Process(fork_server.pid)
    ready_ms = []
    for number in range(20):
        began = time.perf_counter()
        process = await start_process(run_dir, f"v{number}", "test")
        await ask(process, "GET", "/api/view")
        ready_ms.append((time.perf_counter() - began) * 1000)
        await purge(process)
    await wait_until(lambda: not parent.children())
    assert {path.name for path in run_dir.iterdir()} == {"forks.sock", "slots"}
    assert parent.num_threads() == 1
    print(f"ready after {statistics.median(ready_ms):.0f} ms (median of 20)")


async def test_the_fork_server_takes_its_visits_with_it(own_fork_server, own_run_dir):
    process = await start_process(own_run_dir, "v1", "test")
    await ask(process, "GET", "/api/view")
    own_fork_server.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.ended.wait(), 3)
    assert own_fork_server.wait(3) == 0
    assert not forks_socket(own_run_dir).exists()
    assert not slots_folder(own_run_dir).exists()
    await purge(process)


async def test_without_a_fork_server_it_says_so_and_leaves_nothing(own_run_dir, monkeypatch):
    monkeypatch.setattr(forking, "START_SECONDS", 0.2)
    with pytest.raises(VisitError) as caught:
        await start_process(own_run_dir, "v1", "test")
    assert caught.value.code == "visit.start"
    assert list(own_run_dir.iterdir()) == []


ONE_VISIT = VISIT_BYTES + 100_000_000  # what a tiny_visit needs


async def test_a_visit_that_does_not_fit_is_refused_with_the_fork_servers_sentence(fork_server, run_dir, machine):
    machine.has(SPARE_BYTES + ONE_VISIT - 1_000_000)
    with pytest.raises(VisitError, match="too little memory for one more visit") as caught:
        await start_process(run_dir, "v1", "test")
    assert (caught.value.code, caught.value.status) == ("model.memory", 503)
    assert psutil.Process(fork_server.pid).children() == []
    assert {path.name for path in run_dir.iterdir()} == {"forks.sock", "slots", "machine"}
    machine.has(SPARE_BYTES + ONE_VISIT + 1_000_000)
    await purge(await start_process(run_dir, "v1", "test"))


async def test_a_visit_keeps_its_claim_until_it_has_taken_its_share_or_ended(fork_server, run_dir, machine):
    """The machine says the same all along: only what the visit before may still take makes the difference."""
    machine.has(SPARE_BYTES + ONE_VISIT + VISIT_BYTES + 10_000_000)
    first = await start_process(run_dir, "v1", "test")
    with pytest.raises(VisitError, match="too little memory for one more visit"):
        await start_process(run_dir, "v2", "test")
    await ask(first, "POST", "/api/take")
    second = await start_process(run_dir, "v2", "test")
    with pytest.raises(VisitError, match="too little memory for one more visit"):
        await start_process(run_dir, "v3", "test")
    await purge(second)
    await purge(first)
    await purge(await start_process(run_dir, "v4", "test"))


@pytest.mark.parametrize("line", [b"", b"{}", b'{"visit": "../x", "site": "a"}\n', b"\xff\n", b"[1]\n"])
async def test_the_fork_server_refuses_what_is_no_request_and_goes_on(fork_server, run_dir, line):
    import socket

    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(forks_socket(run_dir)))
        connection.sendall(line or b"\n")
        assert b"error" in await asyncio.to_thread(connection.recv, 4096)
    process = await start_process(run_dir, "v1", "test")
    await purge(process)


async def wait_until(holds, seconds=3.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
