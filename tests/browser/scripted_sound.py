"""The visit's end of a session's sound, by the book, and with the troubles that a test injects."""

import asyncio
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.browser.web_socket import WebSocket

RATE = 16_000
CHANNELS = ("room", "call")
HEADER = struct.Struct("<BBxxIQ")


@dataclass
class ScriptedSound:
    """One session. Its fields tell what came; those below ``trouble`` are for a test to set."""

    on_frame: Callable[[], None] = lambda: None
    may_begin: Callable[[], bool] = lambda: True
    channels: list[str] = field(default_factory=list)
    frames: dict[str, list[bytes]] = field(default_factory=lambda: {channel: [] for channel in CHANNELS})
    arrivals: list[tuple[str, int]] = field(default_factory=list)  # each frame as it came, the same twice too
    words: list[dict[str, Any]] = field(default_factory=list)  # what was said, but for begin
    begins: int = 0
    closes: list[int | None] = field(default_factory=list)  # with which code each line ended; None: it broke
    clock_before: int = 0  # where an earlier page's session ended
    # trouble
    drop_at: set[int] = field(default_factory=set)  # the line breaks when so many frames have come in all
    lose_acks: bool = False
    mute_begins: bool = False  # whether it does not say where it goes on
    away: bool = False  # nobody answers the door
    refuse_next: tuple[str, str] | None = None
    _socket: WebSocket | None = None
    _loop: asyncio.AbstractEventLoop | None = None

    @property
    def seconds(self) -> float:
        return sum(len(frame) - HEADER.size for frame in self.frames["room"]) / 2 / RATE

    def said(self, kind: str) -> list[Any]:
        return [word[kind] for word in self.words if kind in word]

    def close(self, code: int) -> None:
        """Close the line, or break it (0); from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._close, code)

    def _close(self, code: int) -> None:
        if self._socket is not None:
            self._socket.close(code) if code else self._socket.drop()

    # SocketListener ------------------------------------------------------------------------------------------------

    def opened(self, socket: WebSocket) -> None:
        self._socket, self._loop = socket, asyncio.get_running_loop()
        if self.away:
            socket.drop()

    def closed(self, socket: WebSocket, code: int | None) -> None:
        self.closes.append(code)
        if socket is self._socket:
            self._socket = None

    def heard(self, socket: WebSocket, message: bytes | str) -> None:
        if isinstance(message, bytes):
            self._take_frame(socket, message)
            return
        word = json.loads(message)
        if "begin" in word:
            if not self.may_begin():
                socket.close(4403)
                return
            self.begins += 1
            self.channels = word["begin"]["channels"]
            for channel in () if self.mute_begins else self.channels:
                self._acknowledge(socket, channel)
            return
        self.words.append(word)
        if strike := word.get("strike"):
            self._say(socket, {"struck": {"from": max(0, strike["now"] - strike["seconds"] * RATE)}})
        self._end_if_whole(socket)

    def _take_frame(self, socket: WebSocket, message: bytes) -> None:
        version, place, number, _ = HEADER.unpack_from(message)
        channel = CHANNELS[place]
        assert version == 1
        if self.refuse_next is not None:
            code, sentence = self.refuse_next
            self._say(socket, {"refused": {"code": code, "message": sentence}})
            socket.close(1000)
            return
        self.arrivals.append((channel, number))
        known = self.frames[channel]
        assert number <= len(known), f"{channel} {number} came before {len(known)}"
        if number == len(known):
            known.append(message)
            self.on_frame()
        if len(self.arrivals) in self.drop_at:
            socket.drop()
            return
        if not self.lose_acks:
            self._acknowledge(socket, channel)
        self._end_if_whole(socket)

    def _acknowledge(self, socket: WebSocket, channel: str) -> None:
        frames, start = self.frames[channel], self.clock_before
        if frames:
            start = HEADER.unpack_from(frames[-1])[3] + (len(frames[-1]) - HEADER.size) // 2
        self._say(socket, {"ack": {"channel": channel, "number": len(frames), "start": start}})

    def _say(self, socket: WebSocket, word: dict[str, Any]) -> None:
        socket.send(json.dumps(word))

    def _end_if_whole(self, socket: WebSocket) -> None:
        """Close once the page has said how much there is, and all of it is here."""
        told = self.said("finish")
        if told and all(len(self.frames[channel]) == count for channel, count in told[-1].items()):
            socket.close(1000)
