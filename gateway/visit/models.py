"""The models' own thread in a visit: one piece of work at a time, stopped without waiting.

llama.cpp's and OpenMP's threads belong to the thread that calls them, so all model work of a visit is in one.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


class ModelThread:
    """One visit's."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="models")
        self._cancel = threading.Event()

    def begin(self) -> threading.Event:
        """What stops this piece of work, and no later one."""
        self._cancel = threading.Event()
        return self._cancel

    def stop(self) -> None:
        """Have the work under way end soon."""
        self._cancel.set()

    async def run(self, work: Callable[[], Item]) -> Item:
        """Do it in the thread, after what waits there."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def iterate(self, pieces: Iterator[Item]) -> AsyncIterator[Item]:
        """What a model yields, one by one, while the page is served."""
        end = object()
        while True:
            piece = await self.run(lambda: next(pieces, end))
            if piece is end:
                return
            yield piece  # type: ignore[misc]  # not the end mark, so an Item

    def close(self, *last: Callable[[], object]) -> None:
        """Do these last; waits for nothing."""
        for work in last:
            self._executor.submit(work)
        self._executor.shutdown(wait=False)
