"""What stops the demo before it starts, and what it says of the models; the demo itself runs in the browser tests."""

import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import demo
from gateway.errors import ConfigurationError, ModelError
from gateway.front.supervisor import ServeError


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state of a demo that already runs; nothing is pulled and no model is installed."""
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / "mark").touch()
    monkeypatch.setattr(demo, "STATE", folder)
    monkeypatch.setenv("DRAFTER", "outline")
    monkeypatch.setenv("COUNTERSIGN_MODELS_DIR", str(tmp_path / "models"))
    return folder


@pytest.fixture
def ports() -> Iterator[dict[str, int]]:
    """A free port and one that another program listens on."""
    with socket.socket() as used, socket.socket() as free:
        for each in (used, free):
            each.bind(("127.0.0.1", 0))
        used.listen()
        found = {"taken": used.getsockname()[1], "free": free.getsockname()[1]}
        free.close()
        yield found


@pytest.mark.parametrize("name", ["EHR_PORT", "GATEWAY_PORT"])
def test_a_used_port_is_said_before_anything_is_touched(
    state: Path, ports: dict[str, int], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(demo, "EHR_PORT", ports["free"])
    monkeypatch.setattr(demo, name, ports["taken"])
    said: list[str] = []
    with pytest.raises(ServeError, match=f"Port {ports['taken']} can't be listened on") as caught:
        demo.run_demo(said.append)
    assert caught.value.code == "demo.port"
    assert said == []
    assert (state / "mark").exists()


def test_a_sandbox_that_is_not_installed_says_how_to_install_it(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = tomllib.loads((demo.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    assert {name.split(">")[0].replace("-", "_") for name in extra["sandbox"]} == set(demo.SANDBOX_NEEDS)
    monkeypatch.setattr(demo, "SANDBOX_NEEDS", ("jinja2", "nowhere_to_be_found"))
    with pytest.raises(ServeError, match="pip install 'countersign"):
        demo.run_demo(print)
    assert (state / "mark").exists()


def test_a_wrong_drafter_names_the_variable(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAFTER", "best")
    with pytest.raises(ConfigurationError, match="environment: DRAFTER: must be one of auto, model, outline"):
        demo.run_demo(print)


def test_models_that_can_not_be_had_are_said_and_the_demo_goes_on(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(entries: object, settings: object) -> None:
        raise ModelError("model.unavailable", "The model can't be had now.")

    monkeypatch.delenv("DRAFTER")
    monkeypatch.setattr(demo, "pull_entries", refuse)
    said: list[str] = []
    demo._pull_missing(demo._read_demo_settings(), said.append)
    assert said[0].startswith("The first run pulls the small models, 1.2 GB")
    assert said[1] == "The model can't be had now. The demo goes on without."


def test_a_damaged_model_says_how_to_do_without(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DRAFTER")
    folder = tmp_path / "models" / "qwen2-5-coder-1-5b-instruct"
    folder.mkdir(parents=True)
    catalogue = demo.read_catalogue(demo.read_settings().config_dir)
    (folder / catalogue.models[folder.name].files[0].name).write_bytes(b"GGUF")
    with pytest.raises(ServeError, match=r"cut short .* Or try it without: DRAFTER=outline countersign demo"):
        demo.run_demo(print)


def test_it_tells_where_to_open_it_and_what_to_try(state: Path) -> None:
    said = demo.describe_demo(demo._read_demo_settings())
    for word in ("http://127.0.0.1:9000", "http://localhost:8000", "dictation.flac", "press Sign", "Ctrl-C"):
        assert word in said
