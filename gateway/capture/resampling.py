"""Changes the sample rate of a signal that comes in blocks; a polyphase windowed sinc in numpy alone.

Method: J. O. Smith, *Digital Audio Resampling Home Page*, https://ccrma.stanford.edu/~jos/resample/
"""

import math

import numpy as np
import numpy.typing as npt

_ZERO_CROSSINGS = 24  # on each side, counted at the lower of the two rates
_KAISER_BETA = 8.0  # about 80 dB of stop band
_CUTOFF = 0.45  # of the lower rate: with this window the stop band begins at its Nyquist frequency
_BLOCK_SECONDS = 5.0

Signal = npt.NDArray[np.float32]


class Resampler:
    """Feeds on blocks of one mono signal. The output is aligned with the input: no delay, no drift.

    With the ratio ``up / down`` in lowest terms, output sample n lies at input position n × down / up; outputs whose
    numbers are congruent modulo ``up`` share one row of filter taps.
    """

    def __init__(self, rate: int, target_rate: int) -> None:
        common = math.gcd(rate, target_rate)
        self._up, self._down = target_rate // common, rate // common
        self._half, self._bank = _design_bank(self._up, self._down)
        rounds = max(1, round(_BLOCK_SECONDS * rate / self._down))
        self._step_in, self._step_out = rounds * self._down, rounds * self._up
        self._pending: Signal = np.zeros(self._half, dtype=np.float32)
        self._taken = self._given = 0

    def push(self, block: Signal) -> Signal:
        """Take float32 (frames,) at the input rate; give what is finished at the target rate."""
        self._taken += len(block)
        if self._up == self._down:
            return block
        self._pending = np.concatenate([self._pending, block])
        finished: list[Signal] = []
        while len(self._pending) >= self._step_in + 2 * self._half:
            finished.append(self._convolve(self._step_out))
            self._pending = self._pending[self._step_in :]
        return self._give(finished)

    def flush(self) -> Signal:
        """The rest, once no more blocks come."""
        if self._up == self._down:
            return np.zeros(0, dtype=np.float32)
        wanted = math.ceil(self._taken * self._up / self._down) - self._given
        rounds = math.ceil(wanted / self._up)
        missing = rounds * self._down + 2 * self._half - len(self._pending)
        self._pending = np.pad(self._pending, (0, max(0, missing)))
        return self._give([self._convolve(rounds * self._up)[:wanted]] if wanted > 0 else [])

    def _convolve(self, count: int) -> Signal:
        """The next ``count`` outputs, a multiple of ``up``."""
        windows = np.lib.stride_tricks.sliding_window_view(self._pending, 2 * self._half)
        output = np.empty(count, dtype=np.float32)
        for phase in range(self._up):
            first = phase * self._down // self._up
            rows = windows[first :: self._down][: count // self._up]
            output[phase :: self._up] = rows @ self._bank[phase]
        return output

    def _give(self, finished: list[Signal]) -> Signal:
        output = np.concatenate(finished) if finished else np.zeros(0, dtype=np.float32)
        self._given += len(output)
        return output


def _design_bank(up: int, down: int) -> tuple[int, Signal]:
    """The half width in input samples, and float32 (up, 2 × half) taps, each row summing to 1."""
    narrowing = min(1.0, up / down)
    half = math.ceil(_ZERO_CROSSINGS / narrowing)
    # Row p serves outputs between two input samples: window column c is the input at c - half from its base.
    fraction = (np.arange(up) * down % up / up)[:, None]
    distance = np.arange(2 * half)[None, :] - half - fraction
    cutoff = _CUTOFF * narrowing
    inside = np.clip(1.0 - (distance / half) ** 2, 0.0, None)
    taps = 2 * cutoff * np.sinc(2 * cutoff * distance) * np.i0(_KAISER_BETA * np.sqrt(inside))
    taps /= taps.sum(axis=1, keepdims=True)
    return half, taps.astype(np.float32)
