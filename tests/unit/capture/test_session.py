"""A session of frames becomes segments: in order of time over both channels, with silences, once each."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.capture.audio import SAMPLE_RATE, Samples
from gateway.capture.frames import Frame, FrameLog
from gateway.capture.material import Channel, Segment, Source, Speaker, gather_material
from gateway.capture.ordering import Sequencer
from gateway.capture.scripted import LoudVoice
from gateway.capture.session import LiveTranscript, PieceWork

ROOM, CALL = Channel.ROOM, Channel.CALL


def sound(seconds: float, *spoken: tuple[float, float]) -> Samples:
    samples = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    for start, end in spoken:
        samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)] = 0.9
    return samples


def send(log: FrameLog, channel: Channel, samples: Samples, frame_seconds: float = 0.5) -> None:
    """The next frames of a channel."""
    ack = log.acknowledge(channel)
    pcm = (samples * 32767).astype("<i2")
    size = round(frame_seconds * SAMPLE_RATE)
    for number, at in enumerate(range(0, len(pcm), size), start=ack.number):
        log.take(Frame(channel, number, ack.start + at, pcm[at : at + size].tobytes()))


def say(work: PieceWork) -> list[Segment]:
    """One segment for each stretch of a piece: what a hearing could have made of it."""
    return [
        Segment(
            0,
            Source.SESSION,
            Speaker.UNKNOWN,
            work.channel.value,
            span.start / SAMPLE_RATE,
            span.end / SAMPLE_RATE,
            channel=work.channel,
        )
        for span in work.piece.spans
    ]


def hear_all(transcript: LiveTranscript, finished: bool = True) -> list[Segment]:
    while transcript.listen(finished):
        pass
    found = list(transcript.collect())
    while (work := transcript.next_piece()) is not None:
        transcript.put(work, say(work))
        found += transcript.collect()
    return found


def started(segments: list[Segment]) -> list[tuple[str, float]]:
    return [(one.text or one.source.value, round(one.start_seconds, 1)) for one in segments]


def test_what_is_said_in_turn_comes_in_turn_with_the_silence_between() -> None:
    log = FrameLog([ROOM, CALL])
    send(log, ROOM, sound(60, (1, 6), (20, 24), (40, 52)))
    send(log, CALL, sound(60, (8, 18), (24.5, 33)))
    segments = hear_all(LiveTranscript(log, LoudVoice))
    assert started(segments) == [
        ("room", 0.8),
        ("call", 7.8),
        ("room", 19.8),
        ("call", 24.3),
        ("silence", 33.0),
        ("room", 39.8),
    ]
    assert segments[4].end_seconds == pytest.approx(40.0, abs=0.05)
    assert [segment.number for segment in segments] == [1, 2, 3, 4, 5, 6]
    assert gather_material(segments).segments == tuple(segments)


def test_gives_nothing_before_all_that_was_said_earlier_is_heard() -> None:
    log = FrameLog([ROOM, CALL])
    transcript = LiveTranscript(log, LoudVoice)
    send(log, ROOM, sound(30, (1, 12)))
    send(log, CALL, sound(30, (2, 14)))
    transcript.listen()
    assert transcript.pieces_waiting == 2
    room, call = transcript.next_piece(), transcript.next_piece()
    assert room is not None
    assert call is not None
    assert transcript.next_piece() is None
    transcript.put(call, say(call))
    assert transcript.collect() == ()
    transcript.put(room, say(room))
    assert [segment.channel for segment in transcript.collect()] == [ROOM, CALL]


def test_sound_is_needed_from_the_first_word_on_that_nobody_heard() -> None:
    log = FrameLog([ROOM, CALL])
    send(log, ROOM, sound(60, (1, 6), (40, 52)))
    send(log, CALL, sound(60, (20, 24)))
    transcript = LiveTranscript(log, LoudVoice)
    while transcript.listen(finished=True):
        pass
    needed = [transcript.heard_until / SAMPLE_RATE]
    while (work := transcript.next_piece()) is not None:
        assert transcript.heard_until == work.span.start  # it is being heard
        transcript.put(work, say(work))
        needed.append(transcript.heard_until / SAMPLE_RATE)
    assert needed == [pytest.approx(0.8, abs=0.1), pytest.approx(19.8, abs=0.1), pytest.approx(39.8, abs=0.1), math.inf]


def test_pieces_close_while_the_session_goes_on() -> None:
    log = FrameLog([ROOM])
    transcript = LiveTranscript(log, LoudVoice)
    segments: list[Segment] = []
    for _ in range(20):
        send(log, ROOM, sound(15, (0.5, 12)))
        segments += hear_all(transcript, finished=False)
    assert len(segments) == 20 + 19
    assert [segment.number for segment in segments] == list(range(1, 40))


def test_a_channel_that_sends_no_more_is_not_waited_for() -> None:
    log = FrameLog([ROOM, CALL])
    transcript = LiveTranscript(log, LoudVoice)
    send(log, CALL, sound(5))
    send(log, ROOM, sound(200, (1, 12), (100, 112)))
    assert [segment.text for segment in hear_all(transcript, finished=False)] == ["room", "", "room"]


def test_a_piece_has_the_other_channel_s_sound_beside_it() -> None:
    log = FrameLog([ROOM, CALL])
    send(log, ROOM, sound(20, (1, 12)))
    send(log, CALL, sound(20, (11, 15)))
    transcript = LiveTranscript(log, LoudVoice)
    transcript.listen(finished=True)
    work = transcript.next_piece()
    assert work is not None
    assert work.channel is ROOM
    assert len(work.own) == len(work.other) == work.span.length == len(work.samples)
    assert work.samples.max() == pytest.approx(0.9, abs=0.001)
    assert not work.other[: 9 * SAMPLE_RATE].any()
    assert work.other[-SAMPLE_RATE // 2 :].any()


def test_a_pause_of_the_recording_is_no_silence_and_no_speech() -> None:
    log = FrameLog([ROOM])
    send(log, ROOM, sound(14, (1, 13)))
    log.pause(14 * SAMPLE_RATE)
    send(log, ROOM, sound(20, (1, 19)))
    log.resume(34 * SAMPLE_RATE)
    send(log, ROOM, sound(14, (1, 13)))
    assert [segment.source for segment in hear_all(LiveTranscript(log, LoudVoice))] == [Source.SESSION] * 2


def test_nothing_of_what_was_struck_comes_out() -> None:
    log = FrameLog([ROOM])
    transcript = LiveTranscript(log, LoudVoice)
    send(log, ROOM, sound(40, (1, 12), (14, 18), (19, 39)))
    transcript.listen()
    first = transcript.next_piece()
    assert first is not None
    cut = log.strike(15, now=40 * SAMPLE_RATE)
    transcript.strike(cut)
    transcript.put(first, say(first))
    send(log, ROOM, sound(20, (2, 8)))
    segments = hear_all(transcript)
    assert started(segments) == [("room", 0.8), ("room", 13.8), ("room", 18.8), ("room", 41.8)]
    assert segments[2].end_seconds == pytest.approx(25.2, abs=0.1)


def test_a_piece_that_was_struck_while_it_was_heard_leaves_nothing() -> None:
    log = FrameLog([ROOM])
    transcript = LiveTranscript(log, LoudVoice)
    send(log, ROOM, sound(20, (1, 15)))
    transcript.listen()
    work = transcript.next_piece()
    assert work is not None
    transcript.strike(log.strike(60, now=20 * SAMPLE_RATE))
    transcript.put(work, say(work))
    assert hear_all(transcript) == []


def test_looks_at_a_long_replay_in_parts() -> None:
    log = FrameLog([ROOM])
    transcript = LiveTranscript(log, LoudVoice)
    send(log, ROOM, sound(100, (1, 5)))
    assert [transcript.listen() for _ in range(4)] == [True, True, True, False]


@given(
    turns=st.lists(st.tuples(st.sampled_from([ROOM, CALL]), st.floats(0.5, 8), st.floats(0.5, 6)), max_size=12),
    steps=st.lists(st.floats(0.5, 40), min_size=1, max_size=3),
    delay=st.integers(0, 3),
)
@settings(max_examples=40, deadline=None)
def test_however_the_frames_come_the_transcript_is_the_same(
    turns: list[tuple[Channel, float, float]], steps: list[float], delay: int
) -> None:
    total = sum(length + pause for _, length, pause in turns) + 2
    spoken_in: dict[Channel, list[tuple[float, float]]] = {ROOM: [], CALL: []}
    at = 1.0
    for channel, length, pause in turns:
        spoken_in[channel].append((at, at + length))
        at += length + pause
    sounds = {channel: sound(total, *spans) for channel, spans in spoken_in.items()}

    whole = FrameLog([ROOM, CALL])
    for channel, samples in sounds.items():
        send(whole, channel, samples)
    expected = hear_all(LiveTranscript(whole, LoudVoice))

    log = FrameLog([ROOM, CALL])
    transcript = LiveTranscript(log, LoudVoice)
    found: list[Segment] = []
    pending: list[PieceWork] = []
    position = 0
    for step in itertools.cycle(steps):
        if position >= len(sounds[ROOM]):
            break
        following = position + round(step * SAMPLE_RATE)
        for channel, samples in sounds.items():
            send(log, channel, samples[position:following])
        position = following
        while transcript.listen():
            pass
        while (work := transcript.next_piece()) is not None:
            pending.append(work)
        while len(pending) > delay:  # heard out of turn, some time later
            done = pending.pop()
            transcript.put(done, say(done))
        found += transcript.collect()
    while transcript.listen(finished=True):
        pass
    for work in pending:
        transcript.put(work, say(work))
    found += hear_all(transcript)
    assert found == expected
    starts = [segment.start_seconds for segment in found]
    assert starts == sorted(starts)


def test_numbers_are_never_used_again() -> None:
    sequencer = Sequencer(5)
    sequencer.add(
        [Segment(0, Source.SESSION, Speaker.UNKNOWN, text, at, at + 1) for text, at in (("b", 2.0), ("a", 1.0))]
    )
    assert [(one.number, one.text) for one in sequencer.release(1.5)] == [(5, "a")]
    sequencer.drop(2.5)
    assert sequencer.release(99) == ()
    sequencer.add([Segment(0, Source.SESSION, Speaker.UNKNOWN, "c", 3.0, 4.0)])
    assert [one.number for one in sequencer.release(99)] == [6]
