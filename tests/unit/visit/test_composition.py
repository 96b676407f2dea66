from pathlib import Path

from gateway.models.catalogue import Kind
from gateway.models.installed import InstalledModel
from gateway.visit.composition import Shared, list_readable
from gateway.visit.confinement import list_code


def share(speech: InstalledModel | None) -> Shared:
    nothing: dict[str, object] = {}
    return Shared(nothing, nothing, nothing, None, nothing, None, None, speech)


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
