import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

import gateway.visit.composition as composition
from gateway.errors import ModelError
from gateway.models.catalogue import Kind
from gateway.models.installed import InstalledModel
from gateway.models.memory import Need, Running
from gateway.retention import Retention
from gateway.visit.composition import Shared, list_readable, require_room
from gateway.visit.confinement import list_code

GB = 1_000_000_000


def share(speech: InstalledModel | None) -> Shared:
    nothing: dict[str, object] = {}
    return Shared(nothing, nothing, nothing, None, nothing, None, None, speech, Retention())


def test_a_visit_may_read_the_speech_model_and_what_its_links_lead_to_and_no_folder_around_them(tmp_path: Path) -> None:
    model, elsewhere = tmp_path / "models" / "whisper", tmp_path / "blobs" / "a1"
    model.mkdir(parents=True)
    elsewhere.parent.mkdir()
    elsewhere.write_text("weights")
    (model / "config.json").write_text("{}")
    (model / "model.bin").symlink_to(elsewhere)
    readable = list_readable(share(InstalledModel("whisper", "Whisper", Kind.SPEECH, model, "")))
    assert set(readable) - set(list_code()) == {model, elsewhere}


def test_without_speech_it_reads_the_code_alone() -> None:
    assert list_readable(share(None)) == list_code()


def test_memory_is_asked_for_before_weights_are_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = InstalledModel("large", "Large", Kind.TEXT, tmp_path / "none.gguf", "", Need(8 * GB, GB))
    monkeypatch.setattr(composition, "load_weights", lambda path, sha256: "loaded")
    monkeypatch.setattr(composition, "read_available", lambda: 8 * GB)
    with pytest.raises(ModelError) as caught:
        composition._load_text_model(model, (model.need,))
    assert caught.value.code == "model.memory"
    assert "9.1 GB are needed and 8.0 GB are free" in caught.value.public
    monkeypatch.setattr(composition, "read_available", lambda: 10 * GB)
    assert composition._load_text_model(model, (model.need,)) == "loaded"


def test_with_layers_on_a_gpu_each_visit_is_counted_with_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    need = Need(3 * GB, GB).in_each_visit()
    assert need == Need(0, 4 * GB)
    shared = replace(share(None), needs=(need,))
    monkeypatch.setattr(composition, "read_available", lambda: 9 * GB)
    require_room(shared, [Running(3600, 0)])  # 4 GB that it may still take, and 4 for this one
    with pytest.raises(ModelError, match="too little memory for one more visit"):
        require_room(shared, [Running(3600, 0), Running(3600, 0)])


def test_with_layers_on_a_gpu_a_visit_may_read_the_text_model(tmp_path: Path) -> None:
    model = InstalledModel("tiny", "Tiny", Kind.TEXT, tmp_path / "tiny" / "model.gguf", "")
    assert set(list_readable(replace(share(None), weights=model))) - set(list_code()) == {model.path}


def test_what_kills_the_trial_on_a_gpu_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """ggml ends its process itself where a GPU fails at its work."""
    monkeypatch.setattr(composition, "_try_text_model", lambda model, gpu_layers: os.kill(os.getpid(), signal.SIGKILL))
    model = InstalledModel("tiny", "Tiny", Kind.TEXT, tmp_path / "model.gguf", "")
    with pytest.raises(ModelError, match="set gpu_layers = 0") as caught:
        composition._load_text_model(model, (), gpu_layers=1)
    assert caught.value.code == "model.gpu"


def test_a_visit_that_does_not_fit_is_told_before_it_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = replace(share(None), needs=(Need(8 * GB, GB), Need(0, GB)))
    monkeypatch.setattr(composition, "read_available", lambda: 5 * GB)
    opened = Running(3600, 0)
    require_room(shared, [])  # the weights are loaded: they are not asked for again
    require_room(shared, [opened])
    with pytest.raises(ModelError, match="too little memory for one more visit"):
        require_room(shared, [opened, opened])
    require_room(shared, [opened, Running(3600, 2 * GB)])
