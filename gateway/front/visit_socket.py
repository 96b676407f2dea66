"""The front's end of a WebSocket to a visit, over the visit's Unix socket.

In and out: whole messages, bytes or text, one at a time, without compression; neither way is more waiting than one
chunk and what the kernel holds. ``websockets`` without its own I/O, as ``front/relay`` uses h11: what the library
would gather for a reader, its queues and the last frame that it parsed are not kept here.
"""

import asyncio
import contextlib
from pathlib import Path

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from gateway.errors import VisitError
from gateway.visit.web_socket import MAX_MESSAGE_BYTES

CHUNK_BYTES = 64 * 1024
OPEN_SECONDS = 5.0
TAKE_SECONDS = 5.0  # for one message; what a visit does not take is not kept for longer
CLOSE_SECONDS = 1.0


class VisitSocket:
    """One open connection; made by ``connect``. One task may send while another receives."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
        self._reader = reader
        self._writer = writer
        writer.transport.set_write_buffer_limits(high=0)  # a message that was sent is with the kernel, all of it
        self._protocol = ClientProtocol(parse_uri(f"ws://visit{path}"), max_size=MAX_MESSAGE_BYTES)
        self._frames: list[Frame] = []

    @classmethod
    async def connect(cls, socket: Path, path: str) -> "VisitSocket":
        """Connect and shake hands.

        Raises:
            VisitError: the visit's process does not answer, or not so.
        """
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                reader, writer = await asyncio.open_unix_connection(str(socket), limit=CHUNK_BYTES)
                opened = cls(reader, writer, path)
                try:
                    await opened._shake_hands()
                except BaseException:
                    writer.transport.abort()
                    raise
        except (OSError, TimeoutError) as error:
            raise _gone() from error
        return opened

    @property
    def close_code(self) -> int | None:
        """What the visit closed with; None where it did not close, or broke off."""
        closed = self._protocol.close_rcvd
        return int(closed.code) if closed is not None else None

    async def send(self, message: bytes | str) -> None:
        """Send one message; waits while the visit does not read.

        Raises:
            VisitError: the visit no longer listens, or has no time.
        """
        try:
            if isinstance(message, str):
                self._protocol.send_text(message.encode())
            else:
                self._protocol.send_binary(message)
            self._write()
            async with asyncio.timeout(TAKE_SECONDS):
                await self._writer.drain()
        except (InvalidState, OSError) as error:
            raise _gone() from error

    async def receive(self) -> bytes | str | None:
        """The next message; None once there will be none."""
        while not self._frames:
            if self._protocol.state is not State.OPEN:
                return None
            try:
                await self._read_on()
            except OSError:
                return None
        frame = self._frames.pop(0)
        data, frame.data = bytes(frame.data), b""  # the library's parser holds a frame until the next one comes
        return data if frame.opcode is Opcode.BINARY else data.decode(errors="replace")

    async def close(self, code: int) -> None:
        """Close, and let go of what the visit does not take within a moment."""
        with contextlib.suppress(InvalidState, OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                if self._protocol.state is State.OPEN:
                    self._protocol.send_close(code)
                    self._write()
                self._writer.close()
                await self._writer.wait_closed()
        self._writer.transport.abort()
        self._frames.clear()
        self._protocol.reader.discard()

    async def _shake_hands(self) -> None:
        self._protocol.send_request(self._protocol.connect())
        self._write()
        while self._protocol.state is State.CONNECTING and self._protocol.handshake_exc is None:
            await self._read_on()
        if self._protocol.state is not State.OPEN:
            raise _gone()

    async def _read_on(self) -> None:
        """What has arrived, into messages; the visit's server sends each in one frame, anything else is the end."""
        data = await self._reader.read(CHUNK_BYTES)
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if not isinstance(event, Frame) or event.opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE):
                continue
            if event.opcode is Opcode.CONT or not event.fin:
                raise ConnectionAbortedError("a message in parts")
            self._frames.append(event)
        self._write()

    def _write(self) -> None:
        for data in self._protocol.data_to_send():
            if data:  # an empty one says that no more will come, which closing says too
                self._writer.write(data)


def _gone() -> VisitError:
    return VisitError("visit.gone", "This visit has ended. Open Countersign again from the EHR.")
