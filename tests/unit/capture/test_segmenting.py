"""Speech in growing audio: found as in a whole recording, closed at pauses, silences counted across channels."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.capture.audio import SAMPLE_RATE, Samples
from gateway.capture.pieces import LONGEST, PATIENCE
from gateway.capture.scripted import LoudVoice
from gateway.capture.segmenting import Cut, Segmenter, find_silences
from gateway.capture.spans import Span, subtract_spans
from gateway.capture.voice import PAD, WINDOW, SileroVoice, SpeechFinder

LOUD, QUIET = 0.9, 0.1


def windows(*parts: tuple[float, float]) -> list[float]:
    """Probabilities from (probability, seconds)."""
    return [value for value, seconds in parts for _ in range(round(seconds * SAMPLE_RATE / WINDOW))]


def sound(*parts: tuple[float, float]) -> Samples:
    return np.repeat(np.array(windows(*parts), np.float32), WINDOW)


def seconds(span: Span) -> tuple[float, float]:
    return round(span.start / SAMPLE_RATE, 1), round(span.end / SAMPLE_RATE, 1)


def cut_in_blocks(segmenter: Segmenter, samples: Samples, sizes: list[int]) -> Cut:
    cuts, position = [], 0
    for size in itertools.cycle(sizes):
        if position >= len(samples):
            break
        cuts.append(segmenter.push(samples[position : position + size]))
        position += size
    cuts.append(segmenter.finish())
    return Cut(tuple(span for cut in cuts for span in cut.speech), tuple(piece for cut in cuts for piece in cut.pieces))


def test_a_stretch_ends_after_a_pause_and_not_at_a_breath() -> None:
    finder = SpeechFinder()
    assert finder.push(windows((QUIET, 1), (LOUD, 2), (QUIET, 0.3), (LOUD, 1))) == []
    (span,) = finder.push(windows((QUIET, 0.5)))
    assert seconds(span) == (1.0, 4.3)
    assert finder.settled > span.end


def test_a_doubtful_window_begins_nothing_and_ends_nothing() -> None:
    finder = SpeechFinder()
    assert finder.push(windows((0.4, 1))) == []
    assert finder.settled > 0.9 * SAMPLE_RATE
    assert finder.push(windows((LOUD, 1), (0.4, 1))) == []
    assert [seconds(span) for span in finder.finish()] == [(1.0, 3.0)]
    assert finder.finish() == []


def test_speech_without_a_pause_is_cut_at_its_last_dip() -> None:
    finder = SpeechFinder()
    (span,) = finder.push(windows((LOUD, 15), (QUIET, 0.3), (LOUD, 12)))
    assert seconds(span) == (0.0, 15.0)
    (rest,) = finder.finish()
    assert seconds(rest) == (15.3, 27.3)


def test_speech_without_any_dip_is_cut_where_a_piece_is_full() -> None:
    (span,) = SpeechFinder().push(windows((LOUD, 30)))
    assert 23 * SAMPLE_RATE < span.length <= LONGEST - 2 * PAD


def test_closes_a_piece_while_the_session_goes_on() -> None:
    segmenter = Segmenter(LoudVoice())
    assert segmenter.push(sound((LOUD, 6), (QUIET, 0.5), (LOUD, 6), (QUIET, 0.6))).pieces == ()
    assert segmenter.settled == 0
    cut = segmenter.push(sound((QUIET, 0.6), (LOUD, 3)))
    (piece,) = cut.pieces
    assert piece.spans[0].start == 0
    assert seconds(Span(0, piece.end)) == (0.0, 12.7)
    assert segmenter.settled == pytest.approx(13.5 * SAMPLE_RATE, abs=0.1 * SAMPLE_RATE)


def test_does_not_leave_a_short_answer_waiting() -> None:
    segmenter = Segmenter(LoudVoice())
    segmenter.push(sound((LOUD, 1), (QUIET, 7)))
    (piece,) = segmenter.push(sound((QUIET, 2))).pieces
    assert piece.length < 2 * SAMPLE_RATE < PATIENCE


@given(
    parts=st.lists(st.tuples(st.sampled_from([LOUD, QUIET]), st.floats(0.1, 14)), min_size=1, max_size=12),
    sizes=st.lists(st.integers(1_000, 90_000), min_size=1, max_size=4),
    start=st.integers(0, 100_000),
)
@settings(max_examples=40, deadline=None)
def test_however_the_audio_comes_all_speech_is_in_pieces_once_and_in_order(
    parts: list[tuple[float, float]], sizes: list[int], start: int
) -> None:
    samples = sound(*parts)
    found = cut_in_blocks(Segmenter(LoudVoice(), start), samples, sizes)
    whole = cut_in_blocks(Segmenter(LoudVoice(), start), samples, [WINDOW])
    assert found.speech == whole.speech
    assert found.pieces == whole.pieces
    kept = [span for piece in found.pieces for span in piece.spans]
    assert all(first.end <= second.start for first, second in itertools.pairwise(kept))
    assert subtract_spans(found.speech, kept) == []
    assert all(start <= span.start < span.end <= start + len(samples) for span in kept)
    assert all(piece.length <= LONGEST for piece in found.pieces)


def test_carries_the_detector_s_state_however_the_audio_is_cut(dictation: Samples) -> None:
    whole = SileroVoice().push(dictation)
    voice = SileroVoice()
    parts = [voice.push(dictation[at : at + 7001]) for at in range(0, len(dictation), 7001)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-4)


def test_finds_what_the_engine_s_own_detector_finds_in_the_whole_recording(dictation: Samples) -> None:
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(min_silence_duration_ms=400, speech_pad_ms=0, max_speech_duration_s=25.0)
    theirs = [Span(found["start"], found["end"]) for found in get_speech_timestamps(dictation, options)]
    ours = cut_in_blocks(Segmenter(SileroVoice()), dictation, [16_000]).speech
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.start == pytest.approx(other.start, abs=2 * WINDOW)
        assert mine.end == pytest.approx(other.end, abs=2 * WINDOW)


def test_hears_no_speech_in_noise_and_silence(noise: Samples) -> None:
    cut = cut_in_blocks(Segmenter(SileroVoice()), np.concatenate([noise, np.zeros_like(noise)]), [8000])
    assert cut == Cut()


def spans(*pairs: tuple[float, float]) -> list[Span]:
    return [Span(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)) for start, end in pairs]


def test_a_silence_is_one_in_which_neither_channel_speaks() -> None:
    room, call = spans((0, 5), (20, 25)), spans((7, 10), (10.5, 14))
    assert find_silences([*room, *call]) == spans((14, 20))


def test_silences_begin_at_three_seconds_and_lie_between_speech() -> None:
    assert find_silences(spans((10, 20), (22.9, 30), (33, 40))) == spans((30, 33))
    assert find_silences([]) == find_silences(spans((50, 60))) == []


def test_a_pause_of_the_recording_is_no_silence() -> None:
    speech = spans((0, 10), (30, 40))
    assert find_silences(speech, spans((10, 30))) == []
    assert find_silences(speech, spans((14, 26))) == spans((10, 14), (26, 30))
