"""Hears one piece of a session twice and makes its segments; runs in a thread.

In: a ``PieceWork``. Out: its sentences as segments without a number, each with its speaker if that is certain, both
texts where the hearings differ; one mark where the piece was not understood; where asked for, the language that the
model hears. It waits for a compute slot, and for no piece longer than its deadline: a hearing that fails or comes too
late is tried once more.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

from gateway.capture.audio import SAMPLE_RATE, Samples
from gateway.capture.heard import HeardPiece
from gateway.capture.hearings import Differ, HeardSentence, merge_hearings
from gateway.capture.hotwords import Hotwords
from gateway.capture.language import LanguageGuess
from gateway.capture.material import Segment, Source, Speaker
from gateway.capture.session import PieceWork
from gateway.capture.spans import Span
from gateway.capture.speakers import Likeness, SpeakerMark, compare_channels, name_speaker, widen_span
from gateway.capture.transcriber import Transcriber
from gateway.errors import ModelError

DEADLINE_SECONDS = 60.0
ATTEMPTS = 2

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class HeardWork:
    """What became of a piece.

    Attributes:
        bled: one channel holds what another's loudspeaker played.
        language: what the model makes of it, where it was asked and could say.
    """

    segments: tuple[Segment, ...]
    bled: bool = False
    language: LanguageGuess | None = None


class PieceHearer:
    """Hears pieces with one transcriber.

    Args:
        hotwords: for the second hearing; with none there is one hearing alone.
        differ: says whether two texts differ in what matters.
        hold_slot: entered for each piece; waits until the machine has room.
    """

    def __init__(
        self,
        transcriber: Transcriber,
        hotwords: Hotwords,
        differ: Differ,
        hold_slot: Callable[[], AbstractContextManager[object]] = nullcontext,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._transcriber = transcriber
        self._hotwords = hotwords.line
        self._differ = differ
        self._hold_slot = hold_slot
        self._deadline_seconds = deadline_seconds

    def hear(self, work: PieceWork, marks: Iterable[SpeakerMark] = (), ask_language: bool = False) -> HeardWork:
        """Never raises because of the model: what it can't hear is a mark that a person listens to.

        Args:
            ask_language: also ask which language it is (``LanguageEar.wants``); a guess that fails is not made again.
        """
        samples = work.samples
        language: LanguageGuess | None = None
        with self._hold_slot():
            first = self._try(samples, "")
            second = self._try(samples, self._hotwords) if first and self._hotwords else first
            if first and ask_language:
                language = _run_within(self._deadline_seconds, lambda: self._transcriber.detect_language(samples))
        if first is None:
            return HeardWork((_mark_missed(work),))
        likenesses: list[Likeness] = []
        placed = tuple(marks)
        segments = tuple(
            _place(sentence, work, placed, likenesses) for sentence in merge_hearings(first, second, self._differ)
        )
        return HeardWork(segments, any(likeness.same_sound for likeness in likenesses), language)

    def _try(self, samples: Samples, hotwords: str) -> HeardPiece | None:
        for _ in range(ATTEMPTS):
            heard = _run_within(self._deadline_seconds, lambda: self._transcriber.hear(samples, hotwords))
            if heard is not None:
                return heard
        return None


def _run_within(seconds: float, ask: Callable[[], Answer]) -> Answer | None:
    """None where the model failed or took longer; a decoder can't be stopped, so its thread is left to itself."""
    found: list[Answer] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(ask())
        except BaseException as error:  # noqa: BLE001 - it is raised again, in the thread that waits
            failed.append(error)

    thread = threading.Thread(target=run, name="hearing", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed and not isinstance(failed[0], ModelError):
        raise failed[0]
    return found[0] if found else None


def _place(
    sentence: HeardSentence, work: PieceWork, marks: tuple[SpeakerMark, ...], likenesses: list[Likeness]
) -> Segment:
    start = work.piece.place(sentence.start_seconds)
    end = max(start, work.piece.place(sentence.end_seconds))
    span = Span(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE))
    likenesses.append(_compare(work, span))
    return Segment(
        0,
        Source.SESSION,
        name_speaker(span, work.channel, work.channels, marks, likenesses[-1]),
        sentence.text,
        start_seconds=round(start, 2),
        end_seconds=round(end, 2),
        unclear=sentence.unclear,
        heard_also=sentence.also,
        confidence=sentence.confidence,
        channel=work.channel,
    )


def _compare(work: PieceWork, span: Span) -> Likeness:
    if work.other is None:
        return Likeness()
    within = Span(span.start - work.span.start, span.end - work.span.start)
    wide = widen_span(within, work.span.length)
    return compare_channels(work.own[wide.start : wide.end], work.other[wide.start : wide.end])


def _mark_missed(work: PieceWork) -> Segment:
    return Segment(
        0,
        Source.SESSION,
        Speaker.UNKNOWN,
        "",
        start_seconds=round(work.span.start / SAMPLE_RATE, 2),
        end_seconds=round(work.span.end / SAMPLE_RATE, 2),
        unclear=True,
        channel=work.channel,
    )
