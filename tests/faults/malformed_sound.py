"""Recordings that are broken in every way that a file can be, made from whole ones: the same ones for the same seed.

What is changed keeps the first bytes of its kind, so that it gets as far as it can: fields of the headers, sizes of
chunks and blocks, what is there at all and in which order, whole FLAC frames of another recording, single bits.
"""

import io
import random
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import soundfile

from gateway.capture.audio import SAMPLE_RATE, Samples

SIZES = (0, 1, 2, 3, 7, 15, 16, 255, 0x7FFF, 0x10000, 0x7FFF_EFFF, 0x7FFF_F000, 0x8000_0000, 0xFFFF_FFF0, 0xFFFF_FFFF)
TYPES = ("audio/mpeg", "text/plain", "application/octet-stream", "multipart/form-data; boundary=x", "")
WAV, FLAC = "audio/wav", "audio/flac"
FLAC_SYNC = re.compile(rb"\xff[\xf8\xf9]")  # RFC 9639, 9.1
BLOCK_END = 42  # of STREAMINFO: the mark, a block header of 4 bytes, 34 bytes (RFC 9639, 8.2)


@dataclass(frozen=True, slots=True)
class Malformed:
    """One file: how it was made, and as what it is sent."""

    name: str
    data: bytes
    declared: str


def make_whole(speech: Samples) -> dict[str, bytes]:
    """Good recordings of the same speech: depths, rates, one channel and two."""
    kinds = {
        "wav": (SAMPLE_RATE, 1, "WAV", "PCM_16"),
        "wav-float": (48_000, 2, "WAV", "FLOAT"),
        "wav-extensible": (44_100, 2, "WAVEX", "PCM_24"),
        "flac": (SAMPLE_RATE, 1, "FLAC", "PCM_16"),
        "flac-stereo": (44_100, 2, "FLAC", "PCM_24"),
    }
    return {name: _encode(speech, *how) for name, how in kinds.items()}


def make_malformed(speech: Samples, count: int, seed: int) -> Iterator[Malformed]:
    """Every mutation of every recording in turn; each seventh file is declared as something that it is not."""
    rng = random.Random(seed)
    whole = make_whole(speech)
    plan = [
        (kind, mutate)
        for mutate in (*ANY, *OF_WAV, *OF_FLAC)
        for kind in whole
        if mutate in ANY or (mutate in OF_WAV) == kind.startswith("wav")
    ]
    for number in range(count):
        kind, mutate = plan[number % len(plan)]
        given = Given(rng, whole[kind], whole[rng.choice(list(whole))])
        right, wrong = (WAV, FLAC) if kind.startswith("wav") else (FLAC, WAV)
        declared = right if number % 7 else rng.choice((wrong, *TYPES))
        yield Malformed(f"{number}: {kind} {mutate.__name__}", mutate(given), declared)


@dataclass(frozen=True, slots=True)
class Given:
    """What a mutation works with."""

    rng: random.Random
    data: bytes
    other: bytes  # a whole recording, perhaps of another kind


def flip_bits(given: Given) -> bytes:
    data = bytearray(given.data)
    for _ in range(given.rng.choice((1, 10, 100))):
        data[given.rng.randrange(4, len(data))] ^= 1 << given.rng.randrange(8)
    return bytes(data)


def flip_bits_of_the_header(given: Given) -> bytes:
    data = bytearray(given.data)
    for _ in range(given.rng.choice((1, 4, 16))):
        data[given.rng.randrange(4, 88)] ^= 1 << given.rng.randrange(8)
    return bytes(data)


def cut(given: Given) -> bytes:
    return given.data[: given.rng.choice((1, 8, 20, 43, given.rng.randrange(44, len(given.data))))]


def overwrite(given: Given) -> bytes:
    at = given.rng.randrange(4, len(given.data))
    length = given.rng.choice((4, 500, 20_000))
    return given.data[:at] + bytes([given.rng.choice((0, 0x55, 0xFF))]) * length + given.data[at + length :]


def leave_out(given: Given) -> bytes:
    at = given.rng.randrange(4, len(given.data))
    return given.data[:at] + given.data[at + given.rng.choice((1, 3, 1000)) :]


def insert_some_of_another(given: Given) -> bytes:
    at, start = given.rng.randrange(4, len(given.data)), given.rng.randrange(len(given.other))
    return given.data[:at] + given.other[start : start + 8000] + given.data[at:]


def set_format_field(given: Given) -> bytes:
    """The tag, channels, rate, bytes a second, bytes a frame, bits; or what comes after them."""
    at = given.data.index(b"fmt ") + 8
    offset, code = given.rng.choice(((0, "H"), (2, "H"), (4, "I"), (8, "I"), (12, "H"), (14, "H"), (16, "H")))
    value = given.rng.choice((*SIZES, 44_101, 191_999)) & (0xFFFF if code == "H" else 0xFFFF_FFFF)
    return _pack(given.data, at + offset, f"<{code}", value)


