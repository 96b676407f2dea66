"""Segments of several channels come out in the order in which they were said, numbered once.

In: segments as their pieces are heard, and up to when nothing is missing. Out: those before it, by their start. Pure.
"""

from collections.abc import Iterable
from dataclasses import replace

from gateway.capture.material import Segment


class Sequencer:
    """Holds segments back until no earlier one can come."""

    def __init__(self, first_number: int = 1) -> None:
        self._waiting: list[Segment] = []
        self._number = first_number

    def add(self, segments: Iterable[Segment]) -> None:
        self._waiting.extend(segments)

    def release(self, before_seconds: float) -> tuple[Segment, ...]:
        """Number and give what starts before this moment."""
        ready = sorted((one for one in self._waiting if _start(one) < before_seconds), key=_start)
        self._waiting = [one for one in self._waiting if _start(one) >= before_seconds]
        numbered = tuple(replace(segment, number=number) for number, segment in enumerate(ready, start=self._number))
        self._number += len(numbered)
        return numbered

    def drop(self, from_seconds: float) -> None:
        """Forget what waits and ends after this moment."""
        self._waiting = [one for one in self._waiting if (one.end_seconds or 0.0) <= from_seconds]


def _start(segment: Segment) -> float:
    return segment.start_seconds or 0.0
