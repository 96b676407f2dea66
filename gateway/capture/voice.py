"""Finds speech in audio that grows: samples in, stretches of speech out, once each has ended.

The Silero detector that comes with faster-whisper gives a probability for each 32 ms; its state is carried from call
to call, so it makes no difference how the audio was cut. Where speech begins and ends is decided from the
probabilities alone, by Silero's own rule. It keeps no samples but the last 32 ms.
"""

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gateway.capture.audio import SAMPLE_RATE, Samples
from gateway.capture.engine import keep_at_home
from gateway.capture.spans import Span

WINDOW = 512
"""Samples for which there is one probability."""
PAD = SAMPLE_RATE // 5
"""What is heard before and after each stretch; half of the shortest pause, so that padded stretches don't meet."""

_CONTEXT = 64
_SPEECH, _NO_SPEECH = 0.5, 0.35  # begins at the one, goes on down to the other
_SHORTEST_PAUSE = SAMPLE_RATE * 2 // 5
_SHORTEST_DIP = PAD  # where a stretch without a pause may be cut
_LONGEST = 24 * SAMPLE_RATE  # with its padding it fits a piece

Probabilities = npt.NDArray[np.float32]


class Voice(Protocol):
    """Says how likely speech is; one for each channel."""

    def push(self, samples: Samples) -> Probabilities:
        """Take float32 (samples,), [-1, 1], 16 kHz; give float32 (windows,), [0, 1], for each full window so far."""
        ...


class SileroVoice:
    """The detector of faster-whisper; the model itself is shared by all of a process."""

    def __init__(self) -> None:
        self._session: Any = None
        self._state = [np.zeros((1, 1, 128), np.float32), np.zeros((1, 1, 128), np.float32)]
        self._context = np.zeros(_CONTEXT, np.float32)
        self._rest = np.zeros(0, np.float32)

    def push(self, samples: Samples) -> Probabilities:
        audio = np.concatenate([self._rest, samples])
        count = len(audio) // WINDOW
        self._rest = audio[count * WINDOW :].copy()
        if not count:
            return np.zeros(0, np.float32)
        windows = audio[: count * WINDOW].reshape(count, WINDOW)
        contexts = np.concatenate([self._context[None], windows[:-1, -_CONTEXT:]])
        self._context = windows[-1, -_CONTEXT:].copy()
        fed = {"input": np.concatenate([contexts, windows], axis=1), "h": self._state[0], "c": self._state[1]}
        given, *self._state = self._open().run(None, fed)
        return np.asarray(given, np.float32).reshape(count)

    def _open(self) -> Any:
        if self._session is None:
            keep_at_home()
            from faster_whisper.vad import get_vad_model

            self._session = get_vad_model().session
        return self._session


class SpeechFinder:
    """Turns probabilities into stretches of speech, without padding, each given once it has ended."""

    def __init__(self, start: int = 0) -> None:
        self._position = start
        self._began: int | None = None
        self._quiet: int | None = None  # since when it has been quiet inside a stretch
        self._dip: Span | None = None  # the last short pause inside a stretch

    @property
    def settled(self) -> int:
        """No stretch that is still to come begins before this sample."""
        return self._position if self._began is None else self._began

    def push(self, probabilities: Iterable[float]) -> list[Span]:
        """Take the next windows; give the stretches that ended in them."""
        return [span for probability in probabilities if (span := self._step(float(probability))) is not None]

    def finish(self) -> list[Span]:
        """Give the stretch that the recording's end cuts off."""
        if self._began is None:
            return []
        return [self._end_at(self._quiet or self._position)]

    def _step(self, probability: float) -> Span | None:
        at = self._position
        self._position += WINDOW
        if self._began is None:
            if probability >= _SPEECH:
                self._began, self._quiet, self._dip = at, None, None
            return None
        if probability >= _SPEECH:
            if self._quiet is not None and at - self._quiet >= _SHORTEST_DIP:
                self._dip = Span(self._quiet, at)
            self._quiet = None
        elif probability < _NO_SPEECH and self._quiet is None:
            self._quiet = at
        if self._quiet is not None and self._position - self._quiet >= _SHORTEST_PAUSE:
            return self._end_at(self._quiet)
        if self._position - self._began >= _LONGEST:
            return self._cut()
        return None

    def _end_at(self, end: int) -> Span:
        span = Span(self._began or 0, end)
        self._began = self._quiet = self._dip = None
        return span

    def _cut(self) -> Span:
        """Someone speaks on without a pause: cut at the last dip, else here."""
        here = self._position - PAD
        began, dip = self._began or 0, self._dip or Span(here, here)
        self._began, self._dip = dip.end, None
        return Span(began, dip.start)
