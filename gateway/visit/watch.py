"""Watches consent while the microphone is on: a timer, the end of a permit, a notification; and the grace.

It reads and decides nothing itself: it calls ``read`` in time, hands what was read to ``settle``, and calls ``silence``
when the record has not answered for as long as the site lets a permission hold.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Generic, TypeVar

RETRY_SECONDS = 5.0  # after a look that got no answer
LEAST_SECONDS = 1.0  # for one look, however short the grace

Seen = TypeVar("Seen")


class ConsentWatch(Generic[Seen]):
    """One stretch of an open microphone.

    Args:
        read: reads consent again; None where the record did not answer. It may be broken off.
        settle: decides upon what was read, and says whether it counts as an answer; never broken off.
        silence: called once, at the end of the grace; the watch is over then.
        find_end: when the first permit ends; None: never.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[Seen | None]],
        settle: Callable[[Seen], Awaitable[bool]],
        silence: Callable[[], Awaitable[None]],
        find_end: Callable[[], datetime | None],
        now: Callable[[], datetime],
        *,
        every_seconds: float,
        grace_seconds: float,
    ) -> None:
        self._read = read
        self._settle = settle
        self._silence = silence
        self._find_end = find_end
        self._now = now
        self._every_seconds = every_seconds
        self._grace_seconds = grace_seconds
        self._told = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin: consent has been read just now."""
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """No look begins after this; safe to call from within ``settle`` and ``silence``."""
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def tell(self) -> None:
        """Something may have changed: look at once."""
        self._told.set()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        silent_since: float | None = None
        while self._task is not None:
            await self._wait(self._every_seconds if silent_since is None else min(self._every_seconds, RETRY_SECONDS))
            began = loop.time()
            since = began if silent_since is None else silent_since
            seen = await self._look(max(since + self._grace_seconds - began, LEAST_SECONDS))
            if seen is not None and await self._settle(seen):
                silent_since = None
            elif loop.time() >= since + self._grace_seconds:
                await self._silence()
                return
            else:
                silent_since = since

    async def _wait(self, seconds: float) -> None:
        end = self._find_end()
        if end is not None:
            seconds = min(seconds, max(0.0, (end - self._now()).total_seconds()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._told.wait()
        self._told.clear()

    async def _look(self, seconds: float) -> Seen | None:
        try:
            async with asyncio.timeout(seconds):
                return await self._read()
        except TimeoutError:
            return None
