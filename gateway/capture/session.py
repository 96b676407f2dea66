"""A recorded session becomes segments while it goes on: pieces to hear, and what was heard in order of time.

In: the frames' log, and what was heard of each piece. Out: the next piece with its samples, and segments, numbered,
each channel's in its place among the others', silences between them. It hears nothing itself, keeps no samples, and
is not for two threads at once: a ``PieceWork`` holds all that a thread needs to hear it.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.capture.audio import SAMPLE_RATE, Samples
from gateway.capture.frames import FrameLog
from gateway.capture.material import Channel, Segment, Source, Speaker
from gateway.capture.ordering import Sequencer
from gateway.capture.pieces import Piece
from gateway.capture.segmenting import Cut, Segmenter, find_silences
from gateway.capture.spans import FOR_EVER, Span, subtract_spans
from gateway.capture.voice import SileroVoice, Voice

_BLOCK = 30 * SAMPLE_RATE
"""What one call of ``listen`` looks at of each channel: about a tenth of a second's work."""
_STALLED = 60 * SAMPLE_RATE
"""A channel so far behind the other is not waited for: its tab was closed, or its device is gone."""


@dataclass(frozen=True, slots=True, eq=False)
class PieceWork:
    """A piece to hear. ``own`` and ``other`` are float32 over ``span`` of the recording, of this channel and of the
    session's other one, if it has two."""

    channel: Channel
    channels: tuple[Channel, ...]
    piece: Piece
    span: Span
    own: Samples
    other: Samples | None

    @property
    def samples(self) -> Samples:
        """What is heard: the piece's stretches of speech, one after another."""
        shifted = Piece(tuple(Span(one.start - self.span.start, one.end - self.span.start) for one in self.piece.spans))
        return shifted.cut_from(self.own)


class LiveTranscript:
    """The transcript of one session so far."""

    def __init__(
        self, log: FrameLog, new_voice: Callable[[], Voice] = SileroVoice, first_number: int = 1, start: int = 0
    ) -> None:
        """``start`` is the sample from which on it listens: a session that goes on after a crash has heard the rest."""
        self._frames = log
        self._new_voice = new_voice
        self._segmenters = {channel: Segmenter(new_voice(), start) for channel in log.channels}
        self._waiting: list[tuple[Channel, Piece]] = []
        self._under_way: list[PieceWork] = []
        self._speech: list[Span] = []
        self._sequencer = Sequencer(first_number)
        self._silent_until = start
        self._finished = False

    @property
    def heard_until(self) -> float:
        """The sample before which every word has been heard, and no sound is needed any more to hear one."""
        return self._settled()

    @property
    def pieces_waiting(self) -> int:
        """Closed pieces that nobody hears yet."""
        return len(self._waiting)

    def listen(self, finished: bool = False) -> bool:
        """Look for speech in what came since the last call; ``finished`` once no more frames come.

        Returns:
            Whether more has come than one call looks at.
        """
        more = False
        for channel, segmenter in self._segmenters.items():
            end = self._frames.acknowledge(channel).start
            block = Span(segmenter.position, min(end, segmenter.position + _BLOCK))
            if block.length > 0:
                self._keep(channel, segmenter.push(self._frames.read(channel, block)))
            more = more or segmenter.position < end
        if finished and not more and not self._finished:
            self._finished = True
            for channel, segmenter in self._segmenters.items():
                self._keep(channel, segmenter.finish())
        return more

    def next_piece(self) -> PieceWork | None:
        """Take the earliest piece that waits to be heard."""
        if not self._waiting:
            return None
        self._waiting.sort(key=lambda item: item[1].spans[0].start)
        channel, piece = self._waiting.pop(0)
        span = Span(piece.spans[0].start, piece.end)
        others = [other for other in self._frames.channels if other is not channel]
        work = PieceWork(
            channel,
            self._frames.channels,
            piece,
            span,
            self._frames.read(channel, span),
            self._frames.read(others[0], span) if others else None,
        )
        self._under_way.append(work)
        return work

    def put(self, work: PieceWork, segments: Iterable[Segment]) -> None:
        """Take what was heard of a piece; nothing of one that was struck meanwhile."""
        if work in self._under_way:
            self._under_way.remove(work)
            self._sequencer.add(segments)

    def collect(self) -> tuple[Segment, ...]:
        """What is new and has its place: nothing that was said before it is still to come."""
        listened = min(segmenter.listened for segmenter in self._followed())
        without = [*self._frames.paused, *self._frames.struck]
        without += [gap for channel in self._frames.channels for gap in self._frames.gaps(channel)]
        for silence in find_silences(self._speech, without):
            if silence.start >= self._silent_until and silence.end <= listened:
                self._silent_until = silence.end
                self._sequencer.add([_mark_silence(silence)])
        return self._sequencer.release(self._settled() / SAMPLE_RATE)

    def strike(self, cut: int) -> None:
        """Forget what lies after ``cut`` (``FrameLog.strike`` gave it). Segments that were collected and end later
        are the caller's to drop, and so is what was made of them."""
        self._sequencer.drop(cut / SAMPLE_RATE)
        struck = [(work.channel, work.piece) for work in self._under_way] + self._waiting
        struck = [(channel, piece) for channel, piece in struck if piece.end > cut]
        self._under_way = [work for work in self._under_way if work.piece.end <= cut]
        self._waiting = [item for item in self._waiting if item not in struck]
        self._speech = subtract_spans(self._speech, [Span(cut, FOR_EVER)])
        self._silent_until = min(self._silent_until, cut)
        self._finished = False
        for channel, segmenter in self._segmenters.items():
            starts = [piece.spans[0].start for other, piece in struck if other is channel]
            again = min([*starts, segmenter.settled, cut])
            self._segmenters[channel] = Segmenter(self._new_voice(), max(0, again))

    def _keep(self, channel: Channel, cut: Cut) -> None:
        self._speech += cut.speech
        self._waiting += [(channel, piece) for piece in cut.pieces]

    def _followed(self) -> list[Segmenter]:
        furthest = max(segmenter.position for segmenter in self._segmenters.values())
        return [one for one in self._segmenters.values() if furthest - one.position < _STALLED]

    def _settled(self) -> float:
        """The sample before which every word has been heard."""
        unheard = [piece.spans[0].start for _, piece in self._waiting]
        unheard += [work.span.start for work in self._under_way]
        listening = [] if self._finished else [segmenter.settled for segmenter in self._followed()]
        return min([*unheard, *listening], default=math.inf)


def _mark_silence(span: Span) -> Segment:
    return Segment(
        0,
        Source.SILENCE,
        Speaker.UNKNOWN,
        "",
        start_seconds=round(span.start / SAMPLE_RATE, 2),
        end_seconds=round(span.end / SAMPLE_RATE, 2),
    )
