"""A ``SessionDesk`` that a test looks into: it holds frames as they came and does what the test says."""

import asyncio
import hashlib
import struct
import sys
from collections.abc import Mapping

from fastapi import FastAPI

from gateway.errors import CaptureError, ConsentMissing
from gateway.visit.session_socket import Ack

HEADER = struct.Struct("<BBxxIQ")
CHANNELS = ("room", "call")


def make_frame(number: int, start: int, pcm: bytes, channel: int = 0) -> bytes:
    return HEADER.pack(1, channel, number, start) + pcm


class ScriptedDesk:
    """Kept between connections, as a session is."""

    def __init__(self) -> None:
        self.permitted = True
        self.says_where = False  # acknowledges every channel at a begin
        self.frames: list[bytes] = []
        self.calls: list[tuple[object, ...]] = []
        self.going = asyncio.Event()  # cleared: a visit that has no time
        self.going.set()
        self.is_closed = asyncio.Event()
        self.fault: Exception | None = None

    async def begin(self, channels: tuple[str, ...]) -> tuple[Ack, ...]:
        if not self.permitted:
            raise ConsentMissing("consent.recording", "Recording is not permitted any more.")
        self.calls.append(("begin", channels))
        return tuple(Ack(channel, 0, 0) for channel in channels) if self.says_where else ()

    async def take(self, message: bytes) -> Ack:
        await self.going.wait()
        if self.fault is not None:
            raise self.fault
        if len(message) < HEADER.size:
            raise CaptureError("frames.garbled", "The page sent sound that can't be read: reload the page.")
        _, channel, number, start = HEADER.unpack_from(message)
        self.frames.append(message)
        return Ack(CHANNELS[channel], number + 1, start + (len(message) - HEADER.size) // 2)

    async def pause(self, at: int) -> None:
        self.calls.append(("pause", at))

    async def resume(self, at: int) -> None:
        self.calls.append(("resume", at))

    async def strike(self, seconds: float, now: int) -> int:
        self.calls.append(("strike", seconds, now))
        return max(0, now - round(seconds * 16_000))

    async def mark(self, speaker: str, start: int, end: int) -> None:
        self.calls.append(("mark", speaker, start, end))

    async def finish(self, counts: Mapping[str, int]) -> None:
        self.calls.append(("finish", dict(counts)))
        self.is_closed.set()

    async def closed(self) -> None:
        await self.is_closed.wait()


def add_sound_routes(app: FastAPI, desk: ScriptedDesk) -> None:
    """What a test asks a desk in another process: what it has, and to do something."""

    @app.get("/api/sound")
    async def sound() -> dict[str, object]:
        whole = hashlib.sha256(b"".join(desk.frames)).hexdigest()
        return {"frames": len(desk.frames), "sha256": whole, "calls": desk.calls, "modules": sorted(sys.modules)}

    @app.post("/api/sound/{what}")
    async def change(what: str) -> None:
        match what:
            case "wait":
                desk.going.clear()
            case "go-on":
                desk.going.set()
            case "fail":
                desk.fault = RuntimeError("words")
            case "close":
                desk.is_closed.set()
