"""Two channels are two speakers only while they differ; nobody is guessed."""

import numpy as np
import pytest

from gateway.capture.audio import SAMPLE_RATE, Samples
from gateway.capture.material import Channel, Speaker
from gateway.capture.spans import Span
from gateway.capture.speakers import Likeness, SpeakerMark, compare_channels, name_speaker, widen_span

BOTH = (Channel.ROOM, Channel.CALL)
SECONDS = 3


@pytest.fixture(scope="module")
def voices(dictation: Samples) -> tuple[Samples, Samples]:
    """Two stretches of speech in which different things are said; by the same voice, the harder case."""
    count = SECONDS * SAMPLE_RATE
    return dictation[2 * SAMPLE_RATE :][:count], dictation[20 * SAMPLE_RATE :][:count]


def in_room(samples: Samples, level: float, delay_seconds: float = 0.03, echo_seconds: float = 0.4) -> Samples:
    """As a loudspeaker's sound arrives at the room's microphone: later, weaker, with the room's echo, in noise."""
    rng = np.random.default_rng(3)
    count = int(echo_seconds * SAMPLE_RATE)
    echo = rng.normal(size=count) * np.exp(-6.9 * np.arange(count) / count) * 0.05
    echo[0] = 1.0
    delayed = np.concatenate([np.zeros(int(delay_seconds * SAMPLE_RATE)), np.convolve(samples, echo)])[: len(samples)]
    return (level * delayed + rng.normal(0, 0.001, len(samples))).astype(np.float32)


def test_two_people_are_two_sounds(voices: tuple[Samples, Samples]) -> None:
    likeness = compare_channels(*voices)
    assert not likeness.same_sound
    assert likeness.peak < 7


@pytest.mark.parametrize("level", [1.0, 0.3, 0.05])
@pytest.mark.parametrize("echo_seconds", [0.2, 0.6])
def test_finds_what_a_loudspeaker_bleeds_into_the_room(
    voices: tuple[Samples, Samples], level: float, echo_seconds: float
) -> None:
    patient = voices[0]
    room = in_room(patient, level, echo_seconds=echo_seconds)
    likeness = compare_channels(room, patient)
    assert likeness.first_is_copy
    assert likeness.lag_seconds == pytest.approx(0.03, abs=0.002)
    assert not compare_channels(patient, room).first_is_copy


def test_the_clinician_s_voice_over_a_weak_bleed_stays_hers(voices: tuple[Samples, Samples]) -> None:
    patient, clinician = voices
    assert not compare_channels(clinician + in_room(patient, 0.05), patient).same_sound


def test_both_at_once_with_a_strong_bleed_is_doubtful(voices: tuple[Samples, Samples]) -> None:
    patient, clinician = voices
    assert compare_channels(clinician + in_room(patient, 0.6), patient).first_is_copy


def test_two_microphones_in_one_room_are_both_doubtful(voices: tuple[Samples, Samples]) -> None:
    near = in_room(voices[0], 0.9, delay_seconds=0.001)
    assert compare_channels(voices[0], near).first_is_copy
    assert compare_channels(near, voices[0]).first_is_copy


def test_silence_is_like_nothing(voices: tuple[Samples, Samples]) -> None:
    silence = np.zeros_like(voices[0])
    assert compare_channels(voices[0], silence) == compare_channels(silence, silence) == Likeness()
    assert compare_channels(silence[:0], silence[:0]) == Likeness()


def test_noise_in_both_is_not_the_same_sound() -> None:
    rng = np.random.default_rng(1)
    first, second = (rng.normal(0, 0.1, SAMPLE_RATE).astype(np.float32) for _ in range(2))
    assert not compare_channels(first, second).same_sound


SPAN = Span(100, 200)
COPY = Likeness(30.0, 0.6, 0.03)


def test_two_channels_that_differ_are_clinician_and_patient() -> None:
    assert name_speaker(SPAN, Channel.ROOM, BOTH) is Speaker.CLINICIAN
    assert name_speaker(SPAN, Channel.CALL, BOTH) is Speaker.PATIENT
    assert name_speaker(SPAN, Channel.CALL, BOTH, likeness=Likeness(30.0, 0.6, -0.03)) is Speaker.PATIENT


def test_a_copy_is_nobody_s() -> None:
    assert name_speaker(SPAN, Channel.ROOM, BOTH, likeness=COPY) is Speaker.UNKNOWN


def test_one_microphone_is_nobody_s_unless_marked() -> None:
    assert name_speaker(SPAN, Channel.ROOM, (Channel.ROOM,)) is Speaker.UNKNOWN
    marks = [SpeakerMark(Span(0, 149), Speaker.CLINICIAN), SpeakerMark(Span(149, 300), Speaker.PATIENT)]
    assert name_speaker(SPAN, Channel.ROOM, (Channel.ROOM,), marks) is Speaker.PATIENT
    assert name_speaker(SPAN, Channel.ROOM, (Channel.ROOM,), marks[:1]) is Speaker.UNKNOWN


def test_marks_that_contradict_each_other_decide_nothing() -> None:
    marks = [SpeakerMark(Span(100, 150), Speaker.CLINICIAN), SpeakerMark(Span(150, 200), Speaker.PATIENT)]
    assert name_speaker(SPAN, Channel.ROOM, (Channel.ROOM,), marks) is Speaker.UNKNOWN


def test_a_short_sentence_is_compared_with_what_surrounds_it() -> None:
    assert widen_span(Span(50_000, 51_000), 1_000_000).length == SAMPLE_RATE
    assert widen_span(Span(100, 200), 1_000_000) == Span(0, SAMPLE_RATE)
    assert widen_span(Span(99_900, 100_000), 100_000).end == 100_000
    assert widen_span(Span(0, 90_000), 100_000) == Span(0, 90_000)
