"""A session's sound and its commands over one WebSocket, ``/api/session``: transport and nothing else.

In: binary messages, one audio frame each, handed on unread; text messages, ``{"begin": {…}}`` first, then pause,
resume, strike, mark, finish. Out: ``{"ack": {…}}`` at most every 100 ms for each channel and at once when nothing is
waiting, ``{"struck": {…}}``, or ``{"refused": {…}}`` before the close. What any of it means is the desk's. One
connection at a time: the next one waits until the one before has been read to its end. Nothing is stored or logged.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, assert_never

from fastapi import FastAPI, WebSocket
from starlette.websockets import WebSocketDisconnect

from gateway.errors import CaptureError, CountersignError
from gateway.visit.session_commands import (
    Begin,
    Command,
    Finish,
    Mark,
    Pause,
    Resume,
    Strike,
    garbled,
    read_command,
)

log = logging.getLogger("countersign.visit")

SESSION_PATH = "/api/session"
ACK_SECONDS = 0.1
FINISHED, GARBLED, NOT_PERMITTED = 1000, 4400, 4403  # RFC 6455, 7.4.2: 4000 and above are an application's own


@dataclass(frozen=True, slots=True)
class Ack:
    """All frames of the channel before ``number`` are held, up to sample ``start`` of the session's clock."""

    channel: str
    number: int
    start: int


class SessionDesk(Protocol):
    """What one session's messages mean. Of two connections, the second may begin again where the first broke off."""

    async def begin(self, channels: tuple[str, ...]) -> tuple[Ack, ...]:
        """Where each channel goes on: at its beginning, or where the connection before broke off.

        Raises:
            CountersignError: this session may not be captured, or not so.
        """
        ...

    async def take(self, message: bytes) -> Ack:
        """One frame, as the page sent it. A slow answer slows the page.

        Raises:
            CaptureError: it is no frame of this session.
        """
        ...

    async def pause(self, at: int) -> None: ...

    async def resume(self, at: int) -> None: ...

    async def strike(self, seconds: float, now: int) -> int:
        """Destroy the last seconds before sample ``now``; the sample from which on they are gone."""
        ...

    async def mark(self, speaker: str, start: int, end: int) -> None: ...

    async def finish(self, counts: Mapping[str, int]) -> None:
        """The session is over, after so many frames of each channel."""
        ...

    async def closed(self) -> None:
        """Return once the visit itself has closed the capture."""
        ...


@dataclass(frozen=True, slots=True)
class _End:
    """How a connection ends; ``close`` None: the page is gone. Built from an error, it keeps none of its frames."""

    close: int | None
    code: str = ""
    public: str = ""


_LEFT, _DONE, _OVER = _End(None), _End(FINISHED), _End(NOT_PERMITTED)


def add_session_route(app: FastAPI, desk_factory: Callable[[], SessionDesk]) -> None:
    """Serve the visit's sessions at ``SESSION_PATH``; each connection asks for its desk."""
    turn = asyncio.Lock()

    @app.websocket(SESSION_PATH)
    async def session(socket: WebSocket) -> None:
        async with turn:
            await _Line(socket, desk_factory()).serve()


class _Line:
    """One connection of the page's, and the desk it talks to."""

    def __init__(self, socket: WebSocket, desk: SessionDesk) -> None:
        self._socket = socket
        self._desk = desk
        self._acks = _Acks(socket)
        self._finishing = False

    async def serve(self) -> None:
        await self._socket.accept()
        end = await self._follow(begun=False)
        if end is None:
            end = await self._follow_until_closed()
        try:
            await self._acks.send_waiting()
            if end.code:
                log.info("visit.session.refused code=%s", end.code)
                await _say(self._socket, {"refused": {"code": end.code, "message": end.public}})
            if end.close is not None:
                await self._socket.close(end.close)
        except WebSocketDisconnect:
            return  # the page is gone, or the front

    async def _follow_until_closed(self) -> _End:
        """From a begin that held to the end; the visit may close the capture at any time, and need not wait."""
        following = asyncio.create_task(self._follow(begun=True))
        closing = asyncio.create_task(self._desk.closed())
        sending = asyncio.create_task(self._acks.send_on())
        try:
            await asyncio.wait({following, closing}, return_when=asyncio.FIRST_COMPLETED)
            if following.done() or self._finishing:
                return await following or _OVER
            await closing
            return _OVER
        finally:
            for task in (following, closing, sending):
                task.cancel()
            await asyncio.gather(following, closing, sending, return_exceptions=True)

    async def _follow(self, *, begun: bool) -> _End | None:
        """Take messages until the end; without ``begun`` take one, which has to begin: None, go on."""
        try:
            if not begun:
                return await self._take_first()
            while (end := await self._take_next()) is None:
                pass
            return end
        except CountersignError as error:
            return _End(GARBLED if isinstance(error, CaptureError) else NOT_PERMITTED, error.code, error.public)

    async def _take_first(self) -> _End | None:
        given = await self._socket.receive()
        if given["type"] == "websocket.disconnect":
            return _LEFT
        command = read_command(given.get("text") or "")
        if not isinstance(command, Begin):
            raise garbled("no begin")
        for ack in await self._desk.begin(command.channels):
            await self._acks.say(ack)
        return None

    async def _take_next(self) -> _End | None:
        given = await self._socket.receive()
        if given["type"] == "websocket.disconnect":
            return _LEFT
        sound = given.get("bytes")
        if sound is None:
            return await self._obey(read_command(given["text"]))
        self._acks.add(await self._desk.take(sound))
        return None

    async def _obey(self, command: Command) -> _End | None:
        match command:
            case Begin():
                raise garbled("a second begin")
            case Pause(at=at):
                await self._desk.pause(at)
            case Resume(at=at):
                await self._desk.resume(at)
            case Strike(seconds=seconds, now=now):
                start = await self._desk.strike(seconds, now)
                await _say(self._socket, {"struck": {"from": start}})
            case Mark(speaker=speaker, start=start, end=end):
                await self._desk.mark(speaker, start, end)
            case Finish(counts=counts):
                self._finishing = True
                await self._desk.finish(counts)
                return _DONE
            case _:
                assert_never(command)
        return None


class _Acks:
    """The newest acknowledgement of each channel that is not said yet."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._waiting: dict[str, Ack] = {}
        self._some = asyncio.Event()

    def add(self, ack: Ack) -> None:
        self._waiting[ack.channel] = ack
        self._some.set()

    async def send_on(self) -> None:
        """At once where nothing was said for a while, else what has gathered since."""
        while True:
            await self._some.wait()
            try:
                await self.send_waiting()
            except WebSocketDisconnect:
                return  # whoever reads sees it too
            await asyncio.sleep(ACK_SECONDS)

    async def send_waiting(self) -> None:
        self._some.clear()
        while self._waiting:
            _, ack = self._waiting.popitem()
            await self.say(ack)

    async def say(self, ack: Ack) -> None:
        """Raises WebSocketDisconnect: nobody listens any more."""
        await _say(self._socket, {"ack": {"channel": ack.channel, "number": ack.number, "start": ack.start}})


async def _say(socket: WebSocket, message: Mapping[str, object]) -> None:
    """Raises WebSocketDisconnect: nobody listens any more."""
    await socket.send_text(json.dumps(message))
