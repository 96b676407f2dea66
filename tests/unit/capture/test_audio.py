import io
import struct
import time
import tracemalloc

import numpy as np
import pytest
import soundfile

from gateway.capture.audio import SAMPLE_RATE, AudioLimits, decode_audio, encode_wav
from gateway.errors import CaptureError

RATE = 48_000


def tone(seconds: float = 1.0, rate: int = RATE, channels: int = 1, hertz: float = 440.0) -> np.ndarray:
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def encode(
    samples: np.ndarray, rate: int = RATE, kind: str = "WAV", subtype: str = "PCM_16", endian: str = "FILE"
) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype, endian=endian)
    return file.getvalue()


DEFAULT = AudioLimits()


def refused(data: bytes, limits: AudioLimits = DEFAULT) -> CaptureError:
    with pytest.raises(CaptureError) as caught:
        decode_audio(data, limits)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("WAV", "PCM_U8"), ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24")],
)
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_decodes_to_mono_at_16_khz(kind: str, subtype: str, rate: int, channels: int) -> None:
    samples = decode_audio(encode(tone(2.0, rate, channels), rate, kind, subtype))
    expected = tone(2.0, SAMPLE_RATE)[:, 0]
    assert samples.dtype == np.float32
    assert samples.shape == expected.shape
    assert np.abs(samples - expected)[200:-200].max() < 0.01


def test_takes_the_mean_of_two_channels() -> None:
    left, right = tone(1, SAMPLE_RATE), np.zeros((SAMPLE_RATE, 1), np.float32)
    samples = decode_audio(encode(np.hstack([left, right]), SAMPLE_RATE, subtype="FLOAT"))
    assert np.allclose(samples, left[:, 0] / 2, atol=1e-4)


def test_clips_what_is_louder_than_full_scale() -> None:
    samples = decode_audio(encode(tone() * 8, subtype="FLOAT"))
    assert np.abs(samples).max() <= 1.0


def test_takes_a_wav_written_as_a_stream() -> None:
    data = bytearray(encode(tone(1, SAMPLE_RATE), SAMPLE_RATE))
    struct.pack_into("<I", data, data.index(b"data") + 4, 0xFFFF_FFFF)
    assert len(decode_audio(bytes(data))) == SAMPLE_RATE


def test_refuses_nothing_at_all() -> None:
    assert refused(b"").code == "audio.empty"


@pytest.mark.parametrize(
    "data",
    [b"\0" * 4096, b"ID3\x04 an mp3", b"OggS" + bytes(60), b"<html><script>alert(1)</script></html>", b"RIFF", b"R"],
)
def test_refuses_what_is_no_recording(data: bytes) -> None:
    assert refused(data).code == "audio.unknown-kind"


def test_refuses_other_sounds_that_the_library_could_read() -> None:
    assert refused(encode(tone(), kind="AIFF")).code == "audio.unknown-kind"
    assert refused(encode(tone(), subtype="IMA_ADPCM")).code == "audio.encoding"


def test_refuses_a_header_without_sound() -> None:
    assert refused(encode(np.zeros((0, 1), np.float32))).code == "audio.empty"


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_refuses_a_recording_that_is_cut_short(kind: str, kept: float) -> None:
    data = encode(np.random.default_rng(0).normal(0, 0.1, (RATE * 5, 1)), kind=kind)
    assert refused(data[: int(len(data) * kept)]).code in ("audio.cut-short", "audio.damaged")


@pytest.mark.parametrize("kept", [13, 20, 21, 30, 43])
def test_refuses_a_wav_cut_inside_its_header(kept: int) -> None:
    assert refused(encode(tone())[:kept]).code == "audio.cut-short"


