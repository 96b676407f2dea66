"""A composition for tests: the smallest visit that shows what a real one may and may not do.

``/api/try/*`` is what code would do that had taken a visit's process over: each answers ``done`` or why it could not.
"""

import asyncio
import ctypes
import json
import os
import resource
import socket
import subprocess
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from scripted_desk import ScriptedDesk, add_sound_routes  # beside this file, which is on the fork server's path

from gateway.front.environment import RUN_DIR
from gateway.models.memory import Need, Running, read_available, require_room_for_visit
from gateway.settings import Settings
from gateway.visit.confinement import list_code
from gateway.visit.process import VisitRoom
from gateway.visit.session_socket import add_session_route

NEEDS = (Need(0, 100_000_000),)
"""Of the models that a visit would have: 100 MB in each process, taken by ``/api/take``."""


def prepare_visits(settings: Settings) -> object | None:
    return b"shared weights"


def list_readable(shared: object | None) -> tuple[Path, ...]:
    return list_code()


def require_room(shared: object | None, running: Iterable[Running]) -> None:
    """As a real visit's, on a machine that a test describes (``run_dir/machine/meminfo``); without it all fit."""
    machine = Path(os.environ[RUN_DIR]) / "machine"
    require_room_for_visit(read_available(machine, machine / "groups"), NEEDS, running)


def compose_visit(room: VisitRoom) -> FastAPI:
    app = FastAPI()
    state: dict[str, object] = {"opened": None}
    taken: list[bytes] = []
    desk = ScriptedDesk()
    add_session_route(app, lambda: desk)
    add_sound_routes(app, desk)

    def front() -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(room.ehr_socket), verify=False),
            base_url="http://front",
            timeout=10,
        )

    @app.post("/internal/open", status_code=202)
    async def open_visit(request: Request) -> None:
        state["opened"] = await request.json()

    @app.post("/internal/expire", status_code=202)
    async def expire() -> None:
        async with front() as http:
            await http.post("/ended", json={"outcome": "expired", "destroyed": ["a test"]})

    @app.post("/internal/consent-changed", status_code=202)
    async def hear_of_consent() -> None:
        state["heard"] = int(str(state.get("heard", 0))) + 1

    @app.get("/api/heard")
    async def heard() -> dict[str, object]:
        return {"heard": state.get("heard", 0)}

    @app.get("/api/view")
    async def view() -> dict[str, object]:
        opened = state["opened"]
        return {
            "phase": "choosing",
            "patient": opened["patient_id"] if isinstance(opened, dict) else None,
            "pid": os.getpid(),
            "shared": room.shared == b"shared weights",
        }

    @app.get("/api/nature")
    async def nature() -> dict[str, object]:
        libc = ctypes.CDLL(None)
        return {
            "no_new_privs": libc.prctl(39, 0, 0, 0, 0),
            "dumpable": libc.prctl(3, 0, 0, 0, 0),
            "rlimit_core": resource.getrlimit(resource.RLIMIT_CORE),
            "rlimit_fsize": resource.getrlimit(resource.RLIMIT_FSIZE),
            "environment": dict(os.environ),
            "database_url": room.settings.database_url,
        }

    @app.post("/api/try/{what}")
    async def attempt(what: str, request: Request) -> dict[str, str]:
        given = (await request.body()).decode()
        return {"outcome": await asyncio.to_thread(try_to, lambda: ATTEMPTS[what](given))}

    @app.post("/api/say")
    async def say(request: Request) -> dict[str, str]:
        """Say it in every way that a library could."""
        words = (await request.body()).decode()
        print(words)
        os.write(2, words.encode())
        warnings.warn(words, stacklevel=1)
        failing = threading.Thread(target=fail, args=(words,))
        failing.start()
        failing.join()
        raise ValueError(words)

    @app.post("/api/echo")
    async def echo(request: Request) -> Response:
        body = await request.body()
        given = {"x-cookie": request.headers.get("cookie", "none"), "set-cookie": "__Host-visit-x=forged"}
        return Response(body + given["x-cookie"].encode() if request.query_params else body, headers=given)

    @app.get("/api/evil")
    async def evil() -> Response:
        """An answer of a visit that was taken over."""
        headers = {
            "content-security-policy": "default-src *",
            "cache-control": "public, max-age=31536000",
            "access-control-allow-origin": "*",
            "location": "https://evil.example/",
            "refresh": "0; url=https://evil.example/",
            "clear-site-data": '"cookies"',
            "link": "<https://evil.example/>; rel=preload",
            "service-worker-allowed": "/",
        }
        return Response("<script>alert(1)</script>", media_type="text/html", headers=headers)

    @app.get("/api/segments/{number}/sound")
    async def sound(number: int) -> Response:
        """As long as a line of 25 s: more than the relay passes on at once."""
        return Response(bytes(range(256)) * 3_125, media_type="audio/wav", headers={"cache-control": "no-store"})

    @app.get("/api/events")
    async def events() -> StreamingResponse:
        async def count() -> AsyncIterator[bytes]:
            for number in range(1000):
                yield b"data: %d\n\n" % number
                await asyncio.sleep(0.05)

        return StreamingResponse(count(), media_type="text/event-stream")

    @app.get("/api/fhir/{path:path}")
    async def fhir(path: str, request: Request) -> dict[str, object]:
        async with front() as http:
            query = f"?{request.url.query}" if request.url.query else ""
            reply = await http.get(f"/fhir/{path}{query}", headers={"authorization": "Bearer forged", "cookie": "a=b"})
        return {"status": reply.status_code, "body": reply.text}

    @app.post("/api/write")
    async def write(request: Request) -> dict[str, object]:
        async with front() as http:
            given = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
            reply = await http.post("/fhir/DocumentReference", content=await request.body(), headers=given)
        return {"status": reply.status_code, "location": reply.headers.get("location", "")}

    @app.post("/api/log")
    async def log(request: Request) -> dict[str, object]:
        async with front() as http:
            reply = await http.post("/ledger", json=await request.json())
        return {"status": reply.status_code}

    @app.post("/api/end")
    async def end(request: Request) -> dict[str, object]:
        async with front() as http:
            await http.post("/ended", json=await request.json())
        room.leave()
        return {"phase": "ended"}

    @app.post("/api/crash")
    async def crash() -> None:
        os.abort()

    @app.post("/api/take")
    async def take() -> None:
        """As a model that is loaded: memory of its own, written to."""
        taken.append(b"\x01" * NEEDS[0].per_visit_bytes)

    @app.post("/api/hang")
    async def hang() -> None:
        time.sleep(60)

    return app