def set_chunk_size(given: Given) -> bytes:
    at = given.data.index(given.rng.choice((b"RIFF", b"fmt ", b"data"))) + 4
    return _pack(given.data, at, "<I", given.rng.choice((*SIZES, len(given.data))))


def drop_chunk(given: Given) -> bytes:
    chunks = _split_wav(given.data)
    chunks.pop(given.rng.randrange(len(chunks)))
    return _join_wav(chunks)


def repeat_and_shuffle_chunks(given: Given) -> bytes:
    chunks = _split_wav(given.data)
    chunks += given.rng.choices(chunks, k=given.rng.choice((1, 2, 3)))
    given.rng.shuffle(chunks)
    return _join_wav(chunks)


def set_stream_info(given: Given) -> bytes:
    """Block sizes, frame sizes; or rate (20 bits), channels (3), depth (5) and samples (36), which share 8 bytes."""
    rng = given.rng
    if rng.random() < 0.4:
        return _pack(given.data, 8 + rng.choice((0, 2, 4, 7)), ">H", rng.choice(SIZES) & 0xFFFF)
    (packed,) = struct.unpack_from(">Q", given.data, 18)
    shift, bits = rng.choice(((44, 20), (41, 3), (36, 5), (0, 36)))
    mask = ((1 << bits) - 1) << shift
    value = rng.choice((0, 1, mask >> shift, rng.getrandbits(bits))) << shift
    return _pack(given.data, 18, ">Q", packed & ~mask | value)


def add_metadata(given: Given) -> bytes:
    """A block of any type that says of itself what is not so, after STREAMINFO."""
    kind, held = given.rng.choice((1, 2, 3, 4, 5, 6, 126, 127)), given.rng.randbytes(given.rng.choice((0, 4, 18, 400)))
    said = given.rng.choice((0, len(held), len(held) + 1, 0xFF_FFFF))
    return given.data[:BLOCK_END] + bytes([kind]) + said.to_bytes(3, "big") + held + given.data[BLOCK_END:]


def splice_frames(given: Given) -> bytes:
    """Whole frames, of this recording and of another, left out, repeated and in another order."""
    head, frames = _split_flac(given.data)
    if given.other.startswith(b"fLaC"):
        frames += given.rng.sample(_split_flac(given.other)[1], 8)
    given.rng.shuffle(frames)
    return head + b"".join(frames[given.rng.randrange(4) :])


def damage_frame_heads(given: Given) -> bytes:
    """The codes of block size, rate, channels and depth in some frames."""
    head, frames = _split_flac(given.data)
    for _ in range(given.rng.choice((1, 5, 20))):
        at = given.rng.randrange(len(frames))
        frames[at] = frames[at][:2] + given.rng.randbytes(given.rng.choice((1, 2, 5))) + frames[at][4:]
    return head + b"".join(frames)


Mutation = Callable[[Given], bytes]
ANY: tuple[Mutation, ...] = (
    flip_bits,
    flip_bits_of_the_header,
    cut,
    overwrite,
    leave_out,
    insert_some_of_another,
)
OF_WAV: tuple[Mutation, ...] = (set_format_field, set_chunk_size, drop_chunk, repeat_and_shuffle_chunks)
OF_FLAC: tuple[Mutation, ...] = (set_stream_info, add_metadata, splice_frames, damage_frame_heads)


def _encode(speech: Samples, rate: int, channels: int, kind: str, subtype: str) -> bytes:
    """At another rate the same samples last shorter: what is said in them makes no difference here."""
    file = io.BytesIO()
    soundfile.write(file, np.repeat(speech[:, None], channels, axis=1), rate, format=kind, subtype=subtype)
    return file.getvalue()


def _pack(data: bytes, at: int, code: str, value: int) -> bytes:
    packed = struct.pack(code, value)
    return data[:at] + packed + data[at + len(packed) :]


def _split_wav(data: bytes) -> list[bytes]:
    chunks, at = [], 12
    while at + 8 <= len(data):
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        chunks.append(data[at:end])
        at = end + end % 2
    return chunks


def _join_wav(chunks: list[bytes]) -> bytes:
    body = b"WAVE" + b"".join(chunk + b"\0" * (len(chunk) % 2) for chunk in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _split_flac(data: bytes) -> tuple[bytes, list[bytes]]:
    """What is before the first frame, and the frames; some are cut at what only looks like the next one's head."""
    at, is_last = 4, 0
    while not is_last:
        is_last, length = data[at] & 0x80, int.from_bytes(data[at + 1 : at + 4], "big")
        at += 4 + length
    starts = [found.start() for found in FLAC_SYNC.finditer(data, at)]
    return data[: starts[0]], [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]
