"""One contract for every transcriber: scripted, the real engine with a tiny model, and with published weights."""

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gateway.capture.audio import SAMPLE_RATE, Samples
from gateway.capture.heard import HeardPiece, HeardWord, read_sentences
from gateway.capture.hotwords import HOTWORD_TOKENS
from gateway.capture.material import Source, Speaker, gather_material
from gateway.capture.pieces import Piece
from gateway.capture.scripted import ScriptedTranscriber
from gateway.capture.spans import Span
from gateway.capture.transcriber import Transcriber
from gateway.capture.whisper import WhisperTranscriber
from gateway.errors import CaptureError, ModelError
from gateway.models.catalogue import read_catalogue
from gateway.models.installed import InstalledModel, is_present, open_installed
from gateway.settings import read_settings


@pytest.fixture(
    params=[
        "scripted",
        "tiny",
        pytest.param("whisper-tiny-en", marks=pytest.mark.weights),
        pytest.param("whisper-base", marks=pytest.mark.weights),
    ]
)
def transcriber(request: pytest.FixtureRequest, tiny_whisper: InstalledModel) -> Transcriber:
    if request.param == "scripted":
        return ScriptedTranscriber(("The patient slept well.", "She has no pain."))
    if request.param == "tiny":
        return WhisperTranscriber(tiny_whisper, threads=2)
    settings = read_settings()
    entry = read_catalogue(settings.config_dir).models[request.param]
    if not is_present(entry, settings.models):
        pytest.skip(f"{request.param} is not installed: countersign models pull {request.param}")
    return WhisperTranscriber(open_installed(entry, settings.models), threads=2)


def test_yields_numbered_sentences_in_order_of_time(transcriber: Transcriber, dictation: Samples) -> None:
    segments = list(transcriber.transcribe(dictation, threading.Event(), lambda done: None))
    length = len(dictation) / SAMPLE_RATE
    assert len(segments) >= 2
    assert [segment.number for segment in segments] == list(range(1, len(segments) + 1))
    assert all(0 <= segment.start_seconds <= segment.end_seconds <= length for segment in segments)
    starts = [segment.start_seconds for segment in segments]
    assert starts == sorted(starts)
    assert all(segment.text == segment.text.strip() != "" for segment in segments)
    assert {(segment.source, segment.speaker) for segment in segments} == {(Source.DICTATION, Speaker.CLINICIAN)}
    assert gather_material(segments).segments == tuple(segments)


def test_tells_of_progress_up_to_the_end(transcriber: Transcriber, dictation: Samples) -> None:
    told: list[float] = []
    list(transcriber.transcribe(dictation, threading.Event(), told.append))
    assert told == sorted(told)
    assert 0 < told[0] <= told[-1] == 1.0


def test_yields_nothing_once_cancelled(transcriber: Transcriber, dictation: Samples) -> None:
    cancel = threading.Event()
    cancel.set()
    assert list(transcriber.transcribe(dictation, cancel, lambda done: None)) == []


def test_ends_soon_after_cancel(transcriber: Transcriber, dictation: Samples) -> None:
    cancel = threading.Event()
    whole = list(transcriber.transcribe(dictation, threading.Event(), lambda done: None))
    heard = []
    for segment in transcriber.transcribe(dictation, cancel, lambda done: None):
        heard.append(segment)
        cancel.set()
    assert 1 <= len(heard) < len(whole)


def test_says_that_nothing_was_said_in_silence(transcriber: Transcriber) -> None:
    silence = np.zeros(5 * SAMPLE_RATE, np.float32)
    with pytest.raises(CaptureError) as caught:
        list(transcriber.transcribe(silence, threading.Event(), lambda done: None))
    assert caught.value.code == "audio.silent"


def test_hears_again_after_close(transcriber: Transcriber, dictation: Samples) -> None:
    first = list(transcriber.transcribe(dictation, threading.Event(), lambda done: None))
    transcriber.close()
    transcriber.close()
    assert list(transcriber.transcribe(dictation, threading.Event(), lambda done: None)) == first


def test_hears_a_piece_again_after_close_and_whatever_was_heard_before_it(
    transcriber: Transcriber, dictation: Samples
) -> None:
    piece = dictation[: 20 * SAMPLE_RATE]
    first = transcriber.hear(piece)
    transcriber.hear(dictation[20 * SAMPLE_RATE :])
    assert transcriber.hear(piece) == first
    transcriber.close()
    assert transcriber.hear(piece) == first
    assert transcriber.count_tokens("better off without me") > 0


def test_close_does_not_wait_for_a_transcription_that_nobody_reads_on(
    transcriber: Transcriber, dictation: Samples
) -> None:
    hearing = transcriber.transcribe(dictation, threading.Event(), lambda done: None)
    next(hearing)
    transcriber.close()


def test_hears_one_piece_of_a_session_with_times_inside_it(transcriber: Transcriber, dictation: Samples) -> None:
    piece = dictation[: 20 * SAMPLE_RATE]
    heard = transcriber.hear(piece)
    assert len(heard.spoken) >= 4
    assert all(0 <= word.start_seconds <= word.end_seconds <= 20.1 for word in heard.words)
    starts = [word.start_seconds for word in heard.words]
    assert starts == sorted(starts)
    assert all(0 <= word.probability <= 1 for word in heard.words)
    assert transcriber.hear(piece) == heard


