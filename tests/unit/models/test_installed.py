import os
from pathlib import Path

import pytest

import gateway.models.installed as installed
from gateway.errors import ConfigurationError, ModelError
from gateway.models.catalogue import Kind
from gateway.models.installed import find_installed, open_installed, verify_model
from gateway.settings import Settings
from tests.unit.models.conftest import sha256

SPEECH, TEXT = b"speech weights", b"text weights"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Two speech models and one text model in the catalogue; nothing installed."""
    lines = []
    for model_id, kind, content in (("first", "speech", SPEECH), ("second", "speech", SPEECH), ("third", "text", TEXT)):
        lines.append(
            f'[models.{model_id}]\nname = "{model_id}"\nkind = "{kind}"\nlicence = "MIT"\npublisher = "nobody"\n'
            f'[[models.{model_id}.files]]\nname = "weights"\nsize_bytes = {len(content)}\n'
            f'sha256 = "{sha256(content)}"\nparts = ["none==1.0/none"]\n'
        )
    (tmp_path / "models.toml").write_text("\n".join(lines), encoding="utf-8")
    return Settings(config_dir=tmp_path, models_dir=tmp_path / "models")


def install(settings: Settings, model_id: str, content: bytes) -> Path:
    file = settings.models / model_id / "weights"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def test_finds_nothing_where_nothing_is_installed(settings: Settings) -> None:
    assert find_installed(settings, Kind.SPEECH) is None


def test_finds_the_first_that_is_installed(settings: Settings) -> None:
    install(settings, "second", SPEECH)
    found = find_installed(settings, Kind.SPEECH)
    assert found is not None
    assert (found.id, found.path, found.sha256) == ("second", settings.models / "second", sha256(SPEECH))
    install(settings, "first", SPEECH)
    again = find_installed(settings, Kind.SPEECH)
    assert again is not None
    assert again.id == "first"


def test_opens_a_text_model_by_its_file(settings: Settings) -> None:
    file = install(settings, "third", TEXT)
    found = find_installed(settings, Kind.TEXT)
    assert found is not None
    assert found.path == file


def test_takes_the_model_that_the_settings_name(settings: Settings) -> None:
    install(settings, "first", SPEECH)
    install(settings, "second", SPEECH)
    named = settings.model_copy(update={"speech_model": "second"})
    found = find_installed(named, Kind.SPEECH)
    assert found is not None
    assert found.id == "second"


def test_says_how_to_install_the_named_model(settings: Settings) -> None:
    install(settings, "first", SPEECH)
    with pytest.raises(ModelError, match="countersign models pull second"):
        find_installed(settings.model_copy(update={"speech_model": "second"}), Kind.SPEECH)


@pytest.mark.parametrize("named", ["third", "unknown"])
def test_stops_at_a_name_that_is_no_such_model(settings: Settings, named: str) -> None:
    with pytest.raises(ConfigurationError, match="speech_model"):
        find_installed(settings.model_copy(update={"speech_model": named}), Kind.SPEECH)


@pytest.mark.parametrize(
    ("content", "words"),
    [(SPEECH[:-1], "cut short"), (SPEECH + b"!", "too long"), (b"S" + SPEECH[1:], "damaged"), (b"", "cut short")],
)
def test_refuses_a_file_that_is_not_the_published_one(settings: Settings, content: bytes, words: str) -> None:
    install(settings, "first", content)
    with pytest.raises(ModelError) as caught:
        find_installed(settings, Kind.SPEECH)
    assert caught.value.code == "model.damaged"
    assert words in caught.value.public
    assert "countersign models pull first" in caught.value.public


def test_refuses_a_file_that_was_changed_since_it_was_hashed(settings: Settings) -> None:
    install(settings, "first", SPEECH)
    find_installed(settings, Kind.SPEECH)
    install(settings, "first", b"S" + SPEECH[1:])
    with pytest.raises(ModelError, match="damaged"):
        find_installed(settings, Kind.SPEECH)


def test_hashes_only_once_what_does_not_change(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    install(settings, "first", SPEECH)
    find_installed(settings, Kind.SPEECH)

    def hash_again(*arguments: object) -> str:
        raise AssertionError("hashed again")

    monkeypatch.setattr(installed, "hash_file", hash_again)
    assert find_installed(settings, Kind.SPEECH) is not None


def test_verify_finds_damage_that_left_no_trace(settings: Settings) -> None:
    """A bad block changes neither size nor times; here the note of what was hashed is made to agree with it."""
    file = install(settings, "first", SPEECH)
    entry = installed.read_catalogue(settings.config_dir).models["first"]
    verify_model(entry, settings.models)
    file.write_bytes(b"S" + SPEECH[1:])
    installed.write_stamps(file.parent, entry)
    assert open_installed(entry, settings.models).id == "first"
    with pytest.raises(ModelError, match="damaged"):
        verify_model(entry, settings.models)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_uses_models_on_a_read_only_disk(settings: Settings) -> None:
    file = install(settings, "first", SPEECH)
    file.parent.chmod(0o500)
    try:
        assert find_installed(settings, Kind.SPEECH) is not None
    finally:
        file.parent.chmod(0o700)
