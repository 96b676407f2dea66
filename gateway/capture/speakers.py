"""Who said a sentence: by its channel while two channels differ, by the clinician's own marks, else unknown.

In: the samples of both channels over a sentence, and spans that were marked by key. Out: a speaker, never a guess. What
a loudspeaker bleeds into the room's microphone arrives a little later than in the call; such a copy says nothing
about who speaks in the room. Pure.

Method: C. Knapp, G. Carter, "The generalized correlation method for estimation of time delay", IEEE TASSP 24 (1976),
with phase transform: an echo is a sharp peak, two people talking give none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gateway.capture.audio import SAMPLE_RATE, Samples
from gateway.capture.material import Channel, Speaker
from gateway.capture.spans import Span

SHORTEST_COMPARED = SAMPLE_RATE
"""A shorter sentence is compared with what surrounds it."""

_LONGEST_LAG = SAMPLE_RATE // 2
_LOWEST_HZ, _HIGHEST_HZ = 150.0, 5000.0
_SAME_MOMENT_SECONDS = 0.005  # two microphones in one room: neither is the copy
_SOUND = 1e-8  # power of −80 dBFS

# Chosen on synthetic voices (espeak-ng) in simulated rooms, 1 to 7 s: two people talking peak at 4 to 6; bleed at 20
# to 60 with a share of 0.35 to 0.75. A bleed 20 dB below the clinician's own voice has a share of 0.1: her words.
_PEAK, _SHARE = 8.0, 0.15


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much two channels are the same sound.

    Attributes:
        peak: of the whitened correlation, in units of its root mean square.
        share: normalised correlation at that lag, 0 to 1: how much of the sound is the same.
        lag_seconds: how much later the sound is in the first channel than in the second.
    """

    peak: float = 0.0
    share: float = 0.0
    lag_seconds: float = 0.0

    @property
    def same_sound(self) -> bool:
        return self.peak >= _PEAK and self.share >= _SHARE

    @property
    def first_is_copy(self) -> bool:
        """What the first channel holds may come from the second."""
        return self.same_sound and self.lag_seconds > -_SAME_MOMENT_SECONDS


@dataclass(frozen=True, slots=True)
class SpeakerMark:
    """What the clinician said by holding a key."""

    span: Span
    speaker: Speaker


def compare_channels(first: Samples, second: Samples) -> Likeness:
    """Compare the same stretch of two channels.

    Args:
        first, second: float32 (samples,), [-1, 1], 16 kHz, of the same length.
    """
    energies = float(np.dot(first, first)), float(np.dot(second, second))
    if min(energies) <= _SOUND * max(1, len(first)):
        return Likeness()
    size = 1 << (2 * len(first) - 1).bit_length()
    spectra = np.fft.rfft(first, size), np.fft.rfft(second, size)
    crossed = spectra[0] * np.conj(spectra[1])
    hertz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    magnitude = np.abs(crossed)
    audible = (hertz >= _LOWEST_HZ) & (hertz <= _HIGHEST_HZ) & (magnitude > 0)
    whitened = np.zeros_like(crossed)
    whitened[audible] = crossed[audible] / magnitude[audible]
    sharp = _near_zero_lag(np.fft.irfft(whitened, size))
    at = int(np.abs(sharp).argmax())
    plain = _near_zero_lag(np.fft.irfft(crossed, size))
    return Likeness(
        float(np.abs(sharp[at]) / (np.sqrt(np.mean(sharp**2)) + 1e-12)),
        min(1.0, float(np.abs(plain[max(0, at - 8) : at + 9]).max() / np.sqrt(energies[0] * energies[1]))),
        (at - _LONGEST_LAG) / SAMPLE_RATE,
    )


def name_speaker(
    span: Span,
    channel: Channel,
    channels: Sequence[Channel],
    marks: Iterable[SpeakerMark] = (),
    likeness: Likeness = Likeness(),
) -> Speaker:
    """Who said what lies in this span of this channel.

    Args:
        channels: all of the session's: a single microphone tells nobody apart.
        marks: what was marked by key; it counts where it covers half of the span and nothing else covers as much.
        likeness: of this channel to the other over the span.
    """
    covered = dict.fromkeys(Speaker, 0)
    for mark in marks:
        covered[mark.speaker] += max(0, min(span.end, mark.span.end) - max(span.start, mark.span.start))
    enough = [speaker for speaker, samples in covered.items() if 2 * samples >= max(1, span.length)]
    if enough:
        return enough[0] if len(enough) == 1 else Speaker.UNKNOWN
    if len(channels) < 2 or likeness.first_is_copy:
        return Speaker.UNKNOWN
    return Speaker.CLINICIAN if channel is Channel.ROOM else Speaker.PATIENT


def widen_span(span: Span, until: int) -> Span:
    """The stretch over which a sentence's channels are compared, within the recording."""
    missing = max(0, SHORTEST_COMPARED - span.length)
    start = max(0, span.start - missing // 2)
    return Span(start, min(max(span.end, start + SHORTEST_COMPARED), until))


def _near_zero_lag(correlation: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Lags from −half a second to half a second, in order."""
    return np.concatenate([correlation[-_LONGEST_LAG:], correlation[: _LONGEST_LAG + 1]])
