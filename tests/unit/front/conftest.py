import asyncio
import contextlib
import itertools
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response

from gateway.ehr.context import LaunchContext, admit_launch
from gateway.ehr.site import EhrSite
from gateway.filing.signature import MAKER, AwaitingSignature, SignedNote
from gateway.front.environment import forks_socket, make_bare_environment
from gateway.front.notifying import ConsentNotices
from gateway.front.visits import Rooms, Visits
from gateway.front.watching import SignatureDesk
from gateway.ledger.log import Ledger
from gateway.settings import ROOT, Settings, read_settings
from gateway.store.database import Database, open_database

HERE = Path(__file__).parent


class FixedAccess:
    """Tokens that a test hands out: ``token-1``, after a renewal ``token-2`` and so on."""

    def __init__(self, name: str = "token") -> None:
        self.name, self.number, self.forgotten = name, 1, False

    async def take_token(self) -> str:
        return f"{self.name}-{self.number}"

    async def renew_token(self, refused: str) -> str:
        self.number += 1
        return f"{self.name}-{self.number}"

    def forget(self) -> None:
        self.forgotten = True


class RecordingEhr:
    """A real HTTP server that keeps what it was sent and answers as a test says."""

    def __init__(self) -> None:
        self.base = ""
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.refuse_tokens: set[str] = set()
        self.stall_seconds = 0.0
        self.app = FastAPI()

        @self.app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "DELETE"])
        async def answer(path: str, request: Request) -> Response:
            query = f"?{request.url.query}" if request.url.query else ""
            self.requests.append((request.method, f"/{path}{query}", dict(request.headers), await request.body()))
            await asyncio.sleep(self.stall_seconds)
            if request.headers.get("authorization", "").removeprefix("Bearer ") in self.refuse_tokens:
                return Response(status_code=401)
            if path.endswith("/moved"):
                return Response(status_code=302, headers={"location": "http://127.0.0.1:1/elsewhere"})
            if request.method == "POST":
                kind = path.rpartition("/")[2]
                return Response(status_code=201, headers={"location": f"{kind}/7", "set-cookie": "a=b"})
            return Response(b'{"resourceType": "Patient"}', media_type="application/fhir+json")


@pytest.fixture
async def ehr() -> AsyncIterator[RecordingEhr]:
    ehr = RecordingEhr()
    server = uvicorn.Server(uvicorn.Config(ehr.app, port=0, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    ehr.base = f"http://127.0.0.1:{port}/fhir"
    yield ehr
    server.should_exit = True
    await serving


@pytest.fixture
def clock():
    return lambda: datetime.now(UTC)


@pytest.fixture
def access() -> FixedAccess:
    return FixedAccess()


@pytest.fixture
def site(ehr) -> EhrSite:
    return EhrSite.model_validate(
        {
            "id": "test",
            "name": "Test EHR",
            "issuer": ehr.base,
            "client": {"id": "countersign"},
            "timeout_seconds": 1,
            "frame_ancestors": ["https://ehr.example.org"],
        }
    )


@pytest.fixture(scope="session")
def run_dir() -> Iterator[Path]:
    with make_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def fork_server(run_dir: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """One for all tests: what a test starts it also ends."""
    with run_fork_server(run_dir) as process:
        yield process


@pytest.fixture
def own_run_dir() -> Iterator[Path]:
    with make_folder() as folder:
        yield folder


@pytest.fixture
def own_fork_server(own_run_dir: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """For a test that ends it."""
    with run_fork_server(own_run_dir) as process:
        yield process


@contextlib.contextmanager
def make_folder() -> Iterator[Path]:
    """A private folder with a path short enough for sockets."""
    folder = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp") / f"cs-test-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def run_fork_server(
    run_dir: Path, log: int | None = None, composition: str = "tiny_visit", settings: Settings | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    settings = settings or read_settings(ROOT / "config", state_dir=run_dir / "state")
    environment = {**make_bare_environment(settings, run_dir), "PYTHONPATH": f"{HERE}:{ROOT}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway.front.forkserver", composition],
        env=environment,
        start_new_session=True,
        stdout=log,
        stderr=log,
    )
    deadline = time.monotonic() + 30
    while not forks_socket(run_dir).exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.poll() is None
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(5)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "state" / "ledger.jsonl", b"k" * 32)
    yield ledger
    ledger.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database("", tmp_path / "state", b"s" * 32)
    yield database
    database.close()


@pytest.fixture
def watch() -> "FixedWatch":
    return FixedWatch()


class FixedWatch:
    """Looks and sees what the test says."""

    def __init__(self) -> None:
        self.looks, self.signed, self.keeps_session, self.allowed = 0, False, False, True

    def wants_session(self, note, access) -> bool:
        return self.keeps_session

    def may_look(self, note, access) -> bool:
        return self.allowed

    async def look(self, note, access):
        self.looks += 1
        now = datetime.now(UTC)
        return SignedNote(MAKER, note.document, "final", now) if self.signed else AwaitingSignature(now)


@pytest.fixture
async def notices(ledger) -> AsyncIterator[ConsentNotices]:
    """Of the backend client of the site ``test``; its tokens for notifications are ``notice-1``, ``notice-2`` …"""
    numbers = itertools.count(1)
    accesses = {"test": FixedAccess("backend")}
    notices = ConsentNotices(
        accesses, ssl.create_default_context(), ledger, "https://notes.test", lambda _: f"notice-{next(numbers)}"
    )
    yield notices
    await notices.stop()


@pytest.fixture
async def visits(fork_server, run_dir, ledger, database, clock, watch, notices) -> AsyncIterator[Visits]:
    async with httpx.AsyncClient(trust_env=False) as http:
        rooms = Rooms(
            run_dir=run_dir,
            http=http,
            ledger=ledger,
            database=database,
            clock=clock,
            visit_hours=1,
            ended_minutes=5,
            watch_days=14,
            row_days=30,
        )
        desk = SignatureDesk(database, ledger, watch, watch_seconds=0.05, clock=clock)
        visits = Visits(rooms, desk, notices)
        yield visits
        await visits.stop()
        await desk.stop()


@pytest.fixture
async def practice(tmp_path: Path) -> AsyncIterator[Any]:
    """A ``Practice``: a real sandbox server, and a gateway's folders that name it."""
    pytest.importorskip("jinja2", reason="the sandbox is an extra: pip install countersign[sandbox]")
    from tests.unit.front.practice import open_practice

    async with open_practice(tmp_path) as practice:
        yield practice


@pytest.fixture
def context() -> LaunchContext:
    return admit_launch(
        {
            "site_id": "test",
            "patient_id": "p1",
            "encounter_id": "e1",
            "practitioner": "Practitioner/42",
            "subject": "s42",
            "scopes": ["patient/Patient.r"],
            "need_patient_banner": True,
            "intent": "",
        }
    )


class Machine:
    """The memory that the fork server of ``run_dir`` finds; everything else of it is real."""

    def __init__(self, run_dir: Path) -> None:
        self._folder = run_dir / "machine"

    def has(self, available_bytes: int) -> None:
        self._folder.mkdir(exist_ok=True)
        (self._folder / "meminfo").write_text(f"MemAvailable: {available_bytes // 1024} kB\n")

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture
def machine(run_dir: Path) -> Iterator[Machine]:
    machine = Machine(run_dir)
    yield machine
    machine.remove()
