"""The faster-whisper transcriber: speech is found, gathered into pieces and heard, one window a piece.

It never reaches for a network: it opens a local folder only, and the engine's own ways out are shut before it is
imported. Each piece is one decode of a bounded number of words, so that no decoder can run for ever; between
pieces ``cancel`` and the deadline are looked at. The model is opened with the first recording (its threads must
begin after the fork) and dropped by ``close``.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from gateway.capture.audio import SAMPLE_RATE, Samples, nothing_was_said
from gateway.capture.engine import keep_at_home
from gateway.capture.heard import NOTHING_HEARD, HeardPiece, HeardWord, read_sentences
from gateway.capture.language import LanguageGuess
from gateway.capture.material import Segment
from gateway.capture.pieces import gather_pieces
from gateway.capture.spans import Span
from gateway.capture.transcriber import OnProgress, TranscriberInfo
from gateway.errors import CaptureError, ModelError
from gateway.models.installed import InstalledModel

PIECE_DEADLINE_SECONDS = 60.0
_MOST_TOKENS = 224  # a piece of 25 s at five words a second; the engine's window has room for 448
_BEAM = 5  # against greedy, on synthetic voices: a third fewer misheard words for a fifth more processor time
_STRETCH = 300 * SAMPLE_RATE  # speech is searched for in stretches, so that cancel is seen
_TAGS = {"jw": "jv"}  # Whisper's one code that is no BCP 47 tag: Javanese
_MODEL_FILES = ("model.bin", "config.json", "tokenizer.json")


class WhisperTranscriber:
    """Hears dictations and pieces of a session with one installed speech model; one at a time."""

    def __init__(
        self,
        model: InstalledModel,
        threads: int = 0,
        language: str = "en",
        piece_deadline_seconds: float = PIECE_DEADLINE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._threads = threads or len(os.sched_getaffinity(0))
        self._language = language
        self._piece_deadline_seconds = piece_deadline_seconds
        self._clock = clock
        self._pipeline: Any = None
        self._lock = threading.Lock()

    def describe(self) -> TranscriberInfo:
        return TranscriberInfo("model", self._model.name, self._language, self._model.sha256)

    def transcribe(self, samples: Samples, cancel: threading.Event, on_progress: OnProgress) -> Iterator[Segment]:
        pipeline = self._open()
        pieces = gather_pieces(_find_speech(samples, cancel))
        number = 0
        for piece in pieces:
            if cancel.is_set():
                return
            deadline = self._clock() + self._piece_deadline_seconds
            heard = self._hear(pipeline, piece.cut_from(samples), "")
            late = self._clock() > deadline
            for segment in read_sentences(heard, piece, number + 1):
                number = segment.number
                yield segment
            if late:
                raise CaptureError(
                    "speech.deadline",
                    "The speech model is too slow on this machine now: keep what was heard and type the rest, "
                    "or try again.",
                    f"a piece of {piece.length / SAMPLE_RATE:.1f} s",
                )
            on_progress(min(1.0, piece.end / len(samples)))
        if cancel.is_set():
            return
        if number == 0:
            raise nothing_was_said()
        on_progress(1.0)

    def hear(self, samples: Samples, hotwords: str = "") -> HeardPiece:
        return self._hear(self._open(), samples, hotwords)

    def detect_language(self, samples: Samples) -> LanguageGuess | None:
        whisper = self._open().model
        if not whisper.model.is_multilingual:
            return None
        try:
            code, probability, _ = whisper.detect_language(samples)
        except (RuntimeError, ValueError) as error:
            raise self._failed(error) from error
        return LanguageGuess(_TAGS.get(code, code), float(probability))

    def count_tokens(self, text: str) -> int:
        tokenizer = self._open().model.hf_tokenizer
        return len(tokenizer.encode(" " + text.strip(), add_special_tokens=False).ids)

    def close(self) -> None:
        self._pipeline = None  # a transcription that is still under way keeps its own until it ends

    def _hear(self, pipeline: Any, samples: Samples, hotwords: str) -> HeardPiece:
        """One window, without the text of the window before it."""
        try:
            windows, _ = pipeline.transcribe(
                samples,
                language=self._language,
                clip_timestamps=[{"start": 0, "end": len(samples) / SAMPLE_RATE}],
                batch_size=1,
                beam_size=_BEAM,
                temperature=0.0,
                without_timestamps=True,
                word_timestamps=True,
                max_new_tokens=_MOST_TOKENS,
                hotwords=hotwords or None,
            )
            found = list(windows)
        except (RuntimeError, ValueError) as error:
            raise self._failed(error) from error
        if not found:
            return NOTHING_HEARD
        return HeardPiece(
            tuple(
                HeardWord(word.word, float(word.start), float(word.end), float(word.probability))
                for window in found
                for word in window.words
            ),
            min(window.avg_logprob for window in found),
            max(window.no_speech_prob for window in found),
            max(window.compression_ratio for window in found),
        )

    def _failed(self, error: Exception) -> ModelError:
        return ModelError(
            "model.failed",
            f"The speech model {self._model.name} failed: run `countersign models verify`, or type the note.",
            type(error).__name__,
        )

    def _open(self) -> Any:
        with self._lock:
            if self._pipeline is None:
                self._pipeline = _open_pipeline(self._model, self._threads)
            return self._pipeline


def _find_speech(samples: Samples, cancel: threading.Event) -> Iterator[Span]:
    """Stretches of speech by the Silero detector that comes with faster-whisper."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(min_silence_duration_ms=400, speech_pad_ms=200, max_speech_duration_s=25.0)
    for offset in range(0, len(samples), _STRETCH):
        if cancel.is_set():
            return
        for found in get_speech_timestamps(samples[offset : offset + _STRETCH], options):
            yield Span(offset + int(found["start"]), offset + int(found["end"]))


def _open_pipeline(model: InstalledModel, threads: int) -> Any:
    """Raises:
    ModelError: a file is missing, or the engine does not take it.
    """
    missing = [name for name in _MODEL_FILES if not (model.path / name).is_file()]
    if missing:  # without its tokenizer the engine would ask the hub for one
        raise ModelError(
            "model.damaged",
            f"The speech model {model.name} has no {missing[0]}: run `countersign models pull {model.id}`.",
        )
    keep_at_home()
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    try:
        whisper = WhisperModel(
            str(model.path), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(
            "model.damaged",
            f"The speech model {model.name} can't be opened: run `countersign models pull {model.id}`.",
            type(error).__name__,
        ) from error
    return BatchedInferencePipeline(whisper)
