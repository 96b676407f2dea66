"""Speaks the sandbox's sample dictation anew: ``dictation.txt`` by espeak-ng, written as ``dictation.flac`` beside it.

The patient and every word are invented. Usage: ``python tests/models/make_sample_dictation.py [TEXT [FLAC]]``;
needs espeak-ng, whose output depends on its version (1.51 made the file in the repository).
"""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

from gateway.capture.audio import SAMPLE_RATE, Samples, decode_audio

SAMPLES = Path(__file__).resolve().parents[2] / "gateway" / "sandbox" / "samples"
VOICE, WORDS_A_MINUTE, PAUSE_SECONDS = "en-us", "165", 0.35
LOUDEST = 0.25  # −12 dBFS: an ordinary level for a voice, and a smaller file


def speak(sentence: str, voice: str = VOICE) -> Samples:
    """One sentence as float32 (samples,), [-1, 1], 16 kHz."""
    command = ["espeak-ng", "-v", voice, "-s", WORDS_A_MINUTE, "--stdout", sentence]
    return decode_audio(subprocess.run(command, capture_output=True, check=True).stdout)


def make_dictation(text: str) -> bytes:
    """A FLAC file, 16 kHz, 16 bits: every line of the text, with a pause after it."""
    pause = np.zeros(int(PAUSE_SECONDS * SAMPLE_RATE), dtype=np.float32)
    spoken = [part for line in text.splitlines() if line.strip() for part in (speak(line), pause)]
    file = io.BytesIO()
    samples = np.concatenate(spoken)
    samples *= LOUDEST / np.abs(samples).max()
    soundfile.write(file, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    text_file = given[0] if given else SAMPLES / "dictation.txt"
    flac_file = given[1] if len(given) > 1 else text_file.with_suffix(".flac")
    flac_file.write_bytes(make_dictation(text_file.read_text(encoding="utf-8")))
    print(f"{flac_file}: {flac_file.stat().st_size} bytes, {soundfile.info(flac_file).duration:.1f} s")
