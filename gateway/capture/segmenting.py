"""Cuts the growing audio of one channel into closed pieces, and finds where nobody in the session speaks.

In: samples as they come. Out: pieces of 10 to 25 s as soon as a pause closes them, and the stretches of speech that
silences are counted between. It keeps no audio: pieces say where in the recording they lie.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.capture.audio import SAMPLE_RATE, Samples
from gateway.capture.pieces import Gatherer, Piece
from gateway.capture.spans import Span, merge_spans, subtract_spans
from gateway.capture.voice import PAD, SpeechFinder, Voice

SILENCE = 3 * SAMPLE_RATE
"""The shortest silence that is worth a mark."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What the newest samples brought: ``speech`` without padding, and ``pieces`` that are ready to be heard."""

    speech: tuple[Span, ...] = ()
    pieces: tuple[Piece, ...] = ()


class Segmenter:
    """One channel of a session, from sample ``start`` on."""

    def __init__(self, voice: Voice, start: int = 0) -> None:
        self._voice = voice
        self._finder = SpeechFinder(start)
        self._gatherer = Gatherer()
        self._position = start
        self._padded_until = start

    @property
    def position(self) -> int:
        """Up to where it has listened."""
        return self._position

    @property
    def settled(self) -> int:
        """All speech before this sample is in pieces that were given; speech still to come begins later."""
        waiting = self._gatherer.start
        return min(self._finder.settled - PAD, self._position) if waiting is None else waiting

    @property
    def listened(self) -> int:
        """All speech before this sample was given as ``speech``."""
        return self._finder.settled

    def push(self, samples: Samples) -> Cut:
        """Take float32 (samples,), [-1, 1], 16 kHz, that follow on what came before."""
        self._position += len(samples)
        speech = self._finder.push(self._voice.push(samples))
        pieces = [piece for span in speech for piece in self._gather(span)]
        pieces += self._gatherer.settle(self._finder.settled - PAD)
        return Cut(tuple(speech), tuple(pieces))

    def finish(self) -> Cut:
        """The session is over: give what is left."""
        speech = self._finder.finish()
        pieces = [piece for span in speech for piece in self._gather(span)]
        return Cut(tuple(speech), (*pieces, *self._gatherer.flush()))

    def _gather(self, span: Span) -> list[Piece]:
        """With its padding, but no sample twice and none that does not come."""
        start = max(span.start - PAD, self._padded_until)
        end = min(span.end + PAD, self._position)
        self._padded_until = max(end, self._padded_until)
        closed = self._gatherer.settle(span.start - PAD)
        return [*closed, *self._gatherer.push(Span(start, end))] if start < end else closed


def find_silences(speech: Iterable[Span], without: Iterable[Span] = ()) -> list[Span]:
    """Where nobody spoke for ``SILENCE`` or longer, between two stretches of speech of whichever channel.

    Args:
        speech: of all channels, in any order.
        without: what says nothing about silence: pauses, struck stretches, gaps.
    """
    spoken = merge_spans(speech)
    between = [Span(before.end, after.start) for before, after in itertools.pairwise(spoken)]
    return [span for span in subtract_spans(between, without) if span.length >= SILENCE]
