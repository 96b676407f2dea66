"""Recordings become samples: WAV or FLAC bytes in, float32 (samples,), [-1, 1], 16 kHz, mono out.

Everything happens in memory: the bytes are read where they lie and nothing is written to a file. Work and memory
are bounded before and while decoding, so that a small file that unpacks to ten hours ends in one sentence.
"""

import io
import math
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from gateway.capture.resampling import Resampler
from gateway.errors import CaptureError

SAMPLE_RATE = 16_000
"""Hz; what the speech models hear."""

Samples = npt.NDArray[np.float32]

_BLOCK_SECONDS = 10
_LOUD_ENOUGH = 10 ** (-60 / 20)  # −60 dBFS: below it no window of 30 ms holds speech that a model could hear
_FORMATS = ("WAV", "WAVEX", "FLAC")
_WAV_TAGS = (1, 3, 0xFFFE)  # PCM, float, extensible: no other decoder of the library is ever begun
_MOST_CHUNKS = 100  # before the sound; a recorder writes ten at most
_SUBTYPES = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
_MOST_PHASES = 640  # 11025 Hz needs as many sets of filter taps, a rate like 44101 Hz needs 16,000: 100 MB
_UNKNOWN_FRAMES = 1 << 62  # libsndfile's word for "the header does not say" is near 2^63
_UNKNOWN_BYTES = 0x7FFF_F000  # a WAV that was written as a stream declares this much or more


@dataclass(frozen=True, slots=True)
class AudioLimits:
    """How much a site takes at once. The samples of an hour are 230 MB, twice that for a moment."""

    size_bytes: int = 100_000_000
    minutes: float = 60.0
    channels: int = 2
    lowest_rate: int = 8_000  # Hz
    highest_rate: int = 96_000  # Hz
    decode_seconds: float = 60.0


def decode_audio(
    data: bytes, limits: AudioLimits = AudioLimits(), clock: Callable[[], float] = time.monotonic
) -> Samples:
    """Decode one recording.

    Args:
        data: the whole file, WAV (PCM or float) or FLAC.
        limits: what the site takes.
        clock: monotonic seconds.

    Returns:
        float32 (samples,), [-1, 1], 16 kHz, mono (the mean of the channels), never empty, not silent.

    Raises:
        CaptureError: it is no such recording, empty, cut short, beyond a limit, or nothing was said in it.
    """
    deadline = clock() + limits.decode_seconds
    if not data:
        raise CaptureError("audio.empty", "The recording is empty: record it or choose the file again.")
    if len(data) > limits.size_bytes:
        raise CaptureError(
            "audio.too-large",
            f"The recording is larger than {limits.size_bytes / 1e6:.0f} MB: send it as FLAC or in shorter parts.",
        )
    _require_known_kind(data)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            _require_shape(sound, limits)
            samples = _decode(sound, limits, deadline, clock)
    except soundfile.SoundFileError as error:
        raise _damaged() from error
    _require_sound(samples)
    return samples


def _require_known_kind(data: bytes) -> None:
    if data[:4] == b"fLaC":
        return
    if data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE":
        _require_whole_wav(data)
        return
    raise CaptureError(
        "audio.unknown-kind", "This is not a WAV or FLAC recording: export it as one of these and try again."
    )


def _require_whole_wav(data: bytes) -> None:
    """Compare what the data chunk declares with what arrived; libsndfile itself takes a cut file as a short one.

    The layout: https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html
    """
    position = 12
    for _ in range(_MOST_CHUNKS):
        if position + 8 > len(data):
            raise _cut_short()
        name, size = struct.unpack_from("<4sI", data, position)
        tag = data[position + 8 : position + 10]
        if name == b"fmt " and len(tag) == 2 and int.from_bytes(tag, "little") not in _WAV_TAGS:
            raise _other_encoding()
        if name == b"data":
            if size < _UNKNOWN_BYTES and position + 8 + size > len(data):
                raise _cut_short()
            return
        position += 8 + size + size % 2
    raise _damaged()


