"""Connections that end instead of answering: for servers that are asked to fail on the wire.

A backend raises ``ConnectionBroken``; the routes turn it into a ``BrokenResponse``; ``BreakableServer``, wrapped around
the whole application, gives that the means: under uvicorn the socket itself is closed or reset, in-process
(``httpx.ASGITransport``) the error is raised that httpx raises for such a socket.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.sandbox.fhir.backend import FhirReply

_EXTENSION = "countersign.break"


class ConnectionBroken(Exception):
    """No (whole) answer comes.

    Args:
        partial: the reply of which the head and half the body still go out; None for nothing at all.
        stall_seconds: how long nothing happens before.
    """

    def __init__(self, partial: FhirReply | None = None, stall_seconds: float = 0.0) -> None:
        super().__init__("the connection was broken on request")
        self.partial, self.stall_seconds = partial, stall_seconds


class BreakableServer:
    """The outermost ASGI wrapper; must be closest to the server, so that it sees the server's own ``send``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # uvicorn's cycle owns ``send`` and knows the transport; ASGI itself has no way to end a connection.
            transport = getattr(getattr(send, "__self__", None), "transport", None)
            scope = {**scope, "extensions": {**scope.get("extensions", {}), _EXTENSION: {"transport": transport}}}
        await self._app(scope, receive, send)


class BrokenResponse(Response):
    """Stalls, sends what part it has, and ends the connection."""

    def __init__(self, broken: ConnectionBroken) -> None:
        super().__init__()
        self._broken = broken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extension: Mapping[str, Any] = scope.get("extensions", {}).get(_EXTENSION, {})
        transport: asyncio.Transport | None = extension.get("transport")
        if self._broken.stall_seconds:
            await asyncio.sleep(self._broken.stall_seconds)
        if transport is None:
            raise self._choose_error()
        if self._broken.partial is not None:
            await _send_half(self._broken.partial, send)
            _make_reset(transport)
        transport.abort()
        while (await receive())["type"] != "http.disconnect":
            continue

    def _choose_error(self) -> httpx.TransportError:
        if self._broken.stall_seconds:
            return httpx.ReadTimeout("the server did not answer")
        if self._broken.partial is not None:
            return httpx.ReadError("the connection was reset in the body")
        return httpx.RemoteProtocolError("Server disconnected without sending a response.")


async def _send_half(reply: FhirReply, send: Callable[[Any], Awaitable[None]]) -> None:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in reply.headers.items()]
    headers.append((b"content-length", str(max(len(reply.body), 2)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body[: len(reply.body) // 2] or b"{", "more_body": True})
    await asyncio.sleep(0.05)


def _make_reset(transport: asyncio.Transport) -> None:
    """Lets closing send RST rather than FIN (socket(7), SO_LINGER)."""
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
