"""The measured test runs the real engines in a process of its own, with the tiny models that tests build."""

import json
import sys
from pathlib import Path

import llama_cpp
import pytest

import gateway.models.measuring as measuring
from gateway.errors import ModelError
from gateway.models.catalogue import Kind
from gateway.models.installed import MEASURED, InstalledModel
from gateway.models.measuring import (
    Measured,
    keep_measured,
    look_at_engine,
    measure_model,
    read_measured,
)
from tests.models.make_speech_model import make_speech_model
from tests.models.make_text_model import make_random_model

ROOT = Path(__file__).resolve().parents[3]
FIGURES = Measured(sha256="0" * 64, threads=2, peak_bytes=5, real_time_factor=0.25)


def test_measures_how_fast_speech_is_heard() -> None:
    folder = make_speech_model(ROOT / "build" / "models" / "whisper-scripted")
    steps: list[tuple[str, float]] = []
    measured = measure_model(
        InstalledModel("scripted", "scripted", Kind.SPEECH, folder, "0" * 64),
        2,
        lambda what, done: steps.append((what, done)),
    )
    assert 0 < measured.real_time_factor < 5
    assert (measured.sha256, measured.threads, measured.tokens_in) == ("0" * 64, 2, 0)
    assert measured.peak_bytes > 50_000_000
    assert steps[0] == ("opening", 0.0)
    assert steps[-1] == ("hearing", 1.0)


def test_measures_how_fast_text_is_read_and_written() -> None:
    measured = measure_model(InstalledModel("random", "random", Kind.TEXT, make_random_model(), "0" * 64), 1)
    assert measured.tokens_in > 0
    assert measured.tokens_out > 0
    assert measured.real_time_factor == 0


def test_a_model_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF but not really")
    for kind, path in ((Kind.TEXT, tmp_path / "model.gguf"), (Kind.SPEECH, tmp_path)):
        with pytest.raises(ModelError) as caught:
            measure_model(InstalledModel("broken", "Broken", kind, path, "0" * 64))
        assert caught.value.code == "model.measure"
        assert "countersign models" in caught.value.public


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "it ended by SIGILL"),
        ("raise SystemExit(3)", "it ended with 3"),
        ("print('hello')", "it did not speak as agreed"),
        ("", "it said nothing"),
        ("import time; time.sleep(60)", "it ended by SIGKILL"),
    ],
)
def test_a_bad_end_of_the_process_is_one_sentence(
    program: str, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "invented_measure.py").write_text(f"def main():\n    {program or 'pass'}\n")
    monkeypatch.setattr(measuring, "MODULE", "invented_measure")
    monkeypatch.setattr(measuring, "DEADLINE_SECONDS", 1.0)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(ModelError) as caught:
        measure_model(InstalledModel("x", "Invented", Kind.TEXT, tmp_path, "0" * 64))
    assert caught.value.public == f"The measured test of Invented gave no result: {why}."


def test_asks_for_the_processor_and_a_gpu_in_a_process_of_its_own() -> None:
    assert look_at_engine() == ((), llama_cpp.llama_supports_gpu_offload())


def test_keeps_figures_for_the_same_weights_only(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    assert read_measured(tmp_path, "model", "0" * 64) is None
    assert keep_measured(tmp_path, "model", FIGURES)
    assert read_measured(tmp_path, "model", "0" * 64) == FIGURES
    assert read_measured(tmp_path, "model", "1" * 64) is None
    kept = json.loads((tmp_path / "model" / MEASURED).read_text())
    assert set(kept) == set(Measured.model_fields), "figures and a checksum; no address, no path"
    (tmp_path / "model" / MEASURED).write_text("{}")
    assert read_measured(tmp_path, "model", "0" * 64) is None
    assert not keep_measured(tmp_path, "elsewhere", FIGURES)


def test_figures_read_as_a_person_says_them() -> None:
    assert str(FIGURES) == "0.25 s a second of speech"
    assert str(FIGURES.model_copy(update={"real_time_factor": 0.0, "tokens_in": 154.6, "tokens_out": 36.2})) == (
        "155 tokens/s in, 36 out"
    )
