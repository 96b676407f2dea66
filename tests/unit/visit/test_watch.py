"""The watch on consent: in time, at once when told, and silent no longer than the grace."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from gateway.visit import watch as watching
from gateway.visit.watch import ConsentWatch


class Record:
    """What the watch reads: answers as told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: Callable[[], str | None] = lambda: "answer"
        self.hang = False
        self.reads = 0
        self.settled: list[str] = []
        self.silences = 0
        self.end: datetime | None = None

    async def read(self) -> str | None:
        self.reads += 1
        if self.hang:
            await asyncio.Event().wait()
        return self.answers()

    async def settle(self, seen: str) -> bool:
        self.settled.append(seen)
        return seen != "not counted"

    async def silence(self) -> None:
        self.silences += 1

    def watch(self, every_seconds: float = 0.01, grace_seconds: float = 60.0) -> ConsentWatch[str]:
        return ConsentWatch(
            self.read,
            self.settle,
            self.silence,
            lambda: self.end,
            lambda: datetime.now(UTC),
            every_seconds=every_seconds,
            grace_seconds=grace_seconds,
        )


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> Record:
    monkeypatch.setattr(watching, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(watching, "LEAST_SECONDS", 0.05)
    return Record()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.005)


async def test_it_looks_again_and_again_until_it_is_stopped(record):
    watch = record.watch()
    watch.start()
    await until(lambda: len(record.settled) >= 3)
    watch.stop()
    reads = record.reads
    await asyncio.sleep(0.05)
    assert record.reads == reads
    watch.stop()


async def test_it_looks_at_once_when_told(record):
    watch = record.watch(every_seconds=60)
    watch.start()
    watch.tell()
    await until(lambda: record.settled == ["answer"])
    watch.stop()


async def test_it_looks_when_a_permit_ends(record):
    record.end = datetime.now(UTC) + timedelta(milliseconds=20)
    watch = record.watch(every_seconds=60)
    watch.start()
    await until(lambda: bool(record.settled))
    assert datetime.now(UTC) >= record.end
    watch.stop()


async def test_a_silent_record_is_borne_for_the_grace_and_no_longer(record):
    record.answers = lambda: None
    watch = record.watch(grace_seconds=0.1)
    watch.start()
    await until(lambda: record.silences == 1)
    assert record.reads > 1
    assert record.settled == []
    await asyncio.sleep(0.05)
    assert record.silences == 1


async def test_a_record_that_hangs_is_a_silent_one(record):
    record.hang = True
    watch = record.watch(grace_seconds=0.0)
    watch.start()
    await until(lambda: record.silences == 1)
    assert record.reads == 1


async def test_an_answer_that_does_not_count_is_silence(record):
    record.answers = lambda: "not counted"
    watch = record.watch(grace_seconds=0.05)
    watch.start()
    await until(lambda: record.silences == 1)


async def test_an_answer_ends_the_silence(record):
    given = iter([None, "answer", None, "answer"])
    record.answers = lambda: next(given, "answer")
    watch = record.watch(grace_seconds=1.0)
    watch.start()
    await until(lambda: len(record.settled) >= 3)
    assert record.silences == 0
    watch.stop()


async def test_it_may_be_stopped_from_within(record):
    watch = record.watch()

    async def settle(seen: str) -> bool:
        record.settled.append(seen)
        watch.stop()
        return True

    record.settle = settle  # type: ignore[method-assign]
    watch = record.watch()
    watch.start()
    await until(lambda: bool(record.settled))
    await asyncio.sleep(0.05)
    assert record.reads == 1
