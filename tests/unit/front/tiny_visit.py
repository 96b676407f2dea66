"""A composition for tests: the smallest visit that shows what a real one may and may not do."""

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from gateway.settings import Settings
from gateway.visit.process import VisitRoom


def prepare_visits(settings: Settings) -> object | None:
    return b"shared weights"


def compose_visit(room: VisitRoom) -> FastAPI:
    app = FastAPI()
    state: dict[str, object] = {"opened": None}

    def front() -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(room.ehr_socket)), base_url="http://front", timeout=10
        )

    @app.post("/internal/open", status_code=202)
    async def open_visit(request: Request) -> None:
        state["opened"] = await request.json()

    @app.post("/internal/expire", status_code=202)
    async def expire() -> None:
        async with front() as http:
            await http.post("/ended", json={"outcome": "expired", "destroyed": ["a test"]})

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
        return {
            "network": try_network(),
            "no_new_privs": read_status("NoNewPrivs"),
            "rlimit_core": resource.getrlimit(resource.RLIMIT_CORE),
            "environment": {name: os.environ.get(name, "") for name in ("GLIBC_TUNABLES", "PYTHONMALLOC")},
        }

    @app.post("/api/echo")
    async def echo(request: Request) -> Response:
        body = await request.body()
        return Response(body, headers={"x-cookie": request.headers.get("cookie", "none")})

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
            reply = await http.post("/fhir/DocumentReference", content=await request.body())
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

    @app.post("/api/hang")
    async def hang() -> None:
        import time

        time.sleep(60)

    return app


def try_network() -> str:
    try:
        socket.create_connection(("127.0.0.1", 9), 1).close()
    except OSError as error:
        return error.strerror or type(error).__name__
    return "connected"


def read_status(name: str) -> str:
    with open("/proc/thread-self/status") as file:
        return next(line.split()[1] for line in file if line.startswith(name + ":"))
