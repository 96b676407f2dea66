"""Speech by espeak-ng, and invented sessions spoken by two voices, each on a channel of its own."""

import functools
import io
import json
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from gateway.capture.audio import SAMPLE_RATE, Samples
from gateway.capture.resampling import Resampler

THERAPY = Path(__file__).resolve().parents[1] / "truth" / "therapy"
VOICES = {"clinician": "en-gb+m3", "patient": "en-us+f3"}
FRAME = SAMPLE_RATE // 4
Pcm = npt.NDArray[np.int16]


@functools.cache
def speak(text: str, voice: str) -> Samples:
    """float32 (samples,), [-1, 1], 16 kHz."""
    program = shutil.which("espeak-ng")
    if program is None:
        pytest.skip("no espeak-ng: apt-get install espeak-ng")
    done = subprocess.run(
        [program, "-v", voice, "-s", "150", "--stdout", text], check=True, capture_output=True, timeout=60
    )
    samples, rate = soundfile.read(io.BytesIO(done.stdout), dtype="float32")
    resampler = Resampler(rate, SAMPLE_RATE)
    return np.concatenate([resampler.push(samples), resampler.flush()])


@dataclass(frozen=True, slots=True)
class SpokenSession:
    """int16 samples of each channel, equally long."""

    room: Pcm
    call: Pcm

    @property
    def seconds(self) -> float:
        return len(self.room) / SAMPLE_RATE

    @property
    def mixed(self) -> Pcm:
        """As one microphone hears both."""
        return self.room + self.call  # they never speak at once


def speak_session(name: str, seconds: float, first: int = 0) -> SpokenSession:
    """One of the invented sessions of the truth, from its segment ``first`` on: as long as is asked for, at its own
    pace, with the pauses between turns that make it so."""
    segments = json.loads((THERAPY / f"{name}.json").read_text(encoding="utf-8"))["segments"][first:]
    spoken: list[tuple[str, Samples]] = []
    length = 0.0
    for segment in segments:
        turn = speak(segment["text"], VOICES[segment["speaker"]])
        length += len(turn) / SAMPLE_RATE + 0.3
        if length > seconds:
            break
        spoken.append((segment["speaker"], turn))
    pause = (seconds - sum(len(turn) for _, turn in spoken) / SAMPLE_RATE) / (len(spoken) + 1)
    gap = np.zeros(int(pause * SAMPLE_RATE), np.float32)
    parts: dict[str, list[Samples]] = {speaker: [gap] for speaker in VOICES}
    for who, turn in spoken:
        for speaker, part in parts.items():
            part += [turn if speaker == who else np.zeros_like(turn), gap]
    room, call = ((np.concatenate(parts[who]) * 32767).astype("<i2") for who in ("clinician", "patient"))
    return SpokenSession(room, call)


def join_sessions(sessions: Iterable[SpokenSession]) -> SpokenSession:
    """One after another."""
    parts = list(sessions)
    return SpokenSession(np.concatenate([one.room for one in parts]), np.concatenate([one.call for one in parts]))
