"""A scanner over another process's memory, for marks that a test planted in what it sent."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

CHUNK_BYTES = 1024 * 1024
MASK_BYTES = 4  # RFC 6455, 5.3: the key that a WebSocket client lays over its payload


def can_scan(pid: int) -> bool:
    """A process that is not dumpable is read by root alone."""
    try:
        with open(f"/proc/{pid}/mem", "rb"):
            return True
    except OSError:
        return False


def count_marks(pid: int, mark: bytes) -> int:
    """How often the mark lies in memory, plain or under any WebSocket mask."""
    return count_each(pid, {"": mark})[""]


def count_each(pid: int, marks: Mapping[str, bytes]) -> dict[str, int]:
    """How often each mark lies in memory, plain or under any WebSocket mask.

    The XOR of each byte with the one a mask's length further is the same with the mask and without it.
    """
    sought = {name: _fold(mark) for name, mark in marks.items()}
    found = dict.fromkeys(marks, 0)
    overlap = max(map(len, marks.values()))
    for first, last in _list_regions(pid):
        for start in range(first, last, CHUNK_BYTES):
            held = _fold(_read(pid, start, min(start + CHUNK_BYTES + overlap, last)))
            for name, mark in sought.items() if held.strip(b"\0") else ():
                found[name] += held.count(mark)
    return found


def spell(words: str) -> dict[str, bytes]:
    """Words as they may lie in memory: encoded, or as one of Python's strings (PEP 393: 1, 2 or 4 bytes a letter)."""
    return {coding: words.encode(coding) for coding in ("utf-8", "utf-16-le", "utf-32-le")}


def _fold(data: bytes) -> bytes:
    given = np.frombuffer(data, np.uint8)
    return bytes(given[:-MASK_BYTES] ^ given[MASK_BYTES:]) if len(given) > MASK_BYTES else b""


def _list_regions(pid: int) -> Iterator[tuple[int, int]]:
    """What the process may have written; the rest are the kernel's own pages, and files as they are on the disk."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        addresses, mode, *_, place = [*line.split(maxsplit=5), ""][:6]
        first, _, last = addresses.partition("-")
        if "r" in mode and not place.startswith("[v") and ("w" in mode or not place.startswith("/")):
            yield int(first, 16), int(last, 16)


def _read(pid: int, start: int, end: int) -> bytes:
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        return os.pread(memory, end - start, start)
    except OSError:
        return b""  # gone meanwhile
    finally:
        os.close(memory)
