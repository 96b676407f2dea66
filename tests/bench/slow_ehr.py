"""The sandbox EHR, 100 ms slower for the gateway, and counting its calls: ``python -m tests.bench.slow_ehr``.

``GET /_bench/calls`` answers ``[[start, end, "GET /fhir/Patient/…"], …]`` (monotonic seconds); ``DELETE`` forgets.
"""

import asyncio
import json
import sys
import time

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

import gateway.sandbox.__main__ as sandbox
from gateway.sandbox.app import create_sandbox

DELAY_SECONDS = 0.1
CALLS_PATH = "/_bench/calls"


class SlowAnswers:
    """Around the sandbox: what the gateway asks waits; what a browser asks does not."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self.state = app.state
        self._calls: list[tuple[float, float, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == CALLS_PATH:
            await self._tell(scope, send)
        elif scope["type"] == "http" and dict(scope["headers"]).get(b"user-agent") == b"Countersign":
            started = time.monotonic()
            await asyncio.sleep(DELAY_SECONDS)
            await self._app(scope, receive, send)
            self._calls.append((started, time.monotonic(), f"{scope['method']} {scope['path']}"))
        else:
            await self._app(scope, receive, send)

    async def _tell(self, scope: Scope, send: Send) -> None:
        body = json.dumps(self._calls).encode()
        if scope["method"] == "DELETE":
            self._calls.clear()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    sandbox.create_sandbox = lambda settings: SlowAnswers(create_sandbox(settings))  # type: ignore[assignment,return-value]
    sys.exit(sandbox.main())
