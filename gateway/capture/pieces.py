"""Gathers stretches of speech into pieces that fill a speech model's window. Pure; positions are samples at 16 kHz.

Each piece pays for a window of 30 s, so pieces of 10 to 25 s are cut at the longest pause between them, and a long
pause inside a piece is shortened: models make up text in silence.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gateway.capture.audio import SAMPLE_RATE, Samples

SHORTEST = 10 * SAMPLE_RATE
LONGEST = 25 * SAMPLE_RATE
KEPT_PAUSE = SAMPLE_RATE // 2
"""What is left of a longer pause inside a piece."""


@dataclass(frozen=True, slots=True)
class Span:
    """Samples ``start`` to ``end`` (exclusive) of the recording."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Piece:
    """Spans that are heard as one, without what lies between them."""

    spans: tuple[Span, ...]

    @property
    def length(self) -> int:
        return sum(span.length for span in self.spans)

    @property
    def end(self) -> int:
        return self.spans[-1].end

    def cut_from(self, samples: Samples) -> Samples:
        """float32 (length,): the spans one after another."""
        return np.concatenate([samples[span.start : span.end] for span in self.spans])

    def place(self, seconds: float) -> float:
        """Where a moment of the piece lies in the recording, in seconds."""
        rest = max(0, round(seconds * SAMPLE_RATE))
        for span in self.spans:
            if rest <= span.length:
                return (span.start + rest) / SAMPLE_RATE
            rest -= span.length
        return self.end / SAMPLE_RATE


def gather_pieces(speech: Iterable[Span]) -> list[Piece]:
    """Gather stretches of speech, in order and without overlap, into pieces of at most ``LONGEST`` samples."""
    pieces: list[Piece] = []
    waiting: list[Span] = []
    for span in _split_long(speech):
        while waiting and _joined_length([*waiting, span]) > LONGEST:
            cut = _best_cut([*waiting, span])
            pieces.append(_join(waiting[:cut]))
            waiting = waiting[cut:]
        waiting.append(span)
    return [*pieces, _join(waiting)] if waiting else pieces


def _split_long(speech: Iterable[Span]) -> Iterable[Span]:
    for span in speech:
        for start in range(span.start, span.end, LONGEST):
            yield Span(start, min(start + LONGEST, span.end))


def _best_cut(spans: Sequence[Span]) -> int:
    """Before which span to cut: at the longest pause that leaves a first piece of ``SHORTEST`` or more."""
    candidates = [index for index in range(1, len(spans)) if _joined_length(spans[:index]) >= SHORTEST]
    if not candidates:
        return len(spans) - 1
    return max(candidates, key=lambda index: (spans[index].start - spans[index - 1].end, index))


def _joined_length(spans: Sequence[Span]) -> int:
    return _join(spans).length


def _join(spans: Sequence[Span]) -> Piece:
    """Short pauses stay whole; of a long one its first half second stays."""
    joined = [spans[0]]
    for span in spans[1:]:
        last = joined[-1]
        if span.start - last.end <= KEPT_PAUSE:
            joined[-1] = Span(last.start, span.end)
        else:
            joined[-1] = Span(last.start, last.end + KEPT_PAUSE)
            joined.append(span)
    return Piece(tuple(joined))
