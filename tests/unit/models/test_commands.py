from pathlib import Path

import pytest
from typer.testing import CliRunner

import gateway.models.commands as commands
from gateway.models.catalogue import ModelEntry
from gateway.models.commands import app
from gateway.models.installed import InstalledModel
from gateway.models.measuring import Measured, OnStep
from tests.unit.models.conftest import CONFIG, WEIGHTS, Hub


@pytest.fixture
def site(entry: ModelEntry, index: Path, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site whose catalogue has the invented model; the hub is on localhost. Gives the models' folder."""
    lines = [f'[models."{entry.id}"]']
    lines += [f'{key} = "{getattr(entry, key)}"' for key in ("name", "kind", "licence", "publisher")]
    assert entry.hub is not None
    lines.append(f'hub = {{ repository = "{entry.hub.repository}", revision = "{entry.hub.revision}" }}')
    for file in entry.files:
        parts = [f"{part.requirement}/{part.member}" for part in file.parts]
        lines += [f'[[models."{entry.id}".files]]', f'name = "{file.name}"', f"size_bytes = {file.size_bytes}"]
        lines += [f'sha256 = "{file.sha256}"', f"parts = {parts}"]
    config = tmp_path / "config"
    config.mkdir()
    (config / "models.toml").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setenv("COUNTERSIGN_CONFIG_DIR", str(config))
    monkeypatch.setenv("COUNTERSIGN_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    return tmp_path / "models"


def test_lists_pulls_and_verifies(site: Path, entry: ModelEntry) -> None:
    run = CliRunner().invoke
    listed = run(app, ["list"])
    assert listed.exit_code == 0
    assert entry.id in listed.output
    assert "MIT" in listed.output
    assert run(app, ["pull"]).exit_code == 0
    assert (site / entry.id / "model.bin").read_bytes() == WEIGHTS
    assert "yes" in run(app, ["list"]).output
    assert run(app, ["verify"]).exit_code == 0
    (site / entry.id / "model.bin").write_bytes(WEIGHTS[:-1])
    assert "damaged" in run(app, ["list"]).output
    broken = run(app, ["verify", entry.id])
    assert broken.exit_code == 1
    assert "cut short" in broken.output
    assert run(app, ["pull", entry.id]).exit_code == 0
    assert run(app, ["verify", entry.id]).exit_code == 0


def test_ends_with_one_sentence(site: Path) -> None:
    unknown = CliRunner().invoke(app, ["pull", "gpt"])
    assert unknown.exit_code == 1
    assert unknown.output.strip() == "models.toml has no model 'gpt'; it has whisper-invented."
    nothing = CliRunner().invoke(app, ["verify"])
    assert nothing.exit_code == 1
    assert "countersign models pull" in nothing.output


def test_says_where_a_site_file_is_wrong(site: Path) -> None:
    file = site.parent / "config" / "models.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('"MIT"', "7"), encoding="utf-8")
    result = CliRunner().invoke(app, ["list"])
    assert result.exit_code == 1
    assert result.output.startswith(f"{file}: models.whisper-invented.licence: ")


def test_imports_and_removes(site: Path, entry: ModelEntry, tmp_path: Path) -> None:
    run = CliRunner().invoke
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "weights").write_bytes(WEIGHTS)
    incomplete = run(app, ["import", str(stick)])
    assert incomplete.exit_code == 1
    assert "needs config.json too" in incomplete.output
    (stick / "config").write_bytes(CONFIG)
    imported = run(app, ["import", str(stick)])
    assert imported.exit_code == 0, imported.output
    assert f"installed as {entry.id}" in imported.output
    assert run(app, ["verify"]).exit_code == 0
    kept = run(app, ["remove", entry.id], input="n\n")
    assert kept.exit_code == 0
    assert "which the gateway uses?" in kept.output
    assert (site / entry.id / "model.bin").exists()
    assert run(app, ["remove", entry.id]).exit_code == 1, "nobody there to ask"
    removed = run(app, ["remove", entry.id, "--yes"])
    assert removed.exit_code == 0
    assert "that ends with its next start" in removed.output
    assert not (site / entry.id).exists()
    assert (stick / "weights").read_bytes() == WEIGHTS
    again = run(app, ["remove", entry.id, "--yes"])
    assert (again.exit_code, again.output.strip()) == (1, "Invented Whisper is not installed.")


def test_measures_what_is_installed_and_keeps_it(
    site: Path, entry: ModelEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = CliRunner().invoke
    figures = Measured(sha256=entry.weights.sha256, threads=2, peak_bytes=1, real_time_factor=0.5)

    def measure(model: InstalledModel, threads: int, on_step: OnStep) -> Measured:
        on_step("hearing", 0.5)
        return figures

    monkeypatch.setattr(commands, "measure_model", measure)
    assert run(app, ["list", "--measure"]).exit_code == 1, "nothing is installed"
    assert "is not installed: run" in run(app, ["list", "--measure", entry.id]).output
    assert run(app, ["pull"]).exit_code == 0
    assert "0.50 s a second of speech" in run(app, ["list", "--measure"]).output
    assert "0.50 s a second of speech" in run(app, ["list"]).output
    monkeypatch.setattr(commands, "read_available", lambda: 1000)
    assert "was not measured: 0.3 GB are needed" in run(app, ["list", "--measure"]).output
    assert run(app, ["list", "--measure", entry.id]).exit_code == 1


def test_shows_all_of_a_named_model(site: Path, entry: ModelEntry) -> None:
    shown = CliRunner().invoke(app, ["list", entry.id])
    assert shown.exit_code == 0
    assert entry.weights.sha256 in shown.output


@pytest.mark.parametrize("command", [[], ["list"], ["pull"], ["import"], ["verify"], ["remove"]])
def test_help_teaches(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "countersign models" in result.output or not command
