"""What the rest of the program sees of a transcriber: faster-whisper, or a scripted one in tests."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from gateway.capture.audio import Samples
from gateway.capture.heard import HeardPiece
from gateway.capture.language import LanguageGuess
from gateway.capture.material import Segment

OnProgress = Callable[[float], None]
"""Hears how much of the recording is done, from 0 to 1, never less than before; called from the same thread."""


@dataclass(frozen=True, slots=True)
class TranscriberInfo:
    """What hears, for the page and the Provenance. ``language`` is a BCP 47 tag; the hash is SHA-256 in hex, empty
    where there is no model file."""

    kind: str  # "model" | "scripted"
    name: str
    language: str
    model_sha256: str = ""


class Transcriber(Protocol):
    """Turns samples into words; runs in a thread; never stores, or guesses who spoke."""

    def describe(self) -> TranscriberInfo:
        """What hears."""
        ...

    def transcribe(self, samples: Samples, cancel: threading.Event, on_progress: OnProgress) -> Iterator[Segment]:
        """Yield sentences as they are heard, numbered from 1, in order of time, within the recording.

        Args:
            samples: float32 (samples,), [-1, 1], 16 kHz, mono.
            cancel: once set, it ends soon, after at most the decoding step under way.
            on_progress: hears of each piece done.

        Yields:
            Segments of source DICTATION and speaker CLINICIAN, with start and end in seconds; ``unclear`` where the
            model was unsure.

        Raises:
            CaptureError: nothing was said, or a piece ran past its deadline. What was yielded before stands.
            ModelError: the model's files are missing or damaged.
        """
        ...

    def hear(self, samples: Samples, hotwords: str = "") -> HeardPiece:
        """Hear one piece of a session, without what was heard before it; ends after a bounded number of words.

        Args:
            samples: float32 (samples,), [-1, 1], 16 kHz, mono; at most 25 s.
            hotwords: phrases that it may hear more easily, within ``HOTWORD_TOKENS``.

        Raises:
            ModelError: the model's files are missing or damaged, or it failed.
        """
        ...

    def detect_language(self, samples: Samples) -> LanguageGuess | None:
        """Guess from the sound in which language a piece is spoken; None where the model knows one language only.

        ``hear`` and ``transcribe`` write the model's one language, whatever is spoken.

        Args:
            samples: float32 (samples,), [-1, 1], 16 kHz, mono; at most 25 s, and speech: in silence it guesses too.

        Raises:
            ModelError: the model's files are missing or damaged, or it failed.
        """
        ...

    def count_tokens(self, text: str) -> int:
        """How many tokens of the model's this text takes as hotwords."""
        ...

    def close(self) -> None:
        """Let go of the model and of what it holds of the recording."""
        ...
