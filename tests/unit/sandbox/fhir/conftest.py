"""Servers of the sandbox's FHIR part: in-process and under a real uvicorn on a free port."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

from gateway.sandbox.fhir.memory import MemoryBackend

BASE = "http://127.0.0.1:8088/fhir"


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend(BASE)


@asynccontextmanager
async def serve_app(app: Any) -> AsyncIterator[str]:
    """Runs an ASGI application under uvicorn; gives ``http://127.0.0.1:port``."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


@pytest.fixture
def serve() -> Callable[[Starlette], Any]:
    return serve_app
