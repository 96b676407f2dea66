from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.models.catalogue import Kind, read_catalogue
from gateway.settings import ROOT

GOOD = """
[models.invented]
name = "Invented"
kind = "text"
licence = "MIT"
publisher = "nobody"
hub = { repository = "nobody/invented", revision = "0123456789012345678901234567890123456789" }

[[models.invented.files]]
name = "model.gguf"
size_bytes = 10
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
parts = ["part-one==1.0/one/data.bin", "part-two==1.0/two/data.bin"]
"""


def read(tmp_path: Path, text: str) -> object:
    (tmp_path / "models.toml").write_text(text, encoding="utf-8")
    return read_catalogue(tmp_path)


def test_reads_the_project_catalogue() -> None:
    catalogue = read_catalogue(ROOT / "config")
    assert [entry.id for entry in catalogue.preferred] == ["whisper-tiny-en", "qwen2-5-coder-1-5b-instruct"]
    for entry in catalogue.models.values():
        assert entry.hub is not None
        assert entry.has_packages == entry.verified, "the hub alone has what nobody here could download"
        assert entry.licence in ("MIT", "Apache-2.0")
    assert sum(entry.size_bytes for entry in catalogue.preferred) == pytest.approx(1.2e9, rel=0.01)


def test_offers_larger_models_than_those_that_were_downloaded() -> None:
    catalogue = read_catalogue(ROOT / "config")
    larger = {
        kind: [entry.id for entry in catalogue.of_kind(kind) if entry.size_bytes > most]
        for kind, most in ((Kind.SPEECH, 200_000_000), (Kind.TEXT, 1_900_000_000))
    }
    assert larger[Kind.SPEECH] == ["whisper-small", "whisper-medium", "whisper-large-v3-turbo"]
    assert larger[Kind.TEXT] == ["smollm3-3b", "qwen3-4b", "qwen3-8b"]


def test_every_model_says_what_memory_it_takes() -> None:
    """The estimate for a site's own entry is within a fifth of what is written for each of ours, or above it."""
    for entry in read_catalogue(ROOT / "config").models.values():
        said = entry.need
        estimated = entry.model_copy(update={"weights_bytes": 0, "per_visit_bytes": 0}).need
        assert (said.weights_bytes > entry.size_bytes) == (entry.kind is Kind.TEXT)
        assert estimated.weights_bytes == pytest.approx(said.weights_bytes, rel=0.2)
        assert said.per_visit_bytes > 100_000_000
        assert entry.kind is Kind.TEXT or estimated.per_visit_bytes == pytest.approx(said.per_visit_bytes, rel=0.2)


def test_reads_parts_in_order(tmp_path: Path) -> None:
    read(tmp_path, GOOD)
    (entry,) = read_catalogue(tmp_path).of_kind(Kind.TEXT)
    assert [(part.requirement, part.member) for part in entry.weights.parts] == [
        ("part-one==1.0", "one/data.bin"),
        ("part-two==1.0", "two/data.bin"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('kind = "text"', 'kind = "video"', "models.invented.kind"),
        ('licence = "MIT"', "", "models.invented.licence"),
        ('publisher = "nobody"', 'publisher = "nobody"\ncolour = "red"', "models.invented.colour"),
        ("size_bytes = 10", "size_bytes = 0", "models.invented.files.0.size_bytes"),
        ("size_bytes = 10", 'size_bytes = "much"', "models.invented.files.0.size_bytes"),
        ('sha256 = "0000', 'sha256 = "zz00', "models.invented.files.0.sha256"),
        ('name = "model.gguf"', 'name = "../../etc/passwd"', "models.invented.files.0.name"),
        ("part-one==1.0/one", "part-one>=1.0/one", "models.invented.files.0.parts"),
        ("one/data.bin", "../data.bin", "models.invented.files.0.parts"),
        ("part-one==1.0", "--index-url==1.0", "models.invented.files.0.parts"),
        ('revision = "0123', 'revision = "main', "models.invented.hub.revision"),
        ("[models.invented]", "[models.Invented_Model]", "models.Invented_Model.id"),
    ],
)
def test_stops_at_a_wrong_key_with_file_key_and_reason(tmp_path: Path, old: str, new: str, key: str) -> None:
    assert old in GOOD
    text = GOOD.replace(old, new)
    if "Invented_Model" in new:
        text = text.replace("models.invented.files", "models.Invented_Model.files")
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text)
    assert caught.value.file == str(tmp_path / "models.toml")
    assert caught.value.key == key
    assert caught.value.reason


def test_stops_at_an_entry_that_no_source_has(tmp_path: Path) -> None:
    lines = [line for line in GOOD.splitlines() if not line.startswith(("hub", "parts"))]
    with pytest.raises(ConfigurationError, match="no source"):
        read(tmp_path, "\n".join(lines))


@pytest.mark.parametrize("text", ["", "models = 3", "models = { a = 1 }", "[models]", "not toml"])
def test_stops_at_a_file_without_models(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError):
        read(tmp_path, text)


def test_stops_without_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"models\.toml"):
        read_catalogue(tmp_path)