def test_hears_with_as_many_hotwords_as_the_budget_allows(transcriber: Transcriber, dictation: Samples) -> None:
    phrase = "better off without me"
    line = phrase
    while transcriber.count_tokens(f"{line}, {phrase}") <= HOTWORD_TOKENS:
        line += f", {phrase}"
    assert transcriber.count_tokens(phrase) < transcriber.count_tokens(line) <= HOTWORD_TOKENS
    assert transcriber.hear(dictation[: 20 * SAMPLE_RATE], line).spoken


def test_guesses_its_own_language_in_speech_of_it_or_knows_no_other(
    transcriber: Transcriber, dictation: Samples
) -> None:
    guess = transcriber.detect_language(dictation[: 20 * SAMPLE_RATE])
    is_multilingual = isinstance(transcriber, ScriptedTranscriber) or transcriber.describe().name == "Whisper base"
    assert (guess is not None) == is_multilingual
    if guess is not None:
        assert guess.language == transcriber.describe().language
        assert 0.5 <= guess.probability <= 1.0


def test_says_what_hears(transcriber: Transcriber) -> None:
    info = transcriber.describe()
    assert info.name
    assert info.language == "en"
    assert len(info.model_sha256) == (64 if info.kind == "model" else 0)


def test_makes_up_nothing_in_noise(tiny_whisper: InstalledModel, noise: Samples) -> None:
    with pytest.raises(CaptureError) as caught:
        list(WhisperTranscriber(tiny_whisper).transcribe(noise, threading.Event(), lambda done: None))
    assert caught.value.code == "audio.silent"


def test_stops_at_the_deadline_of_a_piece_and_keeps_what_was_heard(
    tiny_whisper: InstalledModel, dictation: Samples
) -> None:
    ticks = iter(range(0, 10_000, 100))
    transcriber = WhisperTranscriber(tiny_whisper, clock=lambda: float(next(ticks)))
    heard = []
    with pytest.raises(CaptureError) as caught:
        heard.extend(transcriber.transcribe(dictation, threading.Event(), lambda done: None))
    assert caught.value.code == "speech.deadline"
    assert heard


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json"])
def test_refuses_a_model_without_a_file(
    name: str, tiny_whisper: InstalledModel, dictation: Samples, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_whisper.path, tmp_path / "model")
    (folder / name).unlink()
    with pytest.raises(ModelError) as caught:
        list(WhisperTranscriber(replace(tiny_whisper, path=folder)).transcribe(dictation, threading.Event(), print))
    assert caught.value.code == "model.damaged"
    assert name in caught.value.public


def test_refuses_weights_that_are_cut_short(tiny_whisper: InstalledModel, dictation: Samples, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_whisper.path, tmp_path / "model")
    weights = folder / "model.bin"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ModelError) as caught:
        list(WhisperTranscriber(replace(tiny_whisper, path=folder)).transcribe(dictation, threading.Event(), print))
    assert caught.value.code == "model.damaged"


PIECE = Piece((Span(0, 10 * SAMPLE_RATE),))


def heard(text: str, probability: float = 0.95, **judged: float) -> HeardPiece:
    words = tuple(
        HeardWord(f" {word}", index * 0.5, index * 0.5 + 0.4, probability) for index, word in enumerate(text.split())
    )
    figures = {"average_logprob": -0.2, "no_speech_probability": 0.1, "compression_ratio": 1.4}
    return HeardPiece(words, **(figures | judged))


def test_cuts_sentences_with_their_own_times() -> None:
    first, second = read_sentences(heard("She slept well. No pain."), PIECE, 4)
    assert (first.number, first.text, first.start_seconds, first.end_seconds) == (4, "She slept well.", 0.0, 1.4)
    assert (second.number, second.text, second.start_seconds, second.end_seconds) == (5, "No pain.", 1.5, 2.4)


def test_drops_text_made_up_in_silence() -> None:
    made_up = heard("Thank you for watching.", average_logprob=-1.2, no_speech_probability=0.9)
    assert list(read_sentences(made_up, PIECE, 1)) == []


@pytest.mark.parametrize(
    "judged", [{"average_logprob": -1.2}, {"no_speech_probability": 0.8}, {"compression_ratio": 3.0}]
)
def test_marks_a_doubtful_piece_as_unclear_and_keeps_it(judged: dict[str, float]) -> None:
    segments = list(read_sentences(heard("She slept well. No pain.", **judged), PIECE, 1))
    assert [segment.unclear for segment in segments] == [True, True]


def test_marks_only_the_sentence_with_a_word_that_was_hard_to_hear() -> None:
    piece = heard("She slept well. No pain.")
    words = (*piece.words[:4], replace(piece.words[4], probability=0.2))
    segments = list(read_sentences(replace(piece, words=words), PIECE, 1))
    assert [segment.unclear for segment in segments] == [False, True]
