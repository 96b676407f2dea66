"""A scanner over another process's memory, for marks that a test planted in what it sent."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

CHUNK_BYTES = 16 * 1024 * 1024
MASK_BYTES = 4  # RFC 6455, 5.3: the key that a WebSocket client lays over its payload


def can_scan(pid: int) -> bool:
    """A process that is not dumpable is read by root alone."""
    try:
        with open(f"/proc/{pid}/mem", "rb"):
            return True
    except OSError:
        return False


def count_marks(pid: int, mark: bytes) -> int:
    """How often the mark lies in memory, plain or under any WebSocket mask.

    The XOR of each byte with the one a mask's length further is the same with the mask and without it.
    """
    sought = _fold(mark)
    overlap = len(mark)
    found = 0
    for first, last in _list_regions(pid):
        for start in range(first, last, CHUNK_BYTES):
            found += _fold(_read(pid, start, min(start + CHUNK_BYTES + overlap, last))).count(sought)
    return found


def _fold(data: bytes) -> bytes:
    given = np.frombuffer(data, np.uint8)
    return bytes(given[:-MASK_BYTES] ^ given[MASK_BYTES:]) if len(given) > MASK_BYTES else b""


def _list_regions(pid: int) -> Iterator[tuple[int, int]]:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        addresses, mode = line.split()[:2]
        first, _, last = addresses.partition("-")
        if "r" in mode and "[v" not in line:  # the kernel's own pages
            yield int(first, 16), int(last, 16)


def _read(pid: int, start: int, end: int) -> bytes:
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        return os.pread(memory, end - start, start)
    except OSError:
        return b""  # gone meanwhile
    finally:
        os.close(memory)
