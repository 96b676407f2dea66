"""Settings from the file and the environment: what is wrong or unknown stops, named with its place."""

import tomllib
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.settings import NO_SETTINGS, PREFIX, ROOT, Settings, read_settings


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test sets."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)


def refused(folder: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_settings(folder)
    return caught.value.public


def test_what_is_given_wins_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gateway.toml").write_text('port = 8001\nhost = "127.0.0.2"\ndrafter = "outline"\n', encoding="utf-8")
    monkeypatch.setenv("COUNTERSIGN_PORT", "8002")
    monkeypatch.setenv("COUNTERSIGN_HOST", "127.0.0.3")
    settings = read_settings(tmp_path, port=8003)
    assert (settings.port, settings.host, settings.drafter) == (8003, "127.0.0.3", "outline")
    assert settings.config_dir == tmp_path


@pytest.mark.parametrize("layers", [-2, 1001, "all"])
def test_layers_on_a_gpu_are_none_all_or_a_number(tmp_path: Path, layers: object) -> None:
    assert [read_settings(tmp_path, gpu_layers=few).gpu_layers for few in (-1, 0, 99)] == [-1, 0, 99]
    (tmp_path / "gateway.toml").write_text(f"gpu_layers = {layers!r}\n", encoding="utf-8")
    assert "gpu_layers" in refused(tmp_path)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("COUNTERSIGN_PROT", "COUNTERSIGN_PORT"),
        ("COUNTERSIGN_PUBLICURL", "COUNTERSIGN_PUBLIC_URL"),
        ("COUNTERSIGN_STATEDIR", "COUNTERSIGN_STATE_DIR"),
        ("countersign_port", "COUNTERSIGN_PORT"),
    ],
)
def test_a_misspelt_variable_stops_and_the_nearest_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, nearest: str
) -> None:
    monkeypatch.setenv(name, "secret-value")
    said = refused(tmp_path)
    assert said == f"environment: {name}: there is no such setting; the nearest is {nearest}"


def test_a_variable_with_nothing_near_stops_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_", "1")
    assert refused(tmp_path).startswith("environment: COUNTERSIGN_: there is no such setting")


@pytest.mark.parametrize("name", sorted(NO_SETTINGS))
def test_what_steers_the_tests_and_the_children_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    assert read_settings(tmp_path).port == 8000


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("prot = 1\n", "gateway.toml: prot: there is no such key"),
        ("port = 0\n", "gateway.toml: port: "),
        ("port =\n", "gateway.toml: is not TOML"),
        ('drafter = "best"\n', "gateway.toml: drafter: Input should be 'auto', 'model' or 'outline'"),
        ('public_url = "notes.example.org"\n', "gateway.toml: public_url: must be the root of a host"),
        ('public_url = "https://example.org/notes"\n', "gateway.toml: public_url: must be the root of a host"),
        ("visit_hours = 25\n", "gateway.toml: visit_hours: "),
    ],
)
def test_a_wrong_file_is_named_with_its_key(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "gateway.toml").write_text(text, encoding="utf-8")
    assert named in refused(tmp_path)


def test_a_file_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_bytes(b"\xff\xfe\x00")
    assert refused(tmp_path).endswith("gateway.toml: is not UTF-8 text")


def test_a_file_that_can_not_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").mkdir()
    assert "gateway.toml: can't be read" in refused(tmp_path)


@pytest.mark.parametrize("name", ["STATE_DIR", "MODELS_DIR", "RUN_DIR"])
def test_the_home_of_nobody_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"COUNTERSIGN_{name}", "~nobody-of-that-name/x")
    assert refused(tmp_path).endswith("~nobody-of-that-name/x: there is no such user's home")


def test_an_empty_config_dir_is_the_own_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_CONFIG_DIR", "")
    assert read_settings().config_dir == ROOT / "config"


def test_a_wrong_value_of_the_environment_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_VISIT_HOURS", "never")
    assert "visit_hours (COUNTERSIGN_VISIT_HOURS in the environment): " in refused(tmp_path)


def test_the_shipped_file_says_the_defaults() -> None:
    """Each commented-out key of config/gateway.toml, uncommented, changes nothing."""
    text = (ROOT / "config" / "gateway.toml").read_text(encoding="utf-8")
    shown = "\n".join(line.removeprefix("# ") for line in text.splitlines() if " = " in line and line.startswith("# "))
    for key, value in tomllib.loads(shown).items():
        default = Settings.model_fields[key].default
        assert value == (str(default) if isinstance(default, Path) else default), key
