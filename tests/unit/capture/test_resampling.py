import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.capture.resampling import Resampler

TARGET = 16_000


def resample(signal: np.ndarray, rate: int, blocks: int = 1) -> np.ndarray:
    resampler = Resampler(rate, TARGET)
    return np.concatenate([*(resampler.push(part) for part in np.array_split(signal, blocks)), resampler.flush()])


def sine(hertz: float, rate: int, seconds: float = 3.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate).astype(np.float32)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000])
def test_keeps_a_tone_in_its_place(rate: int) -> None:
    out, expected = resample(sine(1000, rate), rate), sine(1000, TARGET)
    assert len(out) == len(expected)
    assert np.abs(out - expected)[300:-300].max() < 1e-3


@pytest.mark.parametrize("rate", [22_050, 32_000, 44_100, 48_000, 96_000])
def test_folds_nothing_back_from_above_8_khz(rate: int) -> None:
    out = resample(sine(9_000, rate), rate)
    assert np.abs(out[300:-300]).max() < 10 ** (-70 / 20)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40_000), st.integers(1, 9), st.sampled_from([8_000, 11_025, 16_000, 44_100, 48_000]))
def test_gives_the_same_whatever_the_blocks(length: int, blocks: int, rate: int) -> None:
    signal = np.random.default_rng(length).normal(0, 0.1, length).astype(np.float32)
    whole, parts = resample(signal, rate), resample(signal, rate, blocks)
    assert len(whole) == -(-length * TARGET // rate)
    assert np.allclose(whole, parts, atol=1e-6)
