"""Numbered frames of a session become one recording a channel: nothing lost, nothing doubled, order kept.

In: frames of 16 kHz mono int16, numbered from 0 in each channel, each with the sample of the session's clock at
which it starts; marks of pauses; strikes. Out: what is acknowledged, the samples, and what is known to be missing.
A pure data structure: no socket, no clock, no file. Of a paused or struck stretch it keeps nothing, whenever its
frames arrive.
"""

import bisect
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gateway.capture.audio import SAMPLE_RATE, Samples
from gateway.capture.material import Channel
from gateway.capture.spans import FOR_EVER, Span, merge_spans, subtract_spans
from gateway.errors import CaptureError

_HEADER = struct.Struct("<BBxxIQ")  # version, channel, two unused bytes, number, start; then the PCM
_VERSION = 1
_CHANNELS = (Channel.ROOM, Channel.CALL)

Pcm = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it arrives. ``number`` counts from 0 in its channel; ``start`` is its first sample on the clock."""

    channel: Channel
    number: int
    start: int
    pcm: bytes  # int16, little endian


@dataclass(frozen=True, slots=True)
class Ack:
    """All frames of the channel before ``number`` are here, up to sample ``start`` of the clock: go on from there."""

    channel: Channel
    number: int
    start: int


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """How much a session may send. Four hours of two channels are 920 MB."""

    minutes: float = 240.0
    frame_seconds: float = 2.0
    frames_ahead: int = 64  # kept while one before them is missing; later ones have to be sent again


@dataclass(slots=True)
class _Track:
    """One channel: blocks that do not overlap, by their first sample."""

    number: int = 0
    end: int = 0
    starts: list[int] = field(default_factory=list)
    blocks: list[Pcm] = field(default_factory=list)
    ahead: dict[int, Frame] = field(default_factory=dict)
    holes: list[Span] = field(default_factory=list)
    forgotten: list[Span] = field(default_factory=list)


def read_frame(message: bytes) -> Frame:
    """Read one binary message of the page's: a header of 16 bytes (little endian: u8 version 1, u8 channel, 2 unused,
    u32 number, u64 start sample), then the samples.

    Raises:
        CaptureError: it is no such message.
    """
    if len(message) < _HEADER.size:
        raise _garbled("too short")
    version, channel, number, start = _HEADER.unpack_from(message)
    if version != _VERSION or channel >= len(_CHANNELS):
        raise _garbled(f"version {version}, channel {channel}")
    return Frame(_CHANNELS[channel], number, start, message[_HEADER.size :])


class FrameLog:
    """The recording of a session so far. Not for two threads at once."""

    def __init__(self, channels: Sequence[Channel], limits: FrameLimits = FrameLimits()) -> None:
        self._tracks = {channel: _Track() for channel in channels}
        self._limits = limits
        self._pauses: list[Span] = []
        self._struck: list[Span] = []

    @property
    def channels(self) -> tuple[Channel, ...]:
        return tuple(self._tracks)

    @property
    def size_bytes(self) -> int:
        """Of the samples that are held."""
        kept = sum(block.nbytes for track in self._tracks.values() for block in track.blocks)
        return kept + sum(len(frame.pcm) for track in self._tracks.values() for frame in track.ahead.values())

    @property
    def paused(self) -> tuple[Span, ...]:
        """Pauses so far; one that goes on ends nowhere near."""
        return tuple(self._pauses)

    @property
    def struck(self) -> tuple[Span, ...]:
        return tuple(self._struck)

    def take(self, frame: Frame) -> Ack:
        """Take a frame, or know it again; a frame too far ahead is left to be sent again.

        Returns:
            What the sender may forget, whatever became of this frame.

        Raises:
            CaptureError: the frame is no frame of this session, or beyond a limit; nothing of it was taken.
        """
        track = self._track(frame.channel)
        self._require_shape(frame)
        if track.number <= frame.number < track.number + self._limits.frames_ahead:
            track.ahead.setdefault(frame.number, frame)
            while (following := track.ahead.pop(track.number, None)) is not None:
                self._append(track, following)
        return self.acknowledge(frame.channel)

    def acknowledge(self, channel: Channel) -> Ack:
        """Where a sender that comes back goes on."""
        track = self._track(channel)
        return Ack(channel, track.number, track.end)

    def skip_missing(self) -> None:
        """Wait no longer for frames that did not come: what came after them counts, and they are gaps."""
        for track in self._tracks.values():
            for number in sorted(track.ahead):
                frame = track.ahead.pop(number)
                if frame.start >= track.end:
                    self._append(track, frame)

    def pause(self, at: int) -> None:
        """Keep nothing from this sample on, until ``resume``."""
        if not self._is_paused():
            self._pauses.append(Span(at, FOR_EVER))
            self._blank(self._pauses[-1])

    def resume(self, at: int) -> None:
        """Listen again from this sample on."""
        if self._is_paused():
            start = self._pauses[-1].start
            self._pauses[-1] = Span(start, max(start, at))

    def strike(self, seconds: float, now: int) -> int:
        """Destroy the last ``seconds`` before sample ``now``, also what of it is still on its way.

        Returns:
            The sample from which on it is gone.
        """
        cut = max(0, now - round(seconds * SAMPLE_RATE))
        span = Span(cut, max(cut, now))
        self._struck = merge_spans([*self._struck, span])
        self._blank(span)
        return cut

    def gaps(self, channel: Channel) -> tuple[Span, ...]:
        """What was neither sent nor paused nor struck: the machine slept, or frames were lost for good."""
        return tuple(subtract_spans(self._track(channel).holes, self._unwanted))

    def missing(self, channel: Channel) -> tuple[int, ...]:
        """Numbers of frames that did not come although a later one did."""
        track = self._track(channel)
        return tuple(number for number in range(track.number, max(track.ahead, default=0)) if number not in track.ahead)

    def read(self, channel: Channel, span: Span) -> Samples:
        """float32 (span.length,), [-1, 1], 16 kHz; zeros where nothing was sent or nothing is kept."""
        samples = np.zeros(span.length, np.float32)
        track = self._track(channel)
        first = max(0, bisect.bisect_right(track.starts, span.start) - 1)
        for start, block in zip(track.starts[first:], track.blocks[first:], strict=True):
            if start >= span.end:
                break
            low, high = max(start, span.start), min(start + len(block), span.end)
            if low < high:
                samples[low - span.start : high - span.start] = block[low - start : high - start]
        samples /= 32768.0
        return samples

    def holds(self, channel: Channel, span: Span) -> bool:
        """Whether any sample of a stretch is here."""
        track = self._track(channel)
        first = max(0, bisect.bisect_right(track.starts, span.start) - 1)
        last = bisect.bisect_left(track.starts, span.end)
        return any(
            start + len(track.blocks[at]) > span.start for at, start in enumerate(track.starts[first:last], first)
        )

    def forget(self, channel: Channel, span: Span) -> None:
        """Let the samples of a stretch go; that it was heard stays known."""
        track = self._track(channel)
        _cut_out(track, span)
        track.forgotten = merge_spans([*track.forgotten, span])

    def has_forgotten(self, channel: Channel, span: Span) -> bool:
        """Whether any sample of a stretch was let go."""
        forgotten = self._track(channel).forgotten
        last = bisect.bisect_left(forgotten, span.end, key=lambda one: one.start)
        return last > 0 and forgotten[last - 1].end > span.start

    def _track(self, channel: Channel) -> _Track:
        if channel not in self._tracks:
            raise _garbled(f"no channel {channel.value}")
        return self._tracks[channel]

    def _require_shape(self, frame: Frame) -> None:
        count = len(frame.pcm) // 2
        if not count or len(frame.pcm) % 2 or frame.number < 0 or frame.start < 0:
            raise _garbled(f"frame of {len(frame.pcm)} bytes")
        if count > self._limits.frame_seconds * SAMPLE_RATE:
            raise _garbled(f"frame of {count} samples")
        if frame.start + count > self._limits.minutes * 60 * SAMPLE_RATE:
            raise CaptureError(
                "frames.too-long",
                f"A session is recorded for at most {self._limits.minutes:g} minutes: end it and draft the note.",
            )

    def _append(self, track: _Track, frame: Frame) -> None:
        if frame.start < track.end:  # a page whose clock began anew would be lost without a word
            raise CaptureError(
                "frames.clock",
                "The recording does not go on where it was: pause and resume it.",
                f"frame at {frame.start}, recorded up to {track.end}",
            )
        if frame.start > track.end:
            track.holes.append(Span(track.end, frame.start))
        block = np.frombuffer(frame.pcm, dtype="<i2").astype(np.int16)
        whole = Span(frame.start, frame.start + len(block))
        for part in subtract_spans([whole], self._unwanted):
            track.starts.append(part.start)
            track.blocks.append(block[part.start - whole.start : part.end - whole.start].copy())
        track.number, track.end = frame.number + 1, whole.end

    @property
    def _unwanted(self) -> list[Span]:
        return [*self._pauses, *self._struck]

    def _is_paused(self) -> bool:
        return bool(self._pauses) and self._pauses[-1].end == FOR_EVER

    def _blank(self, span: Span) -> None:
        for track in self._tracks.values():
            _cut_out(track, span)


def _cut_out(track: _Track, span: Span) -> None:
    """Keep what lies outside; the samples inside are overwritten before they are let go."""
    first = max(0, bisect.bisect_right(track.starts, span.start) - 1)
    last = bisect.bisect_left(track.starts, span.end)
    kept: list[tuple[int, Pcm]] = []
    for start, block in zip(track.starts[first:last], track.blocks[first:last], strict=True):
        whole = Span(start, start + len(block))
        outside = subtract_spans([whole], [span])
        kept += [(part.start, block[part.start - start : part.end - start].copy()) for part in outside]
        if outside != [whole]:
            block.fill(0)
    track.starts[first:last] = [start for start, _ in kept]
    track.blocks[first:last] = [block for _, block in kept]


def _garbled(detail: str) -> CaptureError:
    return CaptureError("frames.garbled", "The page sent sound that can't be read: reload the page.", detail)
