"""Gathers stretches of speech into pieces that fill a speech model's window. Pure; positions are samples at 16 kHz.

Each piece pays for a window of 30 s, so pieces of 10 to 25 s are cut at the longest pause between them, and a long
pause inside a piece is shortened: models make up text in silence. The stretches come all at once, or one by one
while somebody still speaks: then a piece is closed as soon as it is long enough and a pause has come, or when nobody
has spoken for a while.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gateway.capture.audio import SAMPLE_RATE, Samples
from gateway.capture.spans import Span

SHORTEST = 10 * SAMPLE_RATE
LONGEST = 25 * SAMPLE_RATE
KEPT_PAUSE = SAMPLE_RATE // 2
"""What is left of a longer pause inside a piece."""
CLOSING_PAUSE = SAMPLE_RATE * 2 // 5
"""After such a pause a piece that is long enough is closed."""
PATIENCE = 8 * SAMPLE_RATE
"""After such a pause a piece is closed however short it is."""


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


class Gatherer:
    """Gathers stretches of speech, in order and without overlap, into pieces of at most ``LONGEST`` samples."""

    def __init__(self) -> None:
        self._waiting: list[Span] = []

    @property
    def start(self) -> int | None:
        """Where the speech begins that is in no closed piece yet; None where there is none."""
        return self._waiting[0].start if self._waiting else None

    def push(self, span: Span) -> list[Piece]:
        """Take the next stretch; give the pieces that are full."""
        pieces: list[Piece] = []
        for part in _split_long([span]):
            while self._waiting and _joined_length([*self._waiting, part]) > LONGEST:
                cut = _best_cut([*self._waiting, part])
                pieces.append(_join(self._waiting[:cut]))
                self._waiting = self._waiting[cut:]
            self._waiting.append(part)
        return pieces

    def settle(self, quiet_until: int) -> list[Piece]:
        """Give what a pause closes: nobody has spoken since the last stretch, up to this sample."""
        if not self._waiting:
            return []
        pause = quiet_until - self._waiting[-1].end
        enough = pause >= CLOSING_PAUSE and _joined_length(self._waiting) >= SHORTEST
        return self.flush() if enough or pause >= PATIENCE else []

    def flush(self) -> list[Piece]:
        """Give what waits: no more speech comes."""
        waiting, self._waiting = self._waiting, []
        return [_join(waiting)] if waiting else []


def gather_pieces(speech: Iterable[Span]) -> list[Piece]:
    """Gather all stretches of a whole recording."""
    gatherer = Gatherer()
    full = [piece for span in speech for piece in gatherer.push(span)]
    return [*full, *gatherer.flush()]


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
