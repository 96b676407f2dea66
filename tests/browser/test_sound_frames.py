"""The arithmetic of the sound: exact counts, clean resampling, and frames that are what was heard."""

import math
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.page_server import PageServer

pytestmark = pytest.mark.browser

PUSH = """async ([rate, samples, sizes]) => {
  const { Resampler } = await import("/page/resample.js");
  const resampler = new Resampler(rate, 16000);
  const out = new Float32Array(resampler.capacity(4096));
  const all = [];
  for (let at = 0, turn = 0; at < samples.length; turn += 1) {
    const piece = Float32Array.from(samples.slice(at, at + sizes[turn % sizes.length]));
    at += piece.length;
    all.push(...out.subarray(0, resampler.push(piece, piece.length, out)));
  }
  all.push(...out.subarray(0, resampler.flush(out)));
  return all;
}"""
COUNT = """async ([rate, seconds]) => {
  const { Resampler } = await import("/page/resample.js");
  const resampler = new Resampler(rate, 16000);
  const out = new Float32Array(resampler.capacity(4096));
  let count = 0;
  for (let left = rate * seconds; left > 0; left -= 128) count += resampler.push(null, Math.min(128, left), out);
  return count + resampler.flush(out);
}"""
MAKE_FRAMES = """async ([rate, channels, begun, sizes]) => {
  const { FrameMaker } = await import("/page/frame-maker.js");
  const maker = new FrameMaker(rate, begun);
  const frames = [];
  for (let at = 0, turn = 0; at < channels[0].length; turn += 1) {
    const size = Math.min(sizes[turn % sizes.length], channels[0].length - at);
    const blocks = channels.map((samples) => samples.length ? Float32Array.from(samples.slice(at, at + size)) : null);
    frames.push(...maker.push(blocks, size));
    at += size;
  }
  frames.push(...maker.skip(8000));
  frames.push(...maker.push(channels.map(() => null), 4096), ...maker.flush());
  return { frames: frames.map((frame) => [...new Uint8Array(frame)]), clock: maker.clock };
}"""


@pytest.fixture
def blank(chromium: Browser, page_server: PageServer) -> Iterator[Page]:
    """A page of the visit's origin in which its modules can be called one by one."""
    page = chromium.contexts[0].pages[0]
    page.goto(page_server.url("plain-modules"))
    yield page
    page.goto("about:blank")


def make_tone(hertz: float, rate: int, seconds: float = 0.2) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def resample(page: Page, samples: np.ndarray, rate: int, sizes: tuple[int, ...] = (128,)) -> np.ndarray:
    return np.array(page.evaluate(PUSH, [rate, samples.tolist(), list(sizes)]))


@pytest.mark.parametrize(("rate", "seconds"), [(8000, 3600), (44100, 60), (48000, 60), (44056, 10), (192000, 5)])
def test_the_count_of_samples_is_exact_however_long_it_lasts(blank: Page, rate: int, seconds: int) -> None:
    assert blank.evaluate(COUNT, [rate, seconds]) == seconds * 16000


@pytest.mark.parametrize("length", [1, 2, 127, 441, 1000, 44101])
def test_the_count_is_exact_for_any_length(blank: Page, length: int) -> None:
    assert len(resample(blank, np.zeros(length), 44100)) == math.ceil(length * 16000 / 44100)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000, 96000])
def test_speech_passes_at_its_own_time_and_level(blank: Page, rate: int) -> None:
    for hertz in (100, 1000, 3000, 6500):
        if hertz > 0.4 * rate:
            continue
        heard = resample(blank, make_tone(hertz, rate), rate)
        wanted = make_tone(hertz, 16000)
        inner = slice(500, len(wanted) - 500)
        assert np.max(np.abs(heard[inner] - wanted[inner])) < 0.002


@pytest.mark.parametrize("rate", [44100, 48000, 96000])
def test_what_lies_above_eight_kilohertz_is_gone(blank: Page, rate: int) -> None:
    for hertz in (8200, 9500, 12000, 15900, 20000):
        heard = resample(blank, make_tone(hertz, rate), rate)
        assert np.max(np.abs(heard[500:-500])) < 0.5 * 10 ** (-70 / 20)


def test_how_it_is_cut_into_blocks_makes_no_difference(blank: Page) -> None:
    noise = np.random.default_rng(7).uniform(-1, 1, 9000)
    whole = resample(blank, noise, 44100, (4096,))
    assert np.array_equal(whole, resample(blank, noise, 44100, (128,)))
    assert np.array_equal(whole, resample(blank, noise, 44100, (1, 4000, 17, 333)))


def test_at_the_rate_of_speech_nothing_is_changed(blank: Page) -> None:
    noise = np.random.default_rng(8).uniform(-1, 1, 3000).astype(np.float32)
    assert np.array_equal(noise, resample(blank, noise, 16000).astype(np.float32))


def read_frames(made: dict[str, Any]) -> list[tuple[int, int, int, int, np.ndarray]]:
    frames = [bytes(frame) for frame in made["frames"]]
    return [(*struct.unpack_from("<BBxxIQ", frame), np.frombuffer(frame[16:], "<i2")) for frame in frames]


def test_frames_carry_their_number_and_place_and_both_channels_go_together(blank: Page) -> None:
    rng = np.random.default_rng(9)
    room, call = rng.uniform(-1, 1, 10_000), rng.uniform(-1.5, 1.5, 10_000)
    begun = {"numbers": [7, 3], "clock": 50_000}
    made = blank.evaluate(MAKE_FRAMES, [16000, [room.tolist(), call.tolist()], begun, [128, 4096, 5]])
    frames = read_frames(made)
    assert [frame[:4] for frame in frames] == [
        (1, channel, first + step, start)
        for step, start in enumerate((50_000, 54_000, 58_000, 68_000, 72_000))
        for channel, first in ((0, 7), (1, 3))
    ]
    for channel, samples in ((0, room), (1, call)):
        heard = np.concatenate([frame[4] for frame in frames if frame[1] == channel])
        wanted = np.floor(np.clip(samples.astype(np.float32), -1, 1).astype(float) * 32767 + 0.5)
        assert np.array_equal(heard[:10_000], wanted.astype(np.int16))
        assert not heard[10_000:].any()
    assert made["clock"] == 50_000 + 10_000 + 8_000 + 4096


def test_a_channel_that_gives_nothing_is_silence_in_step(blank: Page) -> None:
    room = np.full(48_000, 0.25)
    made = blank.evaluate(MAKE_FRAMES, [48000, [room.tolist(), []], {"numbers": [0, 0], "clock": 0}, [128]])
    frames = read_frames(made)
    lengths = [[len(frame[4]) for frame in frames if frame[1] == channel] for channel in (0, 1)]
    assert lengths[0] == lengths[1]
    assert sum(lengths[0]) == 16_000 + math.ceil(4096 / 3)
    assert frames[0][4].any()
    assert not frames[1][4].any()
