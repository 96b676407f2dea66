"""Stretches of a recording, as samples at 16 kHz, and arithmetic with them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

FOR_EVER = 1 << 62
"""A sample after any that comes."""


@dataclass(frozen=True, slots=True)
class Span:
    """Samples ``start`` to ``end`` (exclusive) of the recording."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


def merge_spans(spans: Iterable[Span]) -> list[Span]:
    """The same samples as few spans in order; those that touch become one, empty ones go."""
    merged: list[Span] = []
    for span in sorted((span for span in spans if span.length > 0), key=lambda span: span.start):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def subtract_spans(spans: Iterable[Span], without: Iterable[Span]) -> list[Span]:
    """What of ``spans`` (in order) lies in none of ``without``."""
    holes = merge_spans(without)
    left: list[Span] = []
    for span in spans:
        start = span.start
        for hole in holes:
            if hole.end <= start or hole.start >= span.end:
                continue
            if hole.start > start:
                left.append(Span(start, hole.start))
            start = hole.end
        if start < span.end:
            left.append(Span(start, span.end))
    return left
