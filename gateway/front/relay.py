"""Relays the browser's requests to a visit's process, stream for stream.

In: an ASGI request. Out: the same request over the visit's Unix socket, and its answer back, chunk by chunk as they
come (uploads, server-sent events). Nothing is parsed, logged, gathered or stored. h11 over kept-open connections:
a client with more in it costs more than the visit itself.
"""

import asyncio
import contextlib
from pathlib import Path

import h11
from starlette.types import Receive, Scope, Send

from gateway.errors import VisitError

CHUNK_BYTES = 64 * 1024
IDLE_CONNECTIONS = 4
CONNECT_SECONDS = 5.0

# RFC 9110 section 7.6.1, and what is only between the browser and the front: the visit has no use for cookies.
NOT_PASSED_ON = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer upgrade cookie host "
    b"transfer-encoding expect authorization forwarded x-forwarded-for x-forwarded-host x-forwarded-proto".split()
)
EVENTS = b"text/event-stream"
# The front alone says what a browser may do with an answer: a visit that was taken over could say otherwise.
PASSED_BACK = frozenset({b"content-type", b"content-length"})


class Relay:
    """Connections to one visit's browser socket, kept open between requests."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self._writes_under_way = 0
        self._no_write = asyncio.Event()
        self._no_write.set()

    async def pass_request(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        """Relay one request to ``path`` of the visit.

        Raises:
            VisitError: the visit's process does not answer and nothing was sent back yet.
        """
        is_write = scope["method"] not in ("GET", "HEAD")
        connection = await self._take()
        self._count_write(+is_write)
        self._busy.add(connection)
        reusable = False
        try:
            reusable = await connection.exchange(scope, receive, send, path)
        finally:
            self._count_write(-is_write)
            self._busy.discard(connection)
            if reusable and len(self._idle) < IDLE_CONNECTIONS:
                self._idle.append(connection)
            else:
                connection.close()

    async def post(self, path: str, body: bytes) -> int:
        """One request of the front's own (``/internal/*``); its HTTP status.

        Raises:
            VisitError: the visit's process does not answer.
        """
        head = {"type": "http", "method": "POST", "query_string": b""}
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        status, given = 0, False

        async def receive() -> dict[str, object]:
            nonlocal given
            if given:
                await asyncio.Event().wait()  # nobody goes away before the answer
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: object) -> None:
            nonlocal status
            assert isinstance(message, dict)
            status = message.get("status", status)

        await self.pass_request({**head, "headers": headers}, receive, send, path)
        return status

    async def let_answers_out(self, seconds: float) -> None:
        """Wait until no request that changes something is under way, but not longer than ``seconds``."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._no_write.wait(), seconds)

    def _count_write(self, change: int) -> None:
        self._writes_under_way += change
        if self._writes_under_way:
            self._no_write.clear()
        else:
            self._no_write.set()

    def close(self) -> None:
        for connection in [*self._idle, *self._busy]:
            connection.close()
        self._idle.clear()

    async def _take(self) -> "_Connection":
        """An idle connection that the visit has not closed, or a new one. No request is ever sent twice."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open():
                return connection
            connection.close()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_unix_connection(str(self._path), limit=CHUNK_BYTES)
        except (OSError, TimeoutError) as error:
            raise _gone() from error
        return _Connection(reader, writer)


class _Connection:
    """One HTTP/1.1 connection; one exchange at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = h11.Connection(h11.CLIENT)

    def is_open(self) -> bool:
        return not (self._reader.at_eof() or self._writer.is_closing())

    def close(self) -> None:
        self._writer.close()

    async def exchange(self, scope: Scope, receive: Receive, send: Send, path: str) -> bool:
        """Send the request and pass the answer back as it comes; whether the connection may be used again."""
        await self._send_head(scope, path)
        upload = asyncio.create_task(self._send_body(receive))
        try:
            whole = await self._pass_answer(send)
        finally:
            upload.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await upload
        if not whole or self._protocol.our_state is not h11.DONE or self._protocol.their_state is not h11.DONE:
            return False
        self._protocol.start_next_cycle()
        return True

    async def _send_head(self, scope: Scope, path: str) -> None:
        query: bytes = scope["query_string"]
        headers: list[tuple[bytes, bytes]] = [(b"host", b"visit")]
        headers += [(name, value) for name, value in scope["headers"] if name not in NOT_PASSED_ON]
        names = {name for name, _ in headers}
        if b"content-length" not in names and scope["method"] not in ("GET", "HEAD"):
            headers.append((b"transfer-encoding", b"chunked"))
        target = path.encode("ascii") + (b"?" + query if query else b"")
        await self._write(h11.Request(method=scope["method"], target=target, headers=headers))

    async def _send_body(self, receive: Receive) -> None:
        """Pass the body on, then wait for the browser to go away; its going closes the connection.

        A visit that answers before it has read all is no fault: its answer is what counts.
        """
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.close()
                return
            more = message.get("more_body", False)
            try:
                if message.get("body"):
                    await self._write(h11.Data(data=message["body"]))
                if not more:
                    await self._write(h11.EndOfMessage())
            except (OSError, VisitError, h11.LocalProtocolError):
                return
        while (await receive())["type"] != "http.disconnect":
            pass
        self.close()

    async def _pass_answer(self, send: Send) -> bool:
        """Pass the answer back; False where it broke off in the middle, which the browser is shown as such.

        A stream of events has no other end than the visit's (HTML Living Standard, 9.2: the page then asks again).
        """
        started = endless = False
        while True:
            try:
                event = await self._next_event()
            except (OSError, h11.RemoteProtocolError) as error:
                if not started:
                    raise _gone() from error
                event = h11.EndOfMessage() if endless else h11.ConnectionClosed()
            match event:
                case h11.Response(status_code=status, headers=headers):
                    kept = [(name, value) for name, value in headers if name in PASSED_BACK]
                    await send({"type": "http.response.start", "status": status, "headers": kept})
                    started = True
                    endless = any(name == b"content-type" and value.startswith(EVENTS) for name, value in kept)
                case h11.Data(data=data):
                    await send({"type": "http.response.body", "body": bytes(data), "more_body": True})
                case h11.EndOfMessage():
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    return self._protocol.their_state is h11.DONE
                case h11.ConnectionClosed():
                    if not started:
                        raise _gone()
                    return False

    async def _next_event(self) -> object:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            self._protocol.receive_data(await self._reader.read(CHUNK_BYTES))
        return event

    async def _write(self, event: h11.Event) -> None:
        data = self._protocol.send(event)
        if data:
            try:
                self._writer.write(data)
                await self._writer.drain()
            except OSError as error:
                raise _gone() from error


def _gone() -> VisitError:
    return VisitError("visit.gone", "This visit has ended. Open Countersign again from the EHR.")
