"""A transcriber that says what it was told to, and a voice that hears loudness: for tests, without a model."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gateway.capture.audio import SAMPLE_RATE, Samples, nothing_was_said
from gateway.capture.heard import NOTHING_HEARD, HeardPiece, HeardWord
from gateway.capture.language import LanguageGuess
from gateway.capture.material import Segment, Source, Speaker
from gateway.capture.transcriber import OnProgress, TranscriberInfo
from gateway.capture.voice import WINDOW, Probabilities


@dataclass(frozen=True, slots=True)
class ScriptedTranscriber:
    """Hears the same sentences in every recording, spread evenly over it; ``unclear`` names some by index."""

    sentences: Sequence[str]
    unclear: frozenset[int] = frozenset()
    language: str = "en"

    def describe(self) -> TranscriberInfo:
        return TranscriberInfo("scripted", "scripted sentences", self.language)

    def transcribe(self, samples: Samples, cancel: threading.Event, on_progress: OnProgress) -> Iterator[Segment]:
        if not samples.any():
            raise nothing_was_said()
        share = len(samples) / SAMPLE_RATE / len(self.sentences)
        for index, sentence in enumerate(self.sentences):
            if cancel.is_set():
                return
            yield Segment(
                index + 1,
                Source.DICTATION,
                Speaker.CLINICIAN,
                sentence,
                start_seconds=index * share,
                end_seconds=(index + 1) * share,
                unclear=index in self.unclear,
            )
            on_progress((index + 1) / len(self.sentences))

    def hear(self, samples: Samples, hotwords: str = "") -> HeardPiece:
        """All sentences in every piece, and the hotwords after them where they are given."""
        words = [word for sentence in (*self.sentences, *([hotwords] if hotwords else [])) for word in sentence.split()]
        share = len(samples) / SAMPLE_RATE / max(1, len(words))
        heard = (HeardWord(f" {word}", place * share, (place + 1) * share, 0.95) for place, word in enumerate(words))
        return HeardPiece(tuple(heard), -0.2, 0.1, 1.4) if samples.any() else NOTHING_HEARD

    def detect_language(self, samples: Samples) -> LanguageGuess | None:
        return LanguageGuess(self.language, 0.95)

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def close(self) -> None:
        pass


class LoudVoice:
    """Takes the mean loudness of a window for the probability of speech."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)

    def push(self, samples: Samples) -> Probabilities:
        audio = np.concatenate([self._rest, samples])
        count = len(audio) // WINDOW
        self._rest = audio[count * WINDOW :]
        windows = np.abs(audio[: count * WINDOW].reshape(count, WINDOW))
        return np.asarray(windows.mean(axis=1), np.float32)
