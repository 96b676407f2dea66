"""The WebSocket protocol of the front's and the visits' servers: of a message that was handed on it keeps nothing.

In: a connection that uvicorn's HTTP protocol was asked to upgrade. Out: ASGI WebSocket events, message by message, at
most one chunk of them waiting. The parser of ``websockets`` holds the last frame until the next one comes, so each
frame is emptied once its data went on; a peer that does not read what it is sent is not read either.
"""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

MAX_MESSAGE_BYTES = 128 * 1024


class ForgetfulSocket(WebSocketsSansIOProtocol):
    """For ``uvicorn.Config(ws=…)``, without compression: that would keep a window of what passed."""

    def handle_bytes(self, event: Frame) -> None:
        super().handle_bytes(event)
        event.data = b""

    def handle_text(self, event: Frame) -> None:
        super().handle_text(event)
        event.data = b""

    def handle_cont(self, event: Frame) -> None:
        super().handle_cont(event)
        event.data = b""

    def pause_writing(self) -> None:
        """Each ping that is read is a pong to write, without end."""
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.read_paused:
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection's parser refers to itself: without this, half a message would stay until a collection."""
        super().connection_lost(exc)
        self.conn.reader.discard()
        self.frames = []
