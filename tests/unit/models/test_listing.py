from pathlib import Path

import pytest

from gateway.models.catalogue import Kind, ModelEntry
from gateway.models.listing import COLUMNS, Machine, describe, look_at, make_row
from gateway.models.measuring import Measured, keep_measured
from tests.unit.models.conftest import CONFIG, WEIGHTS

ROOMY = Machine(10**12)


def install(entry: ModelEntry, models: Path) -> None:
    (models / entry.id).mkdir(parents=True)
    (models / entry.id / "model.bin").write_bytes(WEIGHTS)
    (models / entry.id / "config.json").write_bytes(CONFIG)


def cells(entry: ModelEntry, models: Path, machine: Machine = ROOMY) -> dict[str, str]:
    return dict(zip(COLUMNS, make_row(look_at(entry, models, machine)), strict=True))


def test_a_line_says_what_a_choice_needs(entry: ModelEntry, tmp_path: Path) -> None:
    row = cells(entry, tmp_path)
    assert (row["id"], row["licence"], row["size"], row["installed"]) == (entry.id, "MIT", "1 MB", "no")
    assert row["memory"] == "311 MB"  # a small engine around a megabyte of weights, and the visit itself
    assert row["SHA-256"] == f"{entry.weights.sha256[:12]}…"
    assert (row["runs here"], row["measured"]) == ("yes", "")
    install(entry, tmp_path)
    keep_measured(
        tmp_path,
        entry.id,
        Measured(sha256=entry.weights.sha256, threads=2, peak_bytes=300_000_000, real_time_factor=0.124),
    )
    row = cells(entry, tmp_path)
    assert (row["installed"], row["measured"]) == ("yes", "0.12 s a second of speech")


@pytest.mark.parametrize("content", [WEIGHTS[:-1], WEIGHTS + b"!", WEIGHTS[:-1] + b"!"])
def test_a_file_that_is_not_the_pinned_one_shows(entry: ModelEntry, tmp_path: Path, content: bytes) -> None:
    install(entry, tmp_path)
    (tmp_path / entry.id / "model.bin").write_bytes(content)
    assert cells(entry, tmp_path)["installed"] == "damaged"


def test_says_why_a_model_does_not_run_here(entry: ModelEntry, tmp_path: Path) -> None:
    small = Machine(100_000_000, ("AVX2",))
    assert cells(entry, tmp_path, small)["runs here"] == "no: memory"
    text = entry.model_copy(update={"kind": Kind.TEXT})
    assert cells(text, tmp_path, Machine(10**12, ("AVX2", "FMA")))["runs here"] == "no: AVX2 FMA"
    assert cells(text, tmp_path, Machine(None))["runs here"] == "yes", "what is not known is not refused"
    assert "the processor lacks AVX2" in "\n".join(describe(look_at(text, tmp_path, small)))
    assert "0.3 GB are needed and 0.1 GB are free" in "\n".join(describe(look_at(entry, tmp_path, small)))


def test_everything_about_a_model_has_every_checksum_in_full(entry: ModelEntry, tmp_path: Path) -> None:
    install(entry, tmp_path)
    page = "\n".join(describe(look_at(entry, tmp_path, ROOMY)))
    for expected in (entry.name, entry.publisher, "no: the checksum is as published", "for each visit", "not yet"):
        assert expected in page
    assert all(f"{file.sha256}  {file.name} ({file.size_bytes} bytes)" in page for file in entry.files)
    measured = Measured(
        sha256=entry.weights.sha256, threads=2, peak_bytes=300_000_000, tokens_in=155.0, tokens_out=36.0
    )
    keep_measured(tmp_path, entry.id, measured)
    page = "\n".join(describe(look_at(entry, tmp_path, ROOMY)))
    assert "155 tokens/s in, 36 out, with 2 threads; 300 MB at its highest" in page
