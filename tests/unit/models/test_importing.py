import errno
import os
from pathlib import Path

import pytest

import gateway.models.importing as importing
from gateway.errors import ModelError
from gateway.models.catalogue import Catalogue, ModelEntry
from gateway.models.folder import hold_folder, remove_model
from gateway.models.importing import find_models, import_model
from gateway.models.installed import InstalledModel, open_installed, verify_model
from tests.unit.models.conftest import CONFIG, WEIGHTS


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """A memory stick with the model's files under other names, and a file that belongs to none."""
    folder = tmp_path / "stick"
    folder.mkdir()
    (folder / "a1b2c3").write_bytes(WEIGHTS)
    (folder / "settings").write_bytes(CONFIG)
    (folder / "README.md").write_bytes(b"# Invented")
    return folder


def bring(entry: ModelEntry, models: Path, *paths: Path) -> InstalledModel:
    (found,) = find_models(paths, Catalogue(models={entry.id: entry}), models)
    return import_model(found, models)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


WHOLE = {"model.bin", "config.json", ".verified", ".lock"}


def test_knows_a_models_files_by_their_content(entry: ModelEntry, stick: Path, tmp_path: Path) -> None:
    model = bring(entry, tmp_path / "models", stick)
    assert names(model.path) == WHOLE
    assert (model.path / "model.bin").read_bytes() == WEIGHTS
    verify_model(entry, tmp_path / "models")
    assert names(stick) == {"a1b2c3", "settings", "README.md"}


def test_takes_files_that_are_named_one_by_one(entry: ModelEntry, stick: Path, tmp_path: Path) -> None:
    assert bring(entry, tmp_path / "models", stick / "settings", stick / "a1b2c3").id == entry.id


def test_links_where_it_can(entry: ModelEntry, stick: Path, tmp_path: Path) -> None:
    model = bring(entry, tmp_path / "models", stick)
    assert (model.path / "model.bin").samefile(stick / "a1b2c3")


def test_installs_the_file_that_a_link_leads_to(entry: ModelEntry, stick: Path, tmp_path: Path) -> None:
    """A cache of the hub holds links to blobs; when it is deleted, the model stays."""
    cache = tmp_path / "cache"
    cache.mkdir()
    for name in ("a1b2c3", "settings"):
        (cache / name).symlink_to(stick / name)
    model = bring(entry, tmp_path / "models", cache)
    assert not (model.path / "model.bin").is_symlink()
    for file in stick.iterdir():
        file.unlink()
    assert open_installed(entry, tmp_path / "models").id == entry.id


def test_copies_where_it_cannot_link(
    entry: ModelEntry, stick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(importing.os, "link", refuse)
    model = bring(entry, tmp_path / "models", stick)
    assert not (model.path / "model.bin").samefile(stick / "a1b2c3")
    assert (model.path / "model.bin").read_bytes() == WEIGHTS


@pytest.mark.parametrize("content", [b"something else", WEIGHTS[:-1] + b"!", WEIGHTS + b"!", WEIGHTS[:-1], b""])
def test_refuses_a_file_that_is_not_pinned_in_one_sentence(
    entry: ModelEntry, stick: Path, content: bytes, tmp_path: Path
) -> None:
    (stick / "a1b2c3").write_bytes(content)
    with pytest.raises(ModelError) as caught:
        bring(entry, tmp_path / "models", stick / "a1b2c3", stick / "settings")
    assert caught.value.code == "model.foreign"
    assert "nothing was installed" in caught.value.public
    assert not (tmp_path / "models").exists()


def test_refuses_a_folder_without_weights(entry: ModelEntry, stick: Path, tmp_path: Path) -> None:
    (stick / "a1b2c3").unlink()
    with pytest.raises(ModelError, match="There are no weights of a model"):
        bring(entry, tmp_path / "models", stick)


def test_refuses_a_model_that_is_not_whole(entry: ModelEntry, stick: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        bring(entry, tmp_path / "models", stick / "a1b2c3")
    assert caught.value.code == "model.incomplete"
    assert "needs config.json too" in caught.value.public
    assert not (tmp_path / "models").exists()


def test_needs_only_what_is_not_installed(entry: ModelEntry, stick: Path, tmp_path: Path) -> None:
    model = bring(entry, tmp_path / "models", stick)
    (model.path / "model.bin").unlink()
    assert bring(entry, tmp_path / "models", stick / "a1b2c3").path == model.path


def test_refuses_a_file_that_is_not_there(entry: ModelEntry, stick: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no file"):
        bring(entry, tmp_path / "models", stick / "nothing")


def test_refuses_a_file_that_changes_while_it_is_read(entry: ModelEntry, stick: Path, tmp_path: Path) -> None:
    (found,) = find_models([stick], Catalogue(models={entry.id: entry}), tmp_path)
    (stick / "a1b2c3").write_bytes(WEIGHTS[:-1] + b"!")
    with pytest.raises(ModelError) as caught:
        import_model(found, tmp_path)
    assert caught.value.code == "model.mismatch"
    with pytest.raises(ModelError):
        open_installed(entry, tmp_path)


def test_removes_a_model_and_nothing_else(entry: ModelEntry, stick: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    model = bring(entry, models, stick)
    assert remove_model(entry, models) >= entry.size_bytes
    assert not model.path.exists()
    assert remove_model(entry, models) == 0
    model = bring(entry, models, stick)
    (model.path / "notes.txt").write_text("mine")
    (model.path / ".partial").mkdir()
    remove_model(entry, models)
    assert names(model.path) == {"notes.txt"}
    assert (stick / "a1b2c3").read_bytes() == WEIGHTS


def test_does_not_remove_what_is_being_pulled(entry: ModelEntry, stick: Path, tmp_path: Path) -> None:
    bring(entry, tmp_path, stick)
    with hold_folder(tmp_path / entry.id, entry), pytest.raises(ModelError, match="another process"):
        remove_model(entry, tmp_path)
    assert open_installed(entry, tmp_path).id == entry.id
