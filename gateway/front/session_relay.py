"""Relays a session's WebSocket between the browser that holds a visit and the visit's process, message by message.

In: an ASGI WebSocket whose origin was checked (``front/headers``). Out: the same messages over the visit's Unix
socket, and the visit's back. Nothing is parsed, gathered, kept or logged; whoever reads slowly slows whoever sends.
One connection a visit: a newer one of the same holder ends the older. When the visit moves to another browser or
ends, both sides are closed.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from gateway.errors import CountersignError, VisitError
from gateway.front.visit_socket import VisitSocket
from gateway.front.visits import HeldVisit
from gateway.visit.session_socket import FINISHED, GARBLED, NOT_PERMITTED, SESSION_PATH

CLOSE_SECONDS = 1.0
GOING_AWAY, TOO_LARGE, COME_BACK = 1001, 1009, 1013  # RFC 6455, 7.4.1; 1013 by IANA's registry
PASSED_BACK = frozenset({FINISHED, GARBLED, NOT_PERMITTED, TOO_LARGE})


@dataclass(slots=True)
class _Turn:
    """One connection: ``newer`` when another one comes, ``done`` when this one holds nothing any more."""

    newer: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)


class SessionRelay:
    """The ASGI endpoint.

    Args:
        admit: the running visit that this connection's browser holds; raises CountersignError.
    """

    def __init__(self, admit: Callable[[HTTPConnection], HeldVisit]) -> None:
        self._admit = admit
        self._turns: dict[str, _Turn] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            held = self._admit(HTTPConnection(scope))
        except CountersignError as error:
            await _refuse(error, scope, receive, send)
            return
        ends = (held.moved, held.over)  # the visit's own, as they are now: ``moved`` is renewed at each move
        turn, older = _Turn(), self._turns.get(held.id)
        self._turns[held.id] = turn
        try:
            if older is not None:
                older.newer.set()
                await older.done.wait()
            visit = await VisitSocket.connect(held.process.browser_socket, SESSION_PATH)
            with contextlib.suppress(OSError):  # the browser is gone
                await _serve(held, visit, (*ends, turn.newer), receive, send)
        except VisitError as error:
            await _refuse(error, scope, receive, send)
        finally:
            turn.done.set()
            if self._turns.get(held.id) is turn:
                del self._turns[held.id]


async def _refuse(error: CountersignError, scope: Scope, receive: Receive, send: Send) -> None:
    """Before any WebSocket is there: an HTTP answer, as to any other request."""
    answer = JSONResponse({"error": {"code": error.code, "message": error.public}}, status_code=error.status)
    with contextlib.suppress(OSError):
        await answer(scope, receive, send)


async def _serve(
    held: HeldVisit, visit: VisitSocket, ends: tuple[asyncio.Event, ...], receive: Receive, send: Send
) -> None:
    try:
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        code = await _relay(held, visit, ends, receive, send)
    finally:
        await visit.close(GOING_AWAY)
    if code is None:
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await send({"type": "websocket.close", "code": code})
            while (await receive())["type"] != "websocket.disconnect":
                pass  # what was waiting here is let go


async def _relay(
    held: HeldVisit, visit: VisitSocket, ends: tuple[asyncio.Event, ...], receive: Receive, send: Send
) -> int | None:
    """Pass messages both ways until one side ends; what to close the browser's with, None: it is gone itself."""
    up, down = asyncio.create_task(_pass_up(receive, visit)), asyncio.create_task(_pass_down(visit, send))
    leaving = [asyncio.create_task(event.wait()) for event in ends]
    tasks = [up, down, *leaving]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        browser_left = (up.done() and up.result()) or (down.done() and down.result())
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if any(event.is_set() for event in ends):
        return NOT_PERMITTED
    if browser_left:
        return None
    if visit.close_code in PASSED_BACK:
        return visit.close_code
    with contextlib.suppress(VisitError):
        await held.process_is_over()
        return NOT_PERMITTED
    return COME_BACK


async def _pass_up(receive: Receive, visit: VisitSocket) -> bool:
    """The browser's messages, until it left (True) or the visit did."""
    try:
        while await _pass_one_up(receive, visit):
            pass
    except VisitError:
        return False
    return True


async def _pass_one_up(receive: Receive, visit: VisitSocket) -> bool:
    """A function of its own, so that no message waits here for the next one."""
    message = await receive()
    if message["type"] == "websocket.disconnect":
        return False
    data = message.get("bytes")
    await visit.send(message["text"] if data is None else data)
    return True


async def _pass_down(visit: VisitSocket, send: Send) -> bool:
    """The visit's messages, until it left (False) or the browser did."""
    try:
        while await _pass_one_down(visit, send):
            pass
    except OSError:
        return True
    return False


async def _pass_one_down(visit: VisitSocket, send: Send) -> bool:
    message = await visit.receive()
    if message is None:
        return False
    await send({"type": "websocket.send", "text" if isinstance(message, str) else "bytes": message})
    return True
