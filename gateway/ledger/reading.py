"""Reads a ledger: line by line, and whether its chain holds. It writes nothing and needs no key."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.errors import LedgerError

BEGINNING = "0" * 64  # what the first line holds for the line before it


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it stands: its number, the hash of the line before it, and all of its fields."""

    number: int
    chain: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the chain holds. ``broken_at`` is the number of the first line that does not fit, counted from 1."""

    lines: int
    broken_at: int | None
    reason: str = ""

    @property
    def holds(self) -> bool:
        return self.broken_at is None


def read_line(raw: bytes) -> Line:
    """Raises:
    LedgerError: the line is no entry.
    """
    try:
        fields = json.loads(raw)
        return Line(int(fields["n"]), str(fields["chain"]), fields)
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerError("ledger.damaged", "The ledger is damaged: run `countersign ledger verify`.") from error


def read_lines(path: Path) -> Iterator[Line]:
    """Every line, oldest first.

    Raises:
        LedgerError: there is no ledger, it can't be read, or a line is no entry.
    """
    for raw in _raw_lines(path):
        yield read_line(raw)


def verify_chain(path: Path) -> Verdict:
    """Whether each line holds the hash of the one before it and the numbers run without a gap.

    Whoever can write the file can also rewrite all that follows a change: the chain shows accidents and edits in
    the middle, a copy kept elsewhere shows the rest.

    Raises:
        LedgerError: there is no ledger, or it can't be read.
    """
    chain, count = BEGINNING, 0
    for count, raw in enumerate(_raw_lines(path), start=1):
        if not raw.endswith(b"\n"):
            return Verdict(count, count, "the line is cut short")
        try:
            line = read_line(raw)
        except LedgerError:
            return Verdict(count, count, "the line is no entry")
        if line.number != count:
            return Verdict(count, count, f"its number is {line.number}")
        if line.chain != chain:
            return Verdict(count, count, "the line before it is not the one it was written after")
        chain = hashlib.sha256(raw).hexdigest()
    return Verdict(count, None)


def _raw_lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError as error:
        raise LedgerError("ledger.none", f"There is no ledger at {path} yet: no visit was ever opened.") from error
    except OSError as error:
        raise LedgerError("ledger.read", f"The ledger {path} can't be read ({error.strerror}).") from error