def fail(words: str) -> None:
    raise RuntimeError(words)


def try_to(act: Callable[[], object]) -> str:
    try:
        act()
    except OSError as error:
        return error.strerror or type(error).__name__
    return "done"


def connect(path: str) -> None:
    """Connect and ask; a server that hangs up unheard is a refusal too."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        try:
            connection.sendall(b"GET /api/view HTTP/1.1\r\nhost: visit\r\n\r\n")
            heard = connection.recv(100)
        except ConnectionError:
            heard = b""
    if not heard:
        raise ConnectionResetError(0, "hung up")


def ask_for_fork(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection, socket.socket(socket.AF_UNIX) as listener:
        reading, _ = os.pipe()
        connection.connect(path)
        request = json.dumps({"visit": "stowaway", "site": "test"}).encode() + b"\n"
        socket.send_fds(connection, [request], [listener.fileno(), reading])
        if b"error" in connection.recv(4096):
            raise PermissionError(0, "refused")


def call_kernel(number: int) -> None:
    if ctypes.CDLL(None, use_errno=True).syscall(number, 0, 0, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


ATTEMPTS: dict[str, Callable[[str], object]] = {
    "read": lambda path: Path(path).read_bytes(),
    "list": lambda path: os.listdir(path),
    "write": lambda path: Path(path).write_bytes(b"x"),
    "append": lambda path: os.close(os.open(path, os.O_WRONLY | os.O_APPEND)),
    "cut": lambda path: os.truncate(path, 0),
    "remove": lambda path: os.unlink(path),
    "memory-file": lambda name: os.write(os.memfd_create(name), b"x"),
    "connect": connect,
    "fork-server": ask_for_fork,
    "network": lambda host: socket.create_connection((host, 9), 1).close(),
    "run": lambda program: subprocess.run([program], check=False),
    "fork": lambda _: os.fork(),
    "signal": lambda pid: os.kill(int(pid), 0),
    "call": lambda number: call_kernel(int(number)),
}
