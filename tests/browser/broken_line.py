"""The network between a browser and the gateway, which a test can break: a TCP relay on a port of its own.

Bytes pass as they are, so what breaks breaks at any byte, in the middle of a message too, and as in a real network no
side says goodbye. A connection that begins with a WebSocket's handshake can be cut alone.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

Given = TypeVar("Given")
HEAD_BYTES = 65_536


class BrokenLine:
    """Made and used through ``open_line``; its methods may be called from any thread, and return when it is done."""

    def __init__(self, to_port: int) -> None:
        self.port = 0
        self.cuts = 0  # WebSockets that were broken off
        self._to_port = to_port
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._down = False
        self._deaf = False
        self._budget: int | None = None  # bytes that WebSockets may still send up; None: any number
        self._writers: dict[asyncio.StreamWriter, bool] = {}  # and whether it is a WebSocket's
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Break every WebSocket off; the next one is let through."""
        self._call(lambda: self._abort(sockets_alone=True))

    def cut_after(self, count: int) -> None:
        """Break WebSockets off once so many more bytes have come from the page, wherever in a message that is."""

        def begin() -> None:
            self._budget = count

        self._call(begin)

    def set_deaf(self, deaf: bool) -> None:
        """Whether what the gateway says on WebSockets is lost; their handshakes are not."""

        def begin() -> None:
            self._deaf = deaf

        self._call(begin)

    def take_down(self) -> None:
        """Nothing gets through any more."""

        def begin() -> None:
            self._down = True
            self._abort(sockets_alone=False)

        self._call(begin)

    def bring_up(self) -> None:
        def begin() -> None:
            self._down = False

        self._call(begin)

    # ---------------------------------------------------------------------------------------------------------------

    def run(self, ready: threading.Event) -> None:
        """The relay's thread."""
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _end(self) -> None:
        assert self._server is not None
        self._server.close()
        self._abort(sockets_alone=False)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _call(self, act: Callable[[], None]) -> None:
        async def run() -> None:
            act()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    def _abort(self, sockets_alone: bool) -> None:
        self._budget = None
        for writer, is_socket in list(self._writers.items()):
            if is_socket or not sockets_alone:
                writer.transport.abort()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError):
                await self._relay(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.read(HEAD_BYTES)
        if self._down or not head:
            return
        is_socket = b"\r\nupgrade: websocket" in head.lower()
        gateway, to_gateway = await asyncio.open_connection("127.0.0.1", self._to_port)
        ends = (writer, to_gateway)
        self._writers.update(dict.fromkeys(ends, is_socket))
        try:
            to_gateway.write(head)
            pumps = (
                self._spawn(self._pass_up(reader, ends, is_socket)),
                self._spawn(self._pass_down(gateway, ends, is_socket)),
            )
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if is_socket:
                self.cuts += 1
            for one in ends:
                self._writers.pop(one, None)
                one.transport.abort()

    async def _pass_up(
        self, reader: asyncio.StreamReader, ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter], is_socket: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(HEAD_BYTES):
                if is_socket and self._budget is not None:
                    data, self._budget = data[: self._budget], self._budget - len(data)
                ends[1].write(data)
                await ends[1].drain()
                if is_socket and self._budget is not None and self._budget <= 0:
                    self._abort(sockets_alone=True)
                    return

    async def _pass_down(
        self, reader: asyncio.StreamReader, ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter], is_socket: bool
    ) -> None:
        shaken = not is_socket
        with contextlib.suppress(OSError):
            while data := await reader.read(HEAD_BYTES):
                if not (is_socket and self._deaf and shaken):
                    ends[0].write(data)
                    await ends[0].drain()
                shaken = True


@contextlib.contextmanager
def open_line(to_port: int) -> Iterator[BrokenLine]:
    """A line to a port of this machine, whole until a test breaks it."""
    line, ready = BrokenLine(to_port), threading.Event()
    thread = threading.Thread(target=line.run, args=(ready,), name="line", daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield line
    finally:
        line.stop()
        thread.join(10)
