"""The ledger: an append-only file with one writer. Starting something waits for its entry; stopping never does.

In: entries. Out: JSON lines, numbered, each holding the SHA-256 of the line before it, on the disk (``fdatasync``)
before ``append`` returns. One thread writes: what waits together is written together. An owed entry waits in
memory until the file takes it, before anything newer. It never holds a line that could not be finished: what a
full disk cut short is cut off again.
"""

import asyncio
import fcntl
import hashlib
import logging
import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.errors import LedgerError
from gateway.ledger.entry import Entry, write_line
from gateway.ledger.reading import BEGINNING, read_line

log = logging.getLogger("countersign.ledger")

RETRY_SECONDS = 1.0
TAIL_BYTES = 64 * 1024  # longer than any line


@dataclass(frozen=True, slots=True)
class _Asked:
    entry: Entry
    at: datetime
    written: "Future[None] | None"  # None: owed


class Ledger:
    """The one writer of one file.

    Raises:
        LedgerError: another process writes it, or it can't be opened.
    """

    def __init__(self, path: Path, audit_key: bytes, clock: Callable[[], datetime] | None = None) -> None:
        self._path = path
        self._audit_key = audit_key
        self._clock = clock or (lambda: datetime.now(UTC))
        self._file = _open_alone(path)
        self._number, self._chain, self._size_bytes, cut_bytes = _read_tail(self._file)
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._owed: deque[_Asked] = deque()
        self._closed = False
        self._writer = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._writer.start()
        if cut_bytes:
            self.owe(Entry("ledger:tail:cut", codes={"bytes": cut_bytes}))

    async def append(self, entry: Entry) -> None:
        """Write an entry and wait until it is on the disk.

        Raises:
            LedgerError: it is not; what it was to permit must not start.
        """
        entry.check()
        if self._closed:
            raise _unwritable("closed")
        written: Future[None] = Future()
        self._asked.put(_Asked(entry, self._clock(), written))
        await asyncio.wrap_future(written)

    def owe(self, entry: Entry) -> None:
        """Leave an entry to be written as soon as it can be; never waits, never fails."""
        try:
            entry.check()
        except LedgerError as error:
            log.error("ledger.owed.refused %s", error.detail)
            entry = Entry("ledger:entry:refused")
        self._asked.put(_Asked(entry, self._clock(), None))

    def close(self, patience_seconds: float = 5.0) -> int:
        """Write what is left and let the file go; returns how many owed entries could not be written."""
        if self._closed:
            return len(self._owed)
        self._closed = True
        self._asked.put(None)
        self._writer.join(patience_seconds)
        if self._writer.is_alive():
            return len(self._owed) + self._asked.qsize()
        os.close(self._file)
        return len(self._owed)

    def _run(self) -> None:
        """The writer: takes what waits, owed entries first, and puts it on the disk in one go."""
        going = True
        while going:
            asked, going = self._take()
            waiting = [one for one in asked if one.written is not None]
            self._owed.extend(one for one in asked if one.written is None)
            batch = [*self._owed, *waiting]
            if not batch:
                continue
            try:
                self._write(batch)
            except OSError as error:
                log.error("ledger.write.failed errno=%s owed=%d", error.errno, len(self._owed))
                for one in waiting:
                    _answer(one, _unwritable(f"errno {error.errno}"))
            else:
                self._owed.clear()
                for one in waiting:
                    _answer(one, None)

    def _take(self) -> tuple[list[_Asked], bool]:
        """All that waits now; where nothing does, the next one, or nothing when owed entries are to be tried."""
        asked: list[_Asked] = []
        try:
            first = self._asked.get(timeout=RETRY_SECONDS if self._owed else None)
            while first is not None:
                asked.append(first)
                first = self._asked.get_nowait()
        except queue.Empty:
            return asked, True
        return asked, False

    def _write(self, batch: list[_Asked]) -> None:
        number, chain, lines = self._number, self._chain, bytearray()
        for one in batch:
            number += 1
            line = write_line(
                one.entry,
                number=number,
                at=one.at,
                chain=chain,
                owed=one.written is None,
                audit_key=self._audit_key,
            )
            chain = hashlib.sha256(line).hexdigest()
            lines += line
        try:
            done = 0
            while done < len(lines):
                done += os.pwrite(self._file, lines[done:], self._size_bytes + done)
            os.fdatasync(self._file)
        except OSError:
            _cut(self._file, self._size_bytes)
            raise
        self._number, self._chain, self._size_bytes = number, chain, self._size_bytes + len(lines)


def _answer(asked: _Asked, error: LedgerError | None) -> None:
    future = asked.written
    if future is None or not future.set_running_or_notify_cancel():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def _unwritable(detail: str) -> LedgerError:
    return LedgerError(
        "ledger.unwritable",
        "The step was not taken: the log can't be written. Ask the operator to look at the gateway's disk.",
        detail,
    )


def _open_alone(path: Path) -> int:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LedgerError(
            "ledger.open",
            f"The ledger {path} can't be opened ({error.strerror}): make its folder writable, or set state_dir.",
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        raise LedgerError(
            "ledger.busy",
            f"Another Countersign already writes the ledger {path}: stop it, or set another state_dir.",
        ) from error
    return file


def _read_tail(file: int) -> tuple[int, str, int, int]:
    """The last whole line's number, its hash, the size up to its end, and how many bytes were cut after it.

    A line without its newline was never confirmed to anybody, so it is cut off.

    Raises:
        LedgerError: the last whole line is no entry.
    """
    size = os.fstat(file).st_size
    start = max(0, size - TAIL_BYTES)
    tail = os.pread(file, size - start, start)
    end = tail.rfind(b"\n") + 1
    cut_bytes = len(tail) - end
    if cut_bytes:
        _cut(file, size - cut_bytes)
    if not end:
        if start:
            raise LedgerError("ledger.damaged", "The ledger is damaged: run `countersign ledger verify`.")
        return 0, BEGINNING, 0, cut_bytes
    line = tail[tail.rfind(b"\n", 0, end - 1) + 1 : end]

    return read_line(line).number, hashlib.sha256(line).hexdigest(), size - cut_bytes, cut_bytes


def _cut(file: int, size_bytes: int) -> None:
    try:
        os.ftruncate(file, size_bytes)
    except OSError as error:  # the next write goes to the same place, so nothing half is ever kept
        log.error("ledger.cut.failed errno=%s", error.errno)
