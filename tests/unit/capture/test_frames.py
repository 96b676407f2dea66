"""Frames of a session: whatever the connection does, every sample is there once and in its place."""

import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.capture.audio import SAMPLE_RATE
from gateway.capture.frames import Ack, Frame, FrameLimits, FrameLog, read_frame
from gateway.capture.material import Channel
from gateway.capture.spans import Span
from gateway.errors import CaptureError

ROOM, CALL = Channel.ROOM, Channel.CALL


def pcm(start: int, count: int) -> bytes:
    """Samples that say where they belong; never 0."""
    return (np.arange(start, start + count) % 30_000 + 1).astype("<i2").tobytes()


def make_frames(lengths: list[int], channel: Channel = ROOM) -> list[Frame]:
    frames, start = [], 0
    for number, length in enumerate(lengths):
        frames.append(Frame(channel, number, start, pcm(start, length)))
        start += length
    return frames


def read_back(log: FrameLog, channel: Channel, count: int) -> list[int]:
    return [round(value * 32768) for value in log.read(channel, Span(0, count)).tolist()]


def expect(count: int, *without: Span) -> list[int]:
    values = (np.arange(count) % 30_000 + 1).tolist()
    for span in without:
        values[span.start : span.end] = [0] * max(0, min(span.end, count) - span.start)
    return values


def test_acknowledges_what_is_here_without_a_gap() -> None:
    log = FrameLog([ROOM])
    first, second, third = make_frames([100, 100, 100])
    assert log.take(first) == Ack(ROOM, 1, 100)
    assert log.take(third) == Ack(ROOM, 1, 100)
    assert log.missing(ROOM) == (1,)
    assert log.take(second) == Ack(ROOM, 3, 300) == log.acknowledge(ROOM)
    assert read_back(log, ROOM, 300) == expect(300)


def test_a_frame_that_comes_again_changes_nothing() -> None:
    log = FrameLog([ROOM])
    (frame,) = make_frames([100])
    log.take(frame)
    assert log.take(frame) == Ack(ROOM, 1, 100)
    assert log.take(Frame(ROOM, 0, 0, b"\0\0" * 100)) == Ack(ROOM, 1, 100)
    assert read_back(log, ROOM, 100) == expect(100)
    assert log.size_bytes == 200


def test_a_frame_far_ahead_is_left_to_be_sent_again() -> None:
    log = FrameLog([ROOM], FrameLimits(frames_ahead=2))
    frames = make_frames([10] * 4)
    log.take(frames[3])
    assert log.size_bytes == 0
    for frame in frames:
        log.take(frame)
    assert read_back(log, ROOM, 40) == expect(40)


def test_knows_the_gap_of_a_machine_that_slept_and_of_frames_lost_for_good() -> None:
    log = FrameLog([ROOM])
    log.take(Frame(ROOM, 0, 0, pcm(0, 10)))
    log.take(Frame(ROOM, 1, 50, pcm(50, 10)))
    log.take(Frame(ROOM, 3, 70, pcm(70, 10)))
    assert log.gaps(ROOM) == (Span(10, 50),)
    log.skip_missing()
    assert log.gaps(ROOM) == (Span(10, 50), Span(60, 70))
    assert log.acknowledge(ROOM) == Ack(ROOM, 4, 80)
    assert read_back(log, ROOM, 80) == expect(80, Span(10, 50), Span(60, 70))


def test_strikes_from_then_on_also_what_is_still_on_its_way() -> None:
    log = FrameLog([ROOM, CALL])
    second = SAMPLE_RATE
    for frame in make_frames([second] * 4):
        log.take(frame)
    assert log.strike(2.0, now=5 * second) == 3 * second
    log.take(Frame(ROOM, 4, 4 * second, pcm(4 * second, 2 * second)))
    log.take(Frame(CALL, 0, 0, pcm(0, second)))
    log.take(Frame(CALL, 1, 4 * second, pcm(4 * second, second)))
    assert read_back(log, ROOM, 6 * second) == expect(6 * second, Span(3 * second, 5 * second))
    assert not log.read(CALL, Span(3 * second, 5 * second)).any()
    assert log.size_bytes == (4 + 1) * second * 2
    assert log.gaps(CALL) == (Span(second, 3 * second),)
    assert log.struck == (Span(3 * second, 5 * second),)


def test_a_strike_longer_than_the_session_takes_all_of_it() -> None:
    log = FrameLog([ROOM])
    log.take(Frame(ROOM, 0, 0, pcm(0, 500)))
    assert log.strike(120.0, now=500) == 0
    assert log.size_bytes == 0


def test_keeps_nothing_of_a_pause_and_calls_it_no_gap() -> None:
    log = FrameLog([ROOM])
    log.take(Frame(ROOM, 0, 0, pcm(0, 100)))
    log.pause(80)
    log.pause(90)
    log.take(Frame(ROOM, 1, 100, pcm(100, 100)))
    log.resume(300)
    log.resume(400)
    log.take(Frame(ROOM, 2, 290, pcm(290, 20)))
    assert log.paused == (Span(80, 300),)
    assert log.gaps(ROOM) == ()
    assert read_back(log, ROOM, 310) == expect(310, Span(80, 300))


