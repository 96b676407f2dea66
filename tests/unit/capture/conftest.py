"""The sample dictation as samples, and a tiny Whisper that hears two known sentences in every piece."""

from pathlib import Path

import numpy as np
import pytest

from gateway.capture.audio import SAMPLE_RATE, Samples, decode_audio
from gateway.models.catalogue import Kind
from gateway.models.installed import InstalledModel
from tests.models.make_speech_model import make_speech_model

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "gateway" / "sandbox" / "samples"


@pytest.fixture(scope="session")
def dictation() -> Samples:
    """Its first forty seconds: more than one piece."""
    return decode_audio((SAMPLES / "dictation.flac").read_bytes())[: 40 * SAMPLE_RATE]


@pytest.fixture(scope="session")
def noise() -> Samples:
    """Ten seconds of loud noise in which nobody speaks."""
    return np.random.default_rng(1).normal(0, 0.05, 10 * SAMPLE_RATE).astype(np.float32)


@pytest.fixture(scope="session")
def tiny_whisper() -> InstalledModel:
    folder = make_speech_model(ROOT / "build" / "models" / "whisper-scripted")
    return InstalledModel("scripted", "scripted Whisper", Kind.SPEECH, folder, "0" * 64)
