"""Just enough of a WebSocket server (RFC 6455) for the scripted visit, so that a test can drop the line at any byte.

No extensions, no fragments from the page (browsers send none of so small messages), no pings.
"""

import asyncio
import base64
import hashlib
from typing import Any, Protocol

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _BINARY, _CLOSE = 1, 2, 8


class SocketListener(Protocol):
    def opened(self, socket: "WebSocket") -> None: ...
    def heard(self, socket: "WebSocket", message: bytes | str) -> None: ...
    def closed(self, socket: "WebSocket", code: int | None) -> None: ...


class WebSocket(asyncio.Protocol):
    """What uvicorn hands an upgraded connection to; ``find`` gives the listener of a path."""

    def __init__(self, find: Any, **_: Any) -> None:
        self._find = find
        self._listener: SocketListener | None = None
        self._transport: asyncio.Transport | None = None
        self._data = b""
        self._gone = False
        self._closing = False

    @property
    def is_open(self) -> bool:
        return self._listener is not None and not self._gone

    def send(self, text: str) -> None:
        self._write(_TEXT, text.encode())

    def close(self, code: int) -> None:
        """Say goodbye, hear nothing more, and hang up when the page has said so too."""
        if not self._closing:
            self._write(_CLOSE, code.to_bytes(2, "big"))
            self._closing = True

    def drop(self) -> None:
        """As if the network had gone: no goodbye, and nothing more is heard."""
        self._end(None, abort=True)

    # asyncio.Protocol ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._listener is None:
            self._shake_hands()
        while self.is_open and (message := self._take_message()) is not None:
            kind, payload = message
            assert self._listener is not None
            if kind == _CLOSE:
                if not self._closing:
                    self._write(_CLOSE, payload[:2])
                self._end(int.from_bytes(payload[:2], "big") if payload else 1005)
            elif not self._closing:
                self._listener.heard(self, payload.decode() if kind == _TEXT else payload)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(None)

    # ---------------------------------------------------------------------------------------------------------------

    def _shake_hands(self) -> None:
        head, found, self._data = self._data.partition(b"\r\n\r\n")
        if not found:
            self._data = head
            return
        first, *lines = head.split(b"\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        key = base64.b64encode(hashlib.sha1(headers[b"sec-websocket-key"] + _GUID, usedforsecurity=False).digest())
        listener: SocketListener | None = self._find(first.split(b" ")[1].decode())
        assert self._transport is not None
        if listener is None:
            self._transport.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            self._transport.close()
            return
        answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self._transport.write(answer + b"Sec-WebSocket-Accept: " + key + b"\r\n\r\n")
        self._listener = listener
        listener.opened(self)

    def _take_message(self) -> tuple[int, bytes] | None:
        data = self._data
        if len(data) < 2:
            return None
        length, at = data[1] & 0x7F, 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length, at = int.from_bytes(data[2 : 2 + size], "big"), 2 + size
        if len(data) < at + 4 + length:
            return None
        mask, masked = data[at : at + 4], data[at + 4 : at + 4 + length]
        whole = (mask * (length // 4 + 1))[:length]
        payload = (int.from_bytes(masked, "big") ^ int.from_bytes(whole, "big")).to_bytes(length, "big")
        assert data[0] & 0x80, "a browser sends messages of this size whole"
        self._data = data[at + 4 + length :]
        return data[0] & 0x0F, payload

    def _write(self, kind: int, payload: bytes) -> None:
        if self._gone or self._transport is None:
            return
        size = len(payload)
        length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
        self._transport.write(bytes([0x80 | kind]) + length + payload)

    def _end(self, code: int | None, abort: bool = False) -> None:
        if self._gone:
            return
        self._gone = True
        if self._transport is not None:
            (self._transport.abort if abort else self._transport.close)()
        if self._listener is not None:
            self._listener.closed(self, code)
