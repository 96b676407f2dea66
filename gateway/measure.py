"""Measures one model in a process of its own: ``gateway.models.measuring`` starts it and reads its JSON lines.

In, as arguments: ``processor``, or a kind, a path, an id, a name, a SHA-256 and a number of threads. Out, a line each:
``{"step", "done"}`` meanwhile, then ``{"measured"}`` or ``{"lacking", "gpu"}``, or ``{"error"}`` with a sentence. It
hears and reads the sandbox's sample dictation, which is invented, and writes no file.
"""

import json
import os
import resource
import sys
import threading
import time
from pathlib import Path

from gateway.capture.audio import SAMPLE_RATE, decode_audio
from gateway.errors import CountersignError
from gateway.models.catalogue import Kind
from gateway.models.installed import InstalledModel
from gateway.models.measuring import DEADLINE_SECONDS, Measured

SAMPLES = Path(__file__).resolve().parent / "sandbox" / "samples"
READ_TOKENS = 500  # enough that a first batch does not count for much
WRITTEN_SENTENCES = 4
SENTENCE = r"[A-Z][a-z ,']{20,160}\."


def main() -> None:
    """Do what the arguments say; every expected failure is a line with its sentence."""
    try:
        match sys.argv[1:]:
            case ["processor"]:
                _say(**_look_at_engine())
            case [kind, path, model_id, name, sha256, threads]:
                model = InstalledModel(model_id, name, Kind(kind), Path(path), sha256)
                measure = _measure_speech if model.kind is Kind.SPEECH else _measure_text
                _say(measured=measure(model, int(threads) or len(os.sched_getaffinity(0))).model_dump())
            case _:
                raise SystemExit(2)
    except CountersignError as error:
        _say(error=error.public)


def _measure_speech(model: InstalledModel, threads: int) -> Measured:
    """One hearing of the sample, after the model was opened and has heard a second of it."""
    from gateway.capture.whisper import WhisperTranscriber

    samples = decode_audio((SAMPLES / "dictation.flac").read_bytes())
    never = threading.Event()
    _say(step="opening", done=0.0)
    transcriber = WhisperTranscriber(model, threads)
    list(transcriber.transcribe(samples[: 5 * SAMPLE_RATE], never, lambda done: None))
    begun = time.monotonic()
    list(transcriber.transcribe(samples, never, lambda done: _say(step="hearing", done=done)))
    seconds = time.monotonic() - begun
    factor = seconds * SAMPLE_RATE / len(samples)
    return Measured(sha256=model.sha256, threads=threads, peak_bytes=_peak_bytes(), real_time_factor=factor)


def _measure_text(model: InstalledModel, threads: int) -> Measured:
    """Reading about 500 tokens, then writing four sentences under a grammar, as a draft is read and written."""
    from gateway.note.llama import LlamaTextModel
    from gateway.note.textmodel import Bound
    from gateway.note.weights import load_weights

    _say(step="opening", done=0.0)
    text_model = LlamaTextModel(load_weights(model.path, model.sha256), threads)
    bound = Bound(threading.Event(), time.monotonic() + DEADLINE_SECONDS)
    text = (SAMPLES / "dictation.txt").read_text(encoding="utf-8")
    while text_model.count_tokens(text) < READ_TOKENS:
        text += text
    _say(step="reading", done=0.2)
    begun = time.monotonic()
    text_model.read("You write short notes.", text, bound)
    tokens_in = text_model.count_tokens(text) / (time.monotonic() - begun)
    text_model.ask("What was said? Answer in short sentences.\n", "", bound)
    text_model.write_sentence(SENTENCE, False, bound)  # the question goes through with the first
    written = 0
    begun = time.monotonic()
    for number in range(WRITTEN_SENTENCES):
        _say(step="writing", done=0.6 + 0.1 * number)
        written += text_model.count_tokens(f"- {text_model.write_sentence(SENTENCE, False, bound) or ''}\n")
    tokens_out = written / (time.monotonic() - begun)
    peak = _peak_bytes()
    text_model.close()
    return Measured(sha256=model.sha256, threads=threads, peak_bytes=peak, tokens_in=tokens_in, tokens_out=tokens_out)


def _look_at_engine() -> dict[str, object]:
    from gateway.note.processor import find_lacking, read_flags
    from gateway.note.weights import has_gpu, is_built_for

    lacking = find_lacking(is_built_for, read_flags(Path("/proc/cpuinfo")))
    return {"lacking": list(lacking), "gpu": not lacking and has_gpu()}


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _say(**answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