def test_forgets_what_was_heard() -> None:
    log = FrameLog([ROOM])
    for frame in make_frames([100] * 5):
        log.take(frame)
    held = list(log._tracks[ROOM].blocks)
    log.forget(ROOM, Span(150, 420))
    assert [block.any() for block in held] == [True, False, False, False, False]  # overwritten, not only let go
    assert read_back(log, ROOM, 500) == expect(500, Span(150, 420))
    assert log.size_bytes == 2 * (150 + 80)
    assert log.gaps(ROOM) == ()


def test_knows_what_of_a_stretch_is_here_and_what_was_let_go() -> None:
    log = FrameLog([ROOM, CALL])
    log.take(Frame(ROOM, 0, 0, pcm(0, 100)))
    log.take(Frame(ROOM, 1, 200, pcm(200, 100)))
    for span in (Span(250, 260), Span(20, 40), Span(40, 60)):
        log.forget(ROOM, span)
    held = {(0, 10): True, (15, 25): True, (25, 55): False, (100, 200): False, (50, 61): True, (299, 400): True}
    assert {span: log.holds(ROOM, Span(*span)) for span in held} == held
    gone = {(0, 20): False, (0, 21): True, (30, 31): True, (59, 60): True, (60, 250): False, (259, 400): True}
    assert {span: log.has_forgotten(ROOM, Span(*span)) for span in gone} == gone
    assert not log.holds(CALL, Span(0, 300))
    assert not log.has_forgotten(CALL, Span(0, 300))


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (Frame(CALL, 0, 0, b"\1\1"), "frames.garbled"),
        (Frame(ROOM, 0, 0, b""), "frames.garbled"),
        (Frame(ROOM, 0, 0, b"\1\1\1"), "frames.garbled"),
        (Frame(ROOM, -1, 0, b"\1\1"), "frames.garbled"),
        (Frame(ROOM, 0, 0, b"\1\1" * (2 * SAMPLE_RATE + 1)), "frames.garbled"),
        (Frame(ROOM, 0, 240 * 60 * SAMPLE_RATE, b"\1\1"), "frames.too-long"),
    ],
)
def test_refuses_what_is_no_frame_of_this_session(frame: Frame, code: str) -> None:
    log = FrameLog([ROOM])
    with pytest.raises(CaptureError) as caught:
        log.take(frame)
    assert caught.value.code == code
    assert log.size_bytes == 0


def test_says_so_when_the_clock_of_the_page_began_anew() -> None:
    log = FrameLog([ROOM])
    log.take(Frame(ROOM, 0, 0, pcm(0, 100)))
    with pytest.raises(CaptureError) as caught:
        log.take(Frame(ROOM, 1, 0, pcm(0, 100)))
    assert caught.value.code == "frames.clock"
    assert log.take(Frame(ROOM, 1, 100, pcm(100, 100))) == Ack(ROOM, 2, 200)


def test_reads_a_message_of_the_page() -> None:
    header = struct.pack("<BBxxIQ", 1, 1, 7, 1 << 33)
    assert read_frame(header + b"\1\2") == Frame(CALL, 7, 1 << 33, b"\1\2")


@pytest.mark.parametrize(
    "message", [b"", b"\1" * 15, struct.pack("<BBxxIQ", 2, 0, 0, 0), struct.pack("<BBxxIQ", 1, 2, 0, 0)]
)
def test_refuses_a_message_of_another_kind(message: bytes) -> None:
    with pytest.raises(CaptureError):
        read_frame(message)


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=25),
    seed=st.integers(0, 2**32),
    loss=st.floats(0, 0.9),
    ahead=st.integers(1, 8),
)
@settings(max_examples=200, deadline=None)
def test_a_connection_that_drops_doubles_and_shuffles_loses_nothing(
    lengths: list[int], seed: int, loss: float, ahead: int
) -> None:
    rng = random.Random(seed)
    log = FrameLog([ROOM], FrameLimits(frames_ahead=ahead))
    frames = make_frames(lengths)
    for _ in range(10_000):
        ack = log.acknowledge(ROOM)
        if ack.number == len(frames):
            break
        sent = [frame for frame in frames[max(0, ack.number - 2) : ack.number + 6] if rng.random() >= loss]
        rng.shuffle(sent)
        for frame in sent:
            log.take(frame)
    total = sum(lengths)
    assert log.acknowledge(ROOM) == Ack(ROOM, len(frames), total)
    assert read_back(log, ROOM, total) == expect(total)
    assert log.size_bytes == 2 * total
    assert log.gaps(ROOM) == log.missing(ROOM) == ()


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=25),
    events=st.lists(
        st.tuples(st.integers(0, 25), st.sampled_from(["pause", "resume", "strike"]), st.integers(1, 200)), max_size=6
    ),
)
@settings(max_examples=200, deadline=None)
def test_of_a_paused_or_struck_stretch_nothing_is_kept_and_of_the_rest_all(
    lengths: list[int], events: list[tuple[int, str, int]]
) -> None:
    log = FrameLog([ROOM])
    total = sum(lengths)
    frames = make_frames(lengths)
    for index, frame in enumerate(frames):
        for at, kind, amount in events:
            if at == index:
                if kind == "pause":
                    log.pause(frame.start)
                elif kind == "resume":
                    log.resume(frame.start)
                else:
                    log.strike(amount / SAMPLE_RATE, now=frame.start)
        log.take(frame)
    unwanted = [*log.paused, *log.struck]
    assert read_back(log, ROOM, total) == expect(total, *unwanted)
    assert log.gaps(ROOM) == ()
    assert log.acknowledge(ROOM).start == total
