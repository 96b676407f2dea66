"""Hearing a piece twice: what differs is marked, what fails is tried once more and then said, nothing is guessed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from gateway.capture.audio import SAMPLE_RATE, Samples
from gateway.capture.differences import compare_hearings, find_names
from gateway.capture.frames import Frame, FrameLog
from gateway.capture.heard import HeardPiece
from gateway.capture.hearer import PieceHearer
from gateway.capture.hotwords import HOTWORD_TOKENS, Hotwords, PhraseGroup, fit_hotwords
from gateway.capture.language import LanguageGuess
from gateway.capture.material import Channel, Source, Speaker, gather_material
from gateway.capture.pieces import Piece
from gateway.capture.scripted import ScriptedTranscriber
from gateway.capture.session import LiveTranscript, PieceWork
from gateway.capture.spans import Span
from gateway.capture.speakers import SpeakerMark
from gateway.capture.whisper import WhisperTranscriber
from gateway.errors import ModelError
from gateway.models.installed import InstalledModel

RISK = find_names(["better off dead"])
HOTWORDS = Hotwords("better off dead", 3, frozenset(("suicide",)))


def differ(first: str, second: str) -> bool:
    return bool(compare_hearings(first, second, RISK))


@dataclass(frozen=True)
class Faulty(ScriptedTranscriber):
    """Fails, or sleeps, as often as it is told to."""

    faults: list[Callable[[], None]] = field(default_factory=list)
    heard_with: list[str] = field(default_factory=list)

    def hear(self, samples: Samples, hotwords: str = "") -> HeardPiece:
        self.heard_with.append(hotwords)
        if self.faults:
            self.faults.pop(0)()
        return super().hear(samples, hotwords)


def fail() -> None:
    raise ModelError("model.failed", "The speech model failed.")


def hang() -> None:
    time.sleep(0.5)


def make_work(samples: Samples, other: Samples | None = None, start: int = 0) -> PieceWork:
    span = Span(start, start + len(samples))
    channels = (Channel.ROOM,) if other is None else (Channel.ROOM, Channel.CALL)
    return PieceWork(Channel.ROOM, channels, Piece((span,)), span, samples, other)


@pytest.fixture
def samples(dictation: Samples) -> Samples:
    return dictation[: 12 * SAMPLE_RATE]


SAID = ("The patient slept well.", "She has no pain.")


def test_a_sentence_that_is_heard_two_ways_carries_both(samples: Samples) -> None:
    work = make_work(samples, start=5 * SAMPLE_RATE)
    first, second = PieceHearer(ScriptedTranscriber(SAID), HOTWORDS, differ).hear(work).segments
    assert (first.text, first.heard_also) == ("The patient slept well.", "")
    assert (second.text, second.heard_also) == ("She has no pain.", "She has no pain. better off dead")
    assert second.heard_two_ways
    assert (first.source, first.channel, first.number) == (Source.SESSION, Channel.ROOM, 0)
    assert 5.0 <= first.start_seconds < first.end_seconds <= second.start_seconds < second.end_seconds <= 17.0
    assert first.confidence == 0.95


def test_without_hotwords_it_hears_once(samples: Samples) -> None:
    transcriber = Faulty(SAID)
    segments = PieceHearer(transcriber, Hotwords(), differ).hear(make_work(samples)).segments
    assert transcriber.heard_with == [""]
    assert [(one.heard_also, one.unclear) for one in segments] == [("", False)] * 2


@pytest.mark.parametrize("fault", [fail, hang])
def test_a_hearing_that_fails_or_is_late_is_tried_once_more(samples: Samples, fault: Callable[[], None]) -> None:
    transcriber = Faulty(SAID, faults=[fault])
    segments = PieceHearer(transcriber, HOTWORDS, differ, deadline_seconds=0.2).hear(make_work(samples)).segments
    assert transcriber.heard_with == ["", "", "better off dead"]
    assert [one.text for one in segments] == list(SAID)


@pytest.mark.parametrize("fault", [fail, hang])
def test_a_piece_that_fails_twice_is_marked_as_not_understood(samples: Samples, fault: Callable[[], None]) -> None:
    transcriber = Faulty(SAID, faults=[fault, fault])
    (mark,) = PieceHearer(transcriber, HOTWORDS, differ, deadline_seconds=0.2).hear(make_work(samples)).segments
    assert (mark.text, mark.unclear, mark.speaker) == ("", True, Speaker.UNKNOWN)
    assert (mark.start_seconds, mark.end_seconds) == (0.0, 12.0)
    assert gather_material([mark]).segments[0].is_mark
    assert transcriber.heard_with == ["", ""]


def test_a_second_hearing_that_fails_twice_leaves_the_first_as_unclear(samples: Samples) -> None:
    transcriber = Faulty(SAID, faults=[lambda: None, fail, fail])
    segments = PieceHearer(transcriber, HOTWORDS, differ).hear(make_work(samples)).segments
    assert [(one.text, one.unclear) for one in segments] == [(text, True) for text in SAID]


def test_an_error_that_is_no_fault_of_the_model_is_not_hidden(samples: Samples) -> None:
    def break_down() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        PieceHearer(Faulty(SAID, faults=[break_down]), HOTWORDS, differ).hear(make_work(samples))


def test_both_hearings_of_a_piece_happen_in_one_slot(samples: Samples) -> None:
    transcriber = Faulty(SAID)
    heard_before_and_after: list[int] = []

    @contextmanager
    def hold_slot() -> Iterator[None]:
        heard_before_and_after.append(len(transcriber.heard_with))
        yield
        heard_before_and_after.append(len(transcriber.heard_with))

    PieceHearer(transcriber, HOTWORDS, differ, hold_slot).hear(make_work(samples))
    assert heard_before_and_after == [0, 2]


def test_asks_for_the_language_within_the_same_slot_and_only_when_told_to(samples: Samples) -> None:
    is_held = False

    class Asked(ScriptedTranscriber):
        def detect_language(self, samples: Samples) -> LanguageGuess | None:
            assert is_held
            assert len(samples) == len(work.samples)
            return super().detect_language(samples)

    @contextmanager
    def hold_slot() -> Iterator[None]:
        nonlocal is_held
        is_held = True
        yield
        is_held = False

    work = make_work(samples)
    hearer = PieceHearer(Asked(SAID, language="es"), HOTWORDS, differ, hold_slot)
    assert hearer.hear(work, ask_language=True).language == LanguageGuess("es", 0.95)
    assert hearer.hear(work).language is None


@pytest.mark.parametrize("fault", [fail, hang])
def test_a_guess_that_fails_or_is_late_is_none_and_the_words_are_there(
    samples: Samples, fault: Callable[[], None]
) -> None:
    asked: list[int] = []

    class Unsure(ScriptedTranscriber):
        def detect_language(self, samples: Samples) -> LanguageGuess | None:
            asked.append(len(samples))
            fault()
            return super().detect_language(samples)

    hearer = PieceHearer(Unsure(SAID), HOTWORDS, differ, deadline_seconds=0.2)
    heard = hearer.hear(make_work(samples), ask_language=True)
    assert heard.language is None
    assert [one.text for one in heard.segments] == list(SAID)
    assert len(asked) == 1


def test_a_piece_that_was_not_understood_is_not_asked_about(samples: Samples) -> None:
    hearer = PieceHearer(Faulty(SAID, faults=[fail, fail]), HOTWORDS, differ)
    assert hearer.hear(make_work(samples), ask_language=True).language is None


def test_two_channels_that_differ_name_the_speaker_and_bleed_does_not(dictation: Samples) -> None:
    count = 12 * SAMPLE_RATE
    room, call = dictation[:count], dictation[20 * SAMPLE_RATE :][:count]
    hearer = PieceHearer(ScriptedTranscriber(SAID), HOTWORDS, differ)
    apart = hearer.hear(make_work(room, call))
    assert {one.speaker for one in apart.segments} == {Speaker.CLINICIAN}
    assert not apart.bled
    late = np.concatenate([np.zeros(800, np.float32), 0.2 * call[:-800]])
    copied = hearer.hear(make_work(late, call))
    assert {one.speaker for one in copied.segments} == {Speaker.UNKNOWN}
    assert copied.bled


def test_one_microphone_is_unlabelled_but_for_what_was_marked(samples: Samples) -> None:
    hearer = PieceHearer(ScriptedTranscriber(SAID), HOTWORDS, differ)
    marks = [SpeakerMark(Span(0, 7 * SAMPLE_RATE), Speaker.PATIENT)]
    assert [one.speaker for one in hearer.hear(make_work(samples)).segments] == [Speaker.UNKNOWN] * 2
    marked = hearer.hear(make_work(samples), marks).segments
    assert [one.speaker for one in marked] == [Speaker.PATIENT, Speaker.UNKNOWN]


def test_frames_of_a_session_are_heard_by_the_real_engine_while_it_goes_on(
    dictation: Samples, tiny_whisper: InstalledModel
) -> None:
    transcriber = WhisperTranscriber(tiny_whisper, threads=1)
    groups = (PhraseGroup("suicide", ("better off dead",)),)
    hotwords = fit_hotwords(groups, transcriber.count_tokens, HOTWORD_TOKENS)
    hearer = PieceHearer(transcriber, hotwords, differ)
    log = FrameLog([Channel.ROOM, Channel.CALL])
    transcript = LiveTranscript(log)
    pcm = {
        Channel.ROOM: (np.concatenate([dictation, np.zeros(5 * SAMPLE_RATE, np.float32)]) * 32767).astype("<i2"),
        Channel.CALL: (np.concatenate([np.zeros(5 * SAMPLE_RATE, np.float32), dictation]) * 32767).astype("<i2"),
    }
    size = SAMPLE_RATE // 4
    segments = []
    for number, at in enumerate(range(0, len(pcm[Channel.ROOM]), size)):
        for channel, samples in pcm.items():
            log.take(Frame(channel, number, at, samples[at : at + size].tobytes()))
        transcript.listen()
        if transcript.pieces_waiting:
            work = transcript.next_piece()
            transcript.put(work, hearer.hear(work).segments)
        segments += transcript.collect()
    before_the_end = len(segments)
    transcript.listen(finished=True)
    while (work := transcript.next_piece()) is not None:
        transcript.put(work, hearer.hear(work).segments)
    segments += transcript.collect()
    assert 0 < before_the_end < len(segments)
    assert {one.channel for one in segments if one.source is Source.SESSION} == set(pcm)
    assert gather_material(segments).segments == tuple(segments)
