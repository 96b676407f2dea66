"""A transcriber that says what it was told to: for tests, without a model."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.capture.audio import SAMPLE_RATE, Samples, nothing_was_said
from gateway.capture.material import Segment, Source, Speaker
from gateway.capture.transcriber import OnProgress, TranscriberInfo


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

    def close(self) -> None:
        pass