def _require_shape(sound: Any, limits: AudioLimits) -> None:
    """Refuse by what the header says, before anything is decoded."""
    if sound.format not in _FORMATS or sound.subtype not in _SUBTYPES:
        raise _other_encoding()
    if sound.channels > limits.channels:
        raise CaptureError(
            "audio.channels",
            f"The recording has {sound.channels} channels and at most {limits.channels} are taken: export it as mono.",
        )
    is_usual = SAMPLE_RATE // math.gcd(sound.samplerate, SAMPLE_RATE) <= _MOST_PHASES
    if not is_usual or not limits.lowest_rate <= sound.samplerate <= limits.highest_rate:
        raise CaptureError(
            "audio.rate",
            f"The recording has {sound.samplerate} samples a second, a rate that is not taken: export it with 16000 or "
            "48000.",
        )
    if sound.frames == 0:
        raise CaptureError("audio.empty", "The recording holds no sound: record it again.")
    if sound.frames < _UNKNOWN_FRAMES and sound.frames > limits.minutes * 60 * sound.samplerate:
        raise _too_long(limits)


def _decode(sound: Any, limits: AudioLimits, deadline: float, clock: Callable[[], float]) -> Samples:
    resampler = Resampler(sound.samplerate, SAMPLE_RATE)
    most_frames = math.ceil(limits.minutes * 60 * sound.samplerate)
    blocks: list[Samples] = []
    frames = 0
    for block in _read_blocks(sound):
        frames += len(block)
        if frames > most_frames:
            raise _too_long(limits)
        if clock() > deadline:
            raise CaptureError(
                "audio.slow", "The recording took too long to decode: send it as 16-bit WAV or in shorter parts."
            )
        if not np.isfinite(block).all():
            raise _damaged()
        blocks.append(_clip(resampler.push(_clip(block))))
    if frames < sound.frames < _UNKNOWN_FRAMES:
        raise _cut_short()
    blocks.append(_clip(resampler.flush()))
    return np.concatenate(blocks)


def _read_blocks(sound: Any) -> Iterator[Samples]:
    """Blocks of mono frames until the sound ends."""
    while True:
        block = sound.read(_BLOCK_SECONDS * sound.samplerate, dtype="float32", always_2d=True)
        if not len(block):
            return
        with np.errstate(over="ignore", invalid="ignore"):  # floats that are no sound: the caller refuses the result
            mono = block.mean(axis=1, dtype=np.float32)
        yield mono


def _clip(samples: Samples) -> Samples:
    return np.clip(samples, -1.0, 1.0)


def _require_sound(samples: Samples) -> None:
    """A recording in which no 30 ms are louder than −60 dBFS is silence (a wrong microphone, a muted one)."""
    frame = SAMPLE_RATE * 30 // 1000
    whole = samples[: len(samples) // frame * frame].reshape(-1, frame)
    power = np.einsum("ij,ij->i", whole, whole) / frame
    if not len(power) or float(power.max()) < _LOUD_ENOUGH**2:
        raise nothing_was_said()


def encode_wav(samples: Samples) -> bytes:
    """A WAV file in memory, 16-bit PCM, of float32 (samples,), [-1, 1], 16 kHz, mono.

    The layout: https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html
    """
    pcm: bytes = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2").tobytes()
    layout = (b"RIFF", 36 + len(pcm), b"WAVE", b"fmt ", 16, 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16)
    return struct.pack("<4sI4s4sIHHIIHH", *layout) + struct.pack("<4sI", b"data", len(pcm)) + pcm


def nothing_was_said() -> CaptureError:
    """The recording is whole, and there is no speech in it."""
    return CaptureError(
        "audio.silent",
        "Nothing was said in this recording: check that the right microphone is on, and record it again.",
    )


def _other_encoding() -> CaptureError:
    return CaptureError(
        "audio.encoding", "The recording's encoding is not supported: export it as 16-bit WAV or as FLAC."
    )


def _damaged() -> CaptureError:
    return CaptureError("audio.damaged", "The recording is damaged and can't be read: record it or export it again.")


def _cut_short() -> CaptureError:
    return CaptureError("audio.cut-short", "The recording is cut short: part of it did not arrive. Send it again.")


def _too_long(limits: AudioLimits) -> CaptureError:
    return CaptureError(
        "audio.too-long",
        f"The recording is longer than {limits.minutes:g} minutes: send it in shorter parts.",
    )