def test_refuses_a_flac_with_damaged_frames() -> None:
    data = bytearray(encode(np.random.default_rng(0).normal(0, 0.1, (RATE * 5, 1)), kind="FLAC"))
    data[len(data) // 2 : len(data) // 2 + 20_000] = b"\x55" * 20_000
    assert refused(bytes(data)).code in ("audio.cut-short", "audio.damaged")


@pytest.mark.parametrize("values", [(np.nan,), (np.inf,), (np.nan, 0.0), (np.inf, -np.inf), (3e38, 3e38)])
def test_refuses_a_float_wav_with_values_that_are_no_sound(values: tuple[float, ...]) -> None:
    samples = tone(1, SAMPLE_RATE, channels=len(values))
    samples[100] = values
    assert refused(encode(samples, SAMPLE_RATE, subtype="FLOAT")).code == "audio.damaged"


def test_refuses_eight_channels() -> None:
    assert refused(encode(tone(channels=8))).code == "audio.channels"


def make_wav(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WAVE" + b"".join(
        name + struct.pack("<I", len(held)) + held + b"\0" * (len(held) % 2) for name, held in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def make_format(tag: int, rate: int = SAMPLE_RATE) -> tuple[bytes, bytes]:
    return b"fmt ", struct.pack("<HHIIHH", tag, 1, rate, 2 * rate, 2, 16)


SOUND = (b"data", (tone(1, SAMPLE_RATE) * 32767).astype("<i2").tobytes())


def test_passes_over_chunks_that_it_does_not_know() -> None:
    assert len(decode_audio(make_wav((b"LIST", b"odd"), make_format(1), (b"junk", b""), SOUND))) == SAMPLE_RATE


@pytest.mark.parametrize("tag", [0x0000, 0x0002, 0x0011, 0x0031, 0x0055, 0x0064, 0xFFFF])
def test_refuses_another_encoding_before_the_library_sees_it(tag: int, monkeypatch) -> None:
    monkeypatch.setattr(soundfile, "SoundFile", None)
    assert refused(make_wav(make_format(tag), SOUND)).code == "audio.encoding"


def test_refuses_a_million_chunks_at_once() -> None:
    data = make_wav(make_format(1), *[(b"junk", b"")] * 1_000_000, SOUND)
    begun = time.process_time()
    assert refused(data).code == "audio.damaged"
    assert time.process_time() - begun < 0.1


@pytest.mark.parametrize("rate", [11_025, 12_000, 24_000, 32_000, 88_200, 96_000])
def test_takes_the_rates_that_recorders_have(rate: int) -> None:
    assert len(decode_audio(encode(tone(1, rate), rate))) == SAMPLE_RATE


def test_holds_a_recording_no_more_than_twice() -> None:
    data = encode(np.random.default_rng(0).normal(0, 0.1, (120 * RATE, 1)), kind="FLAC")
    tracemalloc.start()
    try:
        samples = decode_audio(data)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2 * samples.nbytes + 12_000_000  # the resampler's blocks are of ten seconds


@pytest.mark.parametrize("rate", [4_000, 44_101, 192_000])
def test_refuses_an_unusual_rate(rate: int) -> None:
    assert refused(encode(tone(rate=rate), rate)).code == "audio.rate"


def test_refuses_ten_hours_by_their_header_at_once() -> None:
    data = encode(np.zeros((10 * 3600 * 8_000, 1), np.int16), 8_000, "FLAC")
    assert len(data) < 2_000_000
    begun = time.monotonic()
    assert refused(data).code == "audio.too-long"
    assert time.monotonic() - begun < 1


def test_refuses_a_flac_that_hides_its_length() -> None:
    data = bytearray(encode(np.zeros((300 * 8_000, 1), np.int16), 8_000, "FLAC"))
    data[21] &= 0xF0  # STREAMINFO's 36 bits of total samples (RFC 9639, section 8.2): unknown
    data[22:26] = bytes(4)
    assert refused(bytes(data), AudioLimits(minutes=1)).code in ("audio.too-long", "audio.damaged")


def test_refuses_more_bytes_than_a_site_takes() -> None:
    assert refused(encode(tone()), AudioLimits(size_bytes=1000)).code == "audio.too-large"


def test_stops_decoding_at_its_deadline() -> None:
    ticks = iter(range(0, 1000, 50))
    with pytest.raises(CaptureError) as caught:
        decode_audio(encode(tone(30)), AudioLimits(decode_seconds=60), clock=lambda: next(ticks))
    assert caught.value.code == "audio.slow"


def test_says_that_nothing_was_said_in_an_hour_of_silence_quickly() -> None:
    data = encode(np.zeros((3600 * SAMPLE_RATE, 1), np.int16), SAMPLE_RATE, "FLAC")
    begun = time.monotonic()
    assert refused(data).code == "audio.silent"
    assert time.monotonic() - begun < 5


def test_writes_no_file(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    decode_audio(encode(tone(3, channels=2), kind="FLAC"))
    assert list(tmp_path.iterdir()) == []


def test_says_in_every_refusal_what_to_do() -> None:
    for data in (b"", b"none", encode(tone(channels=8)), encode(tone())[:60]):
        sentence = refused(data).public
        assert sentence.endswith((".", "again."))
        assert ":" in sentence or "Send" in sentence


def test_what_is_played_is_sample_for_sample_what_was_recorded() -> None:
    recorded = np.array([0, 1, -1, 12_345, 32_767, -32_768, -2], np.int16)
    played, rate = soundfile.read(io.BytesIO(encode_wav((recorded / 32_768).astype(np.float32))), dtype="int16")
    assert (rate, played.tolist()) == (SAMPLE_RATE, recorded.tolist())
    whole = encode_wav(np.zeros(SAMPLE_RATE, np.float32))
    assert struct.unpack_from("<I", whole, 4)[0] == len(whole) - 8
    loud = soundfile.read(io.BytesIO(encode_wav(np.array([1.5, -1.5], np.float32))), dtype="int16")[0]
    assert loud.tolist() == [32_767, -32_768]
